"""Named augmentation policies, from nothing to the whole course: each a plain Albumentations composition."""

from typing import Any

from augment.errors import TransformError

NAMES = ("none", "flip", "crop_flip", "light", "full")
"""The policies by name, from the weakest to the strongest."""


def policy(name: str, image_size: tuple[int, int]) -> Any:
    """Make a named policy.

    Args:
        name: "none"; "flip" (horizontal, half of the images); "crop_flip" (a random crop of 30 to 100 % of the area,
            and a flip); "light" (crop, flip, and brightness and contrast by 20 %); or "full" (crop, flip, rotation by
            up to 30 degrees for 70 %, colour jitter by 20 % for 80 %, and an occlusion for half of the images).
        image_size: (height, width) in pixels, of what a crop yields.

    Returns:
        An `albumentations.Compose`, or None for "none".

    Raises:
        TransformError: there is no such policy.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    crop, flip = A.RandomResizedCrop(image_size, scale=(0.3, 1.0)), A.HorizontalFlip()
    transforms = {
        "none": [],
        "flip": [flip],
        "crop_flip": [crop, flip],
        "light": [crop, flip, A.RandomBrightnessContrast(p=0.8)],
        "full": [
            crop,
            flip,
            A.Affine(rotate=(-30, 30), p=0.7),
            A.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.8, 1.2), hue=(-0.2, 0.2), p=0.8),
            A.CoarseDropout(p=0.5),
        ],
    }.get(name)
    if transforms is None:
        raise TransformError(f"there is no policy {name!r}; there are {', '.join(NAMES)}")
    return A.Compose(transforms) if transforms else None
