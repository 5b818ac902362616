"""Run the scenarios: `python -m tests.soak.run [NAME ...]`; prints each fault, and a table of figures.

Each module of `SCENARIOS` is a program of its own, so that one that dies or hangs is a fault and not the end.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCENARIOS = ("stored_files", "kills", "limits", "signals", "forks", "full_disk")

LIMIT_S = 900.0


def run(name: str) -> list[dict[str, Any]]:
    """Run a module of scenarios, and return the figures of each; a module that dies or hangs is a fault."""
    command = [sys.executable, "-m", f"tests.soak.{name}"]
    root = Path(__file__).resolve().parents[2]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=root, check=False)
    except subprocess.TimeoutExpired:
        return [{"name": name, "runs": 0, "faults": [f"it ran for more than {LIMIT_S:.0f} s"], "slowest_s": LIMIT_S}]
    figures = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"name"')]
    if ended.returncode:
        fault = f"exit status {ended.returncode}: {ended.stderr[-2000:]}"
        figures.append({"name": name, "runs": 0, "faults": [fault], "slowest_s": 0.0})
    return figures


def main() -> int:
    """Run the modules; the exit status is 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(SCENARIOS)}; by default all")
    names = parser.parse_args().names or SCENARIOS
    if unknown := set(names) - set(SCENARIOS):
        parser.error(f"unknown scenarios: {sorted(unknown)}")
    rows = []
    for name in names:
        for figures in run(name):
            rows.append(figures)
            for fault in dict.fromkeys(figures["faults"]):
                print(f"{figures['name']}: {fault}", flush=True)
        print(f"{name}: done", flush=True)
    print(f"\n{'scenario':50} {'runs':>6} {'faults':>6} {'slowest':>9}")
    for figures in rows:
        count = len(figures["faults"])
        print(f"{figures['name']:50} {figures['runs']:6} {count:6} {figures['slowest_s']:7.2f} s")
    return int(any(figures["faults"] for figures in rows))


if __name__ == "__main__":
    sys.exit(main())
