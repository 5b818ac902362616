"""A full disk, where a small one may be mounted: commands fail in one line, and finish when there is space."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import make_folders
from tests.soak.scenario import main, run_caudal

KIB = (16, 40, 64, 100, 140, 180, 220, 250)
"""Space that is left on the file system."""


def fill(root: Path) -> Iterator[str]:
    """Convert, and augment texts, to a file system with less and less space taken."""
    disk = root / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        return  # mounting is not allowed here; `limits` covers files that cannot grow
    try:
        source = make_folders(root / "source", {"ants": 16, "bees": 16}, height=32, width=32)
        rows = root / "rows.tsv"
        rows.write_text("text\tlabel\n" + "".join(f"a really good film number {at}\t{at % 2}\n" for at in range(800)))
        jobs = (("convert", source, disk / "out", "--shards", "8"), ("text", "augment", rows, disk / "out.tsv"))
        for kib in KIB:
            for job in jobs:
                ballast = disk / "ballast"
                ballast.write_bytes(bytes((256 - kib) * 1024))
                full = run_caudal(*job)
                ballast.unlink()
                again = run_caudal(*job)
                fault = full.fault or again.fault
                done = full.status == 0 or again.status == 0
                yield (
                    f"{kib} KiB: {fault or again.errors}"
                    if fault or (not done and "No space" not in again.errors)
                    else ""
                )
                for path in disk.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S607  # found where mount was


if __name__ == "__main__":
    main({"full disk": fill})
