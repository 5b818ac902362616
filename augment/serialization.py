"""Augmentations in files: JSON and YAML, as `albumentations.save` writes them."""

import os
from typing import Any, cast

from augment.errors import TransformError


def load(path: str | os.PathLike[str]) -> Any:
    """Read an augmentation that `albumentations.save` wrote.

    Args:
        path: a file, `.yaml` or `.yml` for YAML, anything else for JSON.

    Returns:
        An Albumentations transform or composition.

    Raises:
        TransformError: the file cannot be read, or does not contain an Albumentations transform.
    """
    import albumentations

    # Importing Caudal's own transforms registers them with Albumentations.
    import augment.backgrounds
    import augment.policies.aug_mix_transform
    import augment.policies.sharpness  # noqa: F401

    name = os.fspath(path)
    data_format = "yaml" if name.endswith((".yaml", ".yml")) else "json"
    try:
        return albumentations.load(name, data_format=cast(Any, data_format))
    except Exception as error:  # Albumentations raises different errors for different faults of a file
        raise TransformError(
            f"cannot load a transform from {name} ({type(error).__name__}: {error}); write the file with "
            f"albumentations.save(transform, path, data_format={data_format!r})"
        ) from error
