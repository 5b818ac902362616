"""Write the golden digests: `python -m tests.golden`.

A digest that changed is written only if `pipeline.identity.STREAM_VERSION` is higher than the stored one: an equal
definition then yields other bytes. New configurations are added at any time.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.identity import STREAM_VERSION
from tests.golden.configurations import CONFIGURATIONS, Sources
from tests.golden.digests import PATH, Digests, describe_platform, digest_configuration, read

REMEDY = (
    f"An equal definition now yields other bytes. If that is meant, raise STREAM_VERSION (now {STREAM_VERSION}) in "
    "pipeline/identity.py, say in CHANGELOG.md which streams changed, and run `python -m tests.golden`."
)


def list_changes(digests: dict[str, Digests], stored: dict[str, Any], *, has_equal_pixels: bool) -> list[str]:
    """List the digests that differ from the stored ones: of pixels only where the platforms are equal."""
    return [
        f"{kind} of {name!r}"
        for name, own in digests.items()
        for kind, digest in own.items()
        if (has_equal_pixels or kind != "pixels") and stored["digests"].get(name, own).get(kind) != digest
    ]


def main() -> int:
    """Compute all digests, and write them unless the version forbids it."""
    with tempfile.TemporaryDirectory() as directory:
        sources = Sources(Path(directory))
        digests = {name: digest_configuration(name, sources) for name in CONFIGURATIONS}
    stored: dict[str, Any] = read() if PATH.exists() else {"digests": {}, "stream_version": 0, "platform": {}}
    platform = describe_platform()
    changed = list_changes(digests, stored, has_equal_pixels=platform == stored["platform"])
    if changed and stored["stream_version"] >= STREAM_VERSION:
        sys.stderr.write(f"{', '.join(changed)} changed. {REMEDY}\n")
        return 1
    contents = {"stream_version": STREAM_VERSION, "platform": platform, "digests": digests}
    PATH.write_text(json.dumps(contents, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{PATH}: {len(digests)} configurations, {len(changed)} changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
