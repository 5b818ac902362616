"""The allocator's settings: set once, and only where nobody else has set them."""

from collections.abc import Callable

CODE = "from pipeline.memory.malloc import keep_freed_memory; print(keep_freed_memory(), keep_freed_memory())"


def test_settings_are_made_where_the_environment_has_none(run_python: Callable[..., str]) -> None:
    """With glibc they are accepted; what `MALLOC_...` says is left alone."""
    assert run_python(CODE).split() == ["True", "True"]
    assert run_python(CODE, MALLOC_ARENA_MAX="2").split() == ["False", "False"]
