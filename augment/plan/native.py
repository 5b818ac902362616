"""The native module (`augment/plan/c/`), which a C compiler builds at installation."""

import importlib
import os
from typing import Any


def import_native() -> tuple[Any, str]:
    """Import the native module.

    Returns:
        The module and "", or None and why it is not used. `CAUDAL_COMPILED=0` in the environment turns it off.
    """
    if is_turned_off():
        return None, "CAUDAL_COMPILED=0"
    try:
        return importlib.import_module("augment.plan._kernels"), ""
    except ImportError as error:
        return None, f"they cannot be imported: {error}; they need a C compiler at installation"


def is_turned_off() -> bool:
    """Whether the user turned the native module off."""
    return os.environ.get("CAUDAL_COMPILED") == "0"
