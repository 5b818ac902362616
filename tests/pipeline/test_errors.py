"""The errors: one tree, and each also what a caller would expect."""

import inspect

import pytest

import augment
from pipeline import errors

BUILTINS = {
    "OptionError": ValueError,
    "SourceError": OSError,
    "SampleError": ValueError,
    "ReadError": ValueError,
    "DecodeError": ValueError,
    "AugmentationError": ValueError,
    "TooManyErrorsError": RuntimeError,
    "CacheError": OSError,
    "ConvertError": OSError,
}
"""What the drawing at the top of `pipeline/errors.py` promises."""


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """Every error has a docstring, derives from `CaudalError` and from a built-in, and is in the drawing."""
    classes = {name: value for name, value in inspect.getmembers(errors, inspect.isclass) if name != "CaudalError"}
    for name, value in classes.items():
        assert issubclass(value, errors.CaudalError)
        assert value.__doc__
        assert name in errors.__doc__
        if name in BUILTINS:
            assert issubclass(value, BUILTINS[name])
    assert set(BUILTINS) <= set(classes)


def test_the_trees_of_both_packages_are_one() -> None:
    """`except CaudalError` catches what either package raises."""
    assert errors.CaudalError is augment.CaudalError
    assert issubclass(augment.TransformError, errors.CaudalError)
    assert issubclass(augment.TransformError, ValueError)


@pytest.mark.parametrize(
    ("error", "stage"),
    [(errors.ReadError, "read"), (errors.DecodeError, "decode"), (errors.AugmentationError, "augment")],
)
def test_a_sample_s_error_says_which_what_and_where(error: type[errors.SampleError], stage: str) -> None:
    """Sample, reason and stage can be asked for, and stand in the text."""
    raised = error("ants/1.jpg", "damaged")
    assert (raised.sample, raised.reason, raised.stage) == ("ants/1.jpg", "damaged", stage)
    assert str(raised) == "ants/1.jpg: damaged"
    assert isinstance(raised, errors.SampleError)
