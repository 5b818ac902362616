"""`python -m tests.fuzz.random_calls SECONDS`: hostile calls of the sanitized kernels, with new seeds."""

import os
import sys
import time

from tests.augment.plan.test_hostile_kernels import check_hostile_work, load_kernels


def main() -> None:
    """Call until the time is over; what the sanitizers report ends the process."""
    kernels, seed = load_kernels(), int.from_bytes(os.urandom(6), "little")
    print(f"seed {seed}", flush=True)
    end, done = time.monotonic() + float(sys.argv[1]), 0
    while time.monotonic() < end:
        check_hostile_work(kernels, seed + done)
        done += 1
    print(f"kernels: {done:,} calls, no fault")


if __name__ == "__main__":
    main()
