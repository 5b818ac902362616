"""The public interface is written down, so that changes are deliberate."""

from tests import public_api


def test_the_public_interface_is_the_one_written_down() -> None:
    """Names and signatures are those of `tests/public_api.txt`."""
    assert public_api.describe() == public_api.PATH.read_text(), (
        "the public interface has changed: if this is intended, run `make api` and update CHANGELOG.md"
    )
