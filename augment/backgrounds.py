"""Replacing the background of an object by photographs, plain colors or noise.

A network that sees a class only in front of one background learns the background. A mask that accompanies the image
marks the object, or GrabCut estimates it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np

from augment.background_files import MAX_PIXELS, BackgroundFiles
from augment.checks import check_integer, is_integer, is_number
from augment.errors import TransformError
from augment.foreground import grabcut
from augment.transform import Image

Color = Sequence[int]
"""One level per channel, 0 to 255."""

_MOST_PIXELS = 2**30
"""OpenCV decodes no larger image."""

_NO_MASKS = ("image", "images", "bboxes", "keypoints")
"""Targets that cannot be masks."""


class ReplaceBackground(A.DualTransform):  # type: ignore[misc]  # Albumentations ships no types
    """Replaces the background of an image.

    The pixels of the foreground keep their exact values. Around it the new background is blended in over `feather_px`
    pixels. Masks, boxes and keypoints stay unchanged, since nothing moves. Images are uint8 [H, W, C] with 1 or 3
    channels.

    Args:
        backgrounds: a folder of images (all .bmp, .jpeg, .jpg, .png and .webp files below it; each is scaled to cover
            the image, and a random window of it is used); "noise" (every level of every pixel and channel equally
            likely); "colors" (a random color per image); or a list of colors such as [(255, 255, 255), (0, 128, 0)],
            from which one is drawn.
        mask: where the foreground is: the name of a mask among the targets, [H, W], not 0 in the foreground; "grabcut",
            which finds what differs from the image's margin (see `augment.foreground`); or a function from an image
            [H, W, C] to such a mask.
        feather_px: how far the blend extends outward from the foreground, in pixels; 0 for a hard edge.
        cache_bytes: memory for decoded backgrounds; all threads share them.
        p: probability that the transform is applied.
        max_pixels: largest number of pixels of a background image; a larger one is an error, and is not decoded.

    Raises:
        TransformError: an argument is out of range, or the folder contains no image.
    """

    _targets = (A.core.type_definitions.Targets.IMAGE,)
    not_lowered = "it needs a mask and other images"  # for `Plan.explain`

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]
        """The constructor's arguments; the constructor checks them."""

        backgrounds: Any
        mask: Any
        feather_px: Any
        cache_bytes: Any
        max_pixels: Any

    def __init__(
        self,
        backgrounds: Any = "noise",
        mask: str | Callable[[Image], Image] = "mask",
        feather_px: float = 2,
        cache_bytes: int = 2**28,
        p: float = 0.5,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(p=p)
        if not is_number(feather_px) or feather_px < 0:
            raise TransformError(f"feather_px must be finite and at least 0, got {feather_px!r}")
        if not is_integer(cache_bytes) or cache_bytes < 0:
            raise TransformError(f"cache_bytes must be an integer of at least 0, got {cache_bytes!r}")
        check_integer("max_pixels", max_pixels, 1, _MOST_PIXELS, TransformError)
        if not callable(mask) and not (isinstance(mask, str) and mask and mask not in _NO_MASKS):
            raise TransformError(f"mask must be a target's name, 'grabcut' or a function, got {mask!r}")
        self.backgrounds = _parse_backgrounds(backgrounds)
        self.mask, self.feather_px, self.cache_bytes = mask, feather_px, cache_bytes
        is_folder = isinstance(self.backgrounds, str) and self.backgrounds not in ("noise", "colors")
        self.max_pixels = max_pixels
        self._files = BackgroundFiles(str(self.backgrounds), cache_bytes, max_pixels) if is_folder else None

    @property
    def targets_as_params(self) -> list[str]:
        """Request the mask if it is a target."""
        return [self.mask] if isinstance(self.mask, str) and self.mask != "grabcut" else []

    @property
    def targets(self) -> dict[str, Callable[..., Any]]:
        """Map each target to its function: the image is changed, everything else is not."""
        unchanged = dict.fromkeys(("mask", "masks", "bboxes", "keypoints"), _return_unchanged)
        return {"image": self.apply, "images": self.apply_to_images, **unchanged}

    def update_transform_params(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Refuse an image without its mask; the message of Albumentations would not help."""
        if any(data.get(name) is None for name in self.targets_as_params):
            raise TransformError(
                f"the target {self.mask!r} is missing (a Loader yields images only): pass it, or use mask='grabcut' or "
                "a function of the image"
            )
        return cast(dict[str, Any], super().update_transform_params(params, data))

    def get_params_dependent_on_data(self, params: dict[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Find the foreground, and draw the background."""
        image = data["image"]
        if image.dtype != np.uint8:
            raise TransformError(f"ReplaceBackground needs uint8 images, got {image.dtype}: put Normalize after it")
        height, width = image.shape[:2]
        channels = 1 if image.ndim == 2 else image.shape[2]
        foreground = self._find_foreground(image, data)
        if foreground.shape != (height, width):
            raise TransformError(
                f"the mask has shape {foreground.shape}, but the image has {(height, width)}: they must be equal"
            )
        return {"foreground": foreground, "background": self._draw_background(height, width, channels)}

    def apply(self, img: Image, foreground: Image, background: Image, **params: Any) -> Image:  # noqa: ARG002
        """Replace the background of an image, uint8 [H, W, C]."""
        replaced = composite(img, foreground, background.reshape(img.shape), self.feather_px)
        return cast(Image, replaced.reshape(img.shape))

    def _find_foreground(self, image: Image, data: Mapping[str, Any]) -> Image:
        if callable(self.mask):
            mask = np.asarray(self.mask(image))
        elif self.mask == "grabcut":
            mask = grabcut(image)
        else:
            mask = np.asarray(data[self.mask])
        if mask.ndim not in (2, 3):
            raise TransformError(f"a mask must be [H, W], got {mask.dtype} {list(mask.shape)}")
        return cast(Image, (mask if mask.ndim == 2 else mask.any(axis=2)) != 0)

    def _draw_background(self, height: int, width: int, channels: int) -> Image:
        if self._files is not None:
            return self._draw_crop(self._files.draw(self.py_random.random()), height, width, channels)
        if self.backgrounds == "noise":
            return cast(Image, self.random_generator.integers(0, 256, (height, width, channels), np.uint8))
        if self.backgrounds == "colors":
            color = [self.py_random.randrange(256) for _ in range(channels)]
        else:
            color = list(self.py_random.choice(self.backgrounds))
            if len(color) != channels:
                raise TransformError(f"color {color} has {len(color)} values, but the image has {channels} channels")
        return np.full((height, width, channels), color, np.uint8)

    def _draw_crop(self, background: Image, height: int, width: int, channels: int) -> Image:
        """Draw a window of a photograph: the largest with the image's aspect ratio, at a random position."""
        if channels not in (1, 3):
            raise TransformError(f"background images need an image of 1 or 3 channels, got {channels}")
        scale = min(background.shape[0] / height, background.shape[1] / width)
        rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
        top = self.py_random.randint(0, background.shape[0] - rows)
        left = self.py_random.randint(0, background.shape[1] - columns)
        window = background[top : top + rows, left : left + columns]
        window = cv2.resize(window, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
        return window if channels == 3 else cv2.cvtColor(window, cv2.COLOR_RGB2GRAY)[..., np.newaxis]

    def get_transform_init_args(self) -> dict[str, Any]:
        """Return the arguments for `albumentations.save`.

        Raises:
            TransformError: the mask is a function, which cannot be saved.
        """
        if callable(self.mask):
            raise TransformError("cannot save a ReplaceBackground whose mask is a function: use a target's name")
        return cast(dict[str, Any], super().get_transform_init_args())


def composite(image: Image, foreground: Image, background: Image, feather_px: float) -> Image:
    """Replace the background of an image.

    Args:
        image: uint8 [H, W, C].
        foreground: bool [H, W].
        background: uint8 [H, W, C].
        feather_px: pixels outside the foreground over which the image fades into the background.

    Returns:
        uint8 [H, W, C]: the image's pixels in the foreground, the background's pixels beyond the fade.
    """
    outside = (~foreground).astype(np.uint8)
    if not outside.any() or not foreground.any():
        return (image if foreground.any() else background).copy()
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    opacity = np.clip(1 - distance / (feather_px + 1), 0, 1)
    if image.ndim == 3:
        opacity = opacity[..., np.newaxis]
    blended = np.rint(opacity * image + (1 - opacity) * background).astype(np.uint8)
    blended[foreground] = image[foreground]
    return cast(Image, blended)


def _return_unchanged(target: Any, **params: Any) -> Any:  # noqa: ARG001  # the signature that Albumentations calls
    return target


def _parse_backgrounds(backgrounds: Any) -> str | list[list[int]]:
    """Convert the backgrounds to a form that can be saved."""
    if hasattr(backgrounds, "__fspath__"):
        return str(backgrounds.__fspath__())
    if isinstance(backgrounds, str) and backgrounds:
        return backgrounds
    if isinstance(backgrounds, Sequence) and len(backgrounds) and all(map(_is_color, backgrounds)):
        return [list(map(int, color)) for color in backgrounds]
    raise TransformError(
        f"backgrounds must be a folder, 'noise', 'colors' or a list of colors such as [(255, 255, 255)], got "
        f"{backgrounds!r}"
    )


def _is_color(color: Any) -> bool:
    if not isinstance(color, Sequence) or not len(color):
        return False
    return all(is_number(level) and 0 <= level <= 255 and level == int(level) for level in color)
