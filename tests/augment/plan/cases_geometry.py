"""The geometric transforms that are lowered, each with the options that take a path of their own."""

from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2

Factory = Callable[[], Any]

_COLOR = (200, 30, 90)

CASES: dict[str, Factory] = {
    "flip": lambda: A.HorizontalFlip(p=1),
    "flip-vertical": lambda: A.VerticalFlip(p=1),
    "transpose": lambda: A.Transpose(p=1),
    "turn": lambda: A.RandomRotate90(p=1),
    "d4": lambda: A.D4(p=1),
    "square-symmetry": lambda: A.SquareSymmetry(p=1),
    "affine-default": lambda: A.Affine(p=1),
    "affine-rotate": lambda: A.Affine(rotate=(-30, 30), p=1),
    "affine-all": lambda: A.Affine(
        scale=(0.7, 1.4), translate_percent=(-0.2, 0.2), rotate=(-180, 180), shear=(-15, 20), fill=_COLOR, p=1
    ),
    "affine-axes": lambda: A.Affine(
        scale={"x": (0.5, 0.9), "y": (1, 1.5)}, translate_px={"x": (-9, 4), "y": (0, 30)}, shear={"y": (-10, 40)}, p=1
    ),
    "affine-shift": lambda: A.Affine(translate_px=(-100, 100), fill=77, p=1),
    "affine-shift-mirrored": lambda: A.Affine(translate_px=(-100, 100), border_mode=cv2.BORDER_REFLECT_101, p=1),
    "affine-keep-ratio": lambda: A.Affine(scale=(0.5, 2), keep_ratio=True, p=1),
    "affine-balanced": lambda: A.Affine(scale=(0.8, 3), balanced_scale=True, p=1),
    "affine-balanced-below": lambda: A.Affine(scale=(0.5, 0.9), balanced_scale=True, keep_ratio=True, p=1),
    "affine-balanced-above": lambda: A.Affine(scale=(1.1, 1.6), balanced_scale=True, p=1),
    "affine-fit": lambda: A.Affine(rotate=(-90, 90), scale=(0.5, 1.2), shear=(-10, 10), fit_output=True, p=1),
    "affine-fit-nothing": lambda: A.Affine(fit_output=True, p=1),
    "affine-cubic": lambda: A.Affine(rotate=(5, 20), interpolation=cv2.INTER_CUBIC, fill=9, p=1),
    "affine-nearest": lambda: A.Affine(rotate=(5, 20), interpolation=cv2.INTER_NEAREST, p=1),
    "affine-area": lambda: A.Affine(rotate=(5, 20), interpolation=cv2.INTER_AREA, p=1),
    "affine-replicate": lambda: A.Affine(rotate=(-45, 45), border_mode=cv2.BORDER_REPLICATE, p=1),
    "affine-reflect": lambda: A.Affine(rotate=(-45, 45), scale=(0.4, 0.6), border_mode=cv2.BORDER_REFLECT, p=1),
    "affine-reflect-101": lambda: A.Affine(rotate=(-45, 45), border_mode=cv2.BORDER_REFLECT_101, p=1),
    "affine-wrap": lambda: A.Affine(rotate=(-45, 45), border_mode=cv2.BORDER_WRAP, p=1),
    "shift-scale-rotate": lambda: A.ShiftScaleRotate(p=1),
    "shift-scale-rotate-options": lambda: A.ShiftScaleRotate(
        shift_limit_x=(0, 0.3), shift_limit_y=0.1, scale_limit=(-0.4, 0.1), rotate_limit=10, fill=255, p=1
    ),
    "rotate": lambda: A.Rotate(p=1),
    "rotate-options": lambda: A.Rotate(limit=(20, 200), border_mode=cv2.BORDER_REFLECT, p=1),
    "rotate-crop": lambda: A.Rotate(limit=(-180, 180), crop_border=True, p=1),
    "safe-rotate": lambda: A.SafeRotate(p=1),
    "safe-rotate-options": lambda: A.SafeRotate(limit=(10, 300), fill=_COLOR, p=1),
    "perspective": lambda: A.Perspective(p=1),
    "perspective-free-size": lambda: A.Perspective(scale=(0.1, 0.4), keep_size=False, fill=_COLOR, p=1),
    "perspective-fit": lambda: A.Perspective(scale=(0.02, 0.1), fit_output=True, fill=128, p=1),
    "perspective-fit-free-size": lambda: A.Perspective(scale=0.1, fit_output=True, keep_size=False, p=1),
    "perspective-nearest": lambda: A.Perspective(
        interpolation=cv2.INTER_NEAREST, border_mode=cv2.BORDER_REPLICATE, p=1
    ),
    "random-resized-crop": lambda: A.RandomResizedCrop((32, 40), p=1),
    "random-resized-crop-options": lambda: A.RandomResizedCrop(
        (70, 50), scale=(0.3, 0.6), ratio=(0.2, 0.5), interpolation=cv2.INTER_CUBIC, area_for_downscale="image", p=1
    ),
    "random-resized-crop-wide": lambda: A.RandomResizedCrop((32, 32), scale=(0.9, 1), ratio=(2.9, 3), p=1),
    "random-resized-crop-tall": lambda: A.RandomResizedCrop((32, 32), scale=(0.9, 1), ratio=(0.3, 0.4), p=1),
    "random-sized-crop": lambda: A.RandomSizedCrop((20, 80), (48, 32), p=1),
    "random-sized-crop-options": lambda: A.RandomSizedCrop(
        (20, 50), (30, 30), w2h_ratio=1.3, area_for_downscale="image_mask", p=1
    ),
    "crop": lambda: A.Crop(3, 5, 40, 30, p=1),
    "crop-padded": lambda: A.Crop(3, 5, 90, 130, pad_if_needed=True, fill=_COLOR, p=1),
    "crop-padded-random": lambda: A.Crop(
        0, 9, 120, 40, pad_if_needed=True, pad_position="random", border_mode=cv2.BORDER_REFLECT, p=1
    ),
    "center-crop": lambda: A.CenterCrop(31, 40, p=1),
    "center-crop-padded": lambda: A.CenterCrop(80, 40, pad_if_needed=True, pad_position="bottom_left", fill=8, p=1),
    "random-crop": lambda: A.RandomCrop(31, 40, p=1),
    "random-crop-padded": lambda: A.RandomCrop(100, 40, pad_if_needed=True, border_mode=cv2.BORDER_WRAP, p=1),
    "random-crop-padded-random": lambda: A.RandomCrop(90, 120, pad_if_needed=True, pad_position="random", fill=7, p=1),
    "crop-from-borders": lambda: A.RandomCropFromBorders(p=1),
    "crop-from-borders-options": lambda: A.RandomCropFromBorders(0.6, 0.4, 0.0, 0.9, p=1),
    "crop-and-pad": lambda: A.CropAndPad(px=(-10, 12), fill=99, p=1),
    "crop-and-pad-number": lambda: A.CropAndPad(px=7, keep_size=False, p=1),
    "crop-and-pad-shared": lambda: A.CropAndPad(
        percent=(-0.2, 0.1), sample_independently=False, border_mode=cv2.BORDER_REFLECT_101, p=1
    ),
    "crop-and-pad-sides": lambda: A.CropAndPad(px=((-9, -2), (0, 5), (-3, 3), (1, 2)), keep_size=False, fill=1, p=1),
    "crop-and-pad-fixed": lambda: A.CropAndPad(px=(3, -4, 0, -5), p=1),
    "crop-and-pad-choices": lambda: A.CropAndPad(px=([-8, 2, 4], [1, 2, 9], [0], [-5, 5]), keep_size=False, p=1),
    "crop-and-pad-percent": lambda: A.CropAndPad(
        percent=((-0.9, -0.5), (-0.1, 0.1), (-0.6, -0.2), (0.1, 0.2)), interpolation=cv2.INTER_AREA, p=1
    ),
    "pad": lambda: A.Pad(5, fill=_COLOR, p=1),
    "pad-pair": lambda: A.Pad((3, 8), border_mode=cv2.BORDER_REFLECT, p=1),
    "pad-sides": lambda: A.Pad((3, 8, 0, 1), fill=44, p=1),
    "pad-if-needed": lambda: A.PadIfNeeded(90, 80, fill=_COLOR, p=1),
    "pad-if-needed-random": lambda: A.PadIfNeeded(100, 130, position="random", p=1),
    "pad-if-needed-divisor": lambda: A.PadIfNeeded(
        None, None, 32, 16, position="bottom_right", border_mode=cv2.BORDER_REPLICATE, p=1
    ),
    "pad-if-needed-corner": lambda: A.PadIfNeeded(90, None, None, 50, position="top_right", fill=3, p=1),
    "resize": lambda: A.Resize(50, 60, p=1),
    "resize-area": lambda: A.Resize(31, 160, area_for_downscale="image", p=1),
    "resize-nearest": lambda: A.Resize(40, 100, interpolation=cv2.INTER_NEAREST_EXACT, p=1),
    "random-scale": lambda: A.RandomScale(p=1),
    "random-scale-area": lambda: A.RandomScale((-0.7, 0.5), interpolation=cv2.INTER_LINEAR_EXACT, p=1),
    "random-scale-lanczos": lambda: A.RandomScale(
        (-0.7, 0.5), interpolation=cv2.INTER_LANCZOS4, area_for_downscale="image_mask", p=1
    ),
    "smallest-max-size": lambda: A.SmallestMaxSize(45, p=1),
    "smallest-max-size-list": lambda: A.SmallestMaxSize([45, 33, 99], area_for_downscale="image", p=1),
    "smallest-max-size-both": lambda: A.SmallestMaxSize(max_size_hw=(50, 90), p=1),
    "longest-max-size": lambda: A.LongestMaxSize(45, p=1),
    "longest-max-size-list": lambda: A.LongestMaxSize([45, 33, 99], interpolation=cv2.INTER_AREA, p=1),
    "longest-max-size-both": lambda: A.LongestMaxSize(max_size_hw=(50, 90), p=1),
    "longest-max-size-height": lambda: A.LongestMaxSize(max_size_hw=(50, None), p=1),
    "longest-max-size-width": lambda: A.LongestMaxSize(max_size_hw=(None, 50), p=1),
}
"""Each applies always, so that what is compared is the transform and not a coin."""

WARPS = frozenset(
    name for name in CASES if name.startswith(("affine", "shift-scale", "rotate", "safe-rotate", "perspective"))
)
"""The cases that interpolate at places that OpenCV computes; the others are exact, or one resize of the same pixels."""
