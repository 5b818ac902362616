"""`python -m benchmarks --workload full --data DIR`: measure, print ratios, and keep the rows."""

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.throughput import Pass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    if sys.argv[1:2] == ["convert"]:
        from benchmarks.conversion import main as convert

        convert(sys.argv[2:])
        return
    from benchmarks.contenders import APPLICABLE, CONTENDERS
    from benchmarks.workloads import BATCH_SIZE, NAMES, prepare
    from pipeline.throughput import compare

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workload", choices=NAMES, action="append", help="default: all")
    parser.add_argument("--contender", choices=tuple(CONTENDERS), action="append", help="default: all that apply")
    parser.add_argument("--data", type=Path, required=True, help="class-folders of JPEG photographs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the rows instead of a table")
    parser.add_argument("--keep", action="store_true", help="append the rows to benchmarks/results/")
    arguments = parser.parse_args()
    for name in arguments.workload or NAMES:
        with tempfile.TemporaryDirectory() as scratch:
            workload = prepare(name, arguments.data, Path(scratch))
            wanted = arguments.contender or APPLICABLE[name]
            contenders = {peer: CONTENDERS[peer](workload) for peer in APPLICABLE[name] if peer in wanted}
            steps = -(-workload.count // BATCH_SIZE)
            passes = compare(contenders, steps, arguments.rounds)
        rows = [_row(peer, name, workload.count, passes[peer]) for peer in contenders]
        _report(rows, arguments.json)
        if arguments.keep:
            with open(RESULTS / f"{name}.jsonl", "a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


def _row(peer: str, workload: str, images: int, passes: "list[Pass]") -> dict[str, Any]:
    import cv2
    import tensorflow as tf
    from albumentations import __version__ as albumentations

    rates, cpu = zip(*passes, strict=True)
    return {
        "peer": peer,
        "workload": workload,
        "img_s_median": round(statistics.median(rates), 1),
        "img_s_min": round(min(rates), 1),
        "img_s_max": round(max(rates), 1),
        "cpu_s_per_img": round(statistics.median(cpu), 6),
        "images": images,
        "rounds": len(passes),
        "load_average": os.getloadavg()[0],
        "cpus": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "date": datetime.date.today().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "opencv": cv2.__version__,
            "albumentations": albumentations,
        },
    }


def _report(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    first = rows[0]
    print(f"\n{first['workload']}: {first['images']} images, {first['rounds']} rounds in turns")
    print(f"{'':16}{'images/s':>10}{'min':>8}{'max':>8}{'CPU ms/image':>14}{'caudal / it':>13}")
    for row in rows:
        ratio = first["img_s_median"] / row["img_s_median"]
        print(
            f"{row['peer']:16}{row['img_s_median']:10,.0f}{row['img_s_min']:8,.0f}{row['img_s_max']:8,.0f}"
            f"{1000 * row['cpu_s_per_img']:14.2f}{ratio:13.2f}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
