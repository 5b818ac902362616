"""What importing `training` pulls in, and what it offers."""

import subprocess
import sys

import pytest

import training
import training.architectures


def test_importing_training_imports_no_heavy_library() -> None:
    """TensorFlow, Keras and Matplotlib wait until a function needs them."""
    code = (
        "import sys, training, training.architectures; "
        "print(*{'tensorflow', 'keras', 'matplotlib', 'optuna', 'scipy', 'sklearn'} & sys.modules.keys())"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""


@pytest.mark.parametrize("package", [training, training.architectures])
def test_every_name_that_is_offered_is_a_function(package: object) -> None:
    """`__all__` is sorted and names functions, none of them hidden by a module of the same name."""
    names = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert all(callable(getattr(package, name)) for name in names)
