"""The table of point-wise transforms and occlusions: every lowered one, with the options that change its path."""

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

import augment.plan.transforms  # noqa: F401  # registers what is lowered
from augment.plan.lowering import REGISTRY, Geometry
from augment.policies.sharpness import Sharpness
from augment.transform import Image

POINTWISE = {
    "brightness": A.RandomBrightnessContrast(p=1),
    "brightness-by-mean": A.RandomBrightnessContrast(brightness_by_max=False, p=1),
    "brightness-safe": A.RandomBrightnessContrast((-0.5, 0.9), (-1.4, 0.5), ensure_safe_range=True, p=1),
    "brightness-by-mean-safe": A.RandomBrightnessContrast(
        0.5, 0.5, brightness_by_max=False, ensure_safe_range=True, p=1
    ),
    "gamma": A.RandomGamma((30, 250), p=1),
    "invert": A.InvertImg(p=1),
    "solarize": A.Solarize(threshold_range=(0.1, 0.9), p=1),
    "posterize": A.Posterize(num_bits=(1, 7), p=1),
    "posterize-by-channel": A.Posterize(num_bits=[(1, 3), (2, 6), (4, 4)], p=1),
    "shift": A.RGBShift(p=1),
    "shift-fractions": A.RGBShift((-0.4, 0.1), (0.2, 0.3), 0.9, p=1),
    "channel-dropout": A.ChannelDropout(channel_drop_range=(1, 2), fill=17.6, p=1),
    "channel-shuffle": A.ChannelShuffle(p=1),
    "gray": A.ToGray(p=1),
    "gray-lab": A.ToGray(method="from_lab", p=1),
    "gray-desaturation": A.ToGray(method="desaturation", p=1),
    "gray-average": A.ToGray(method="average", num_output_channels=4, p=1),
    "gray-max": A.ToGray(method="max", p=1),
    "gray-one-channel": A.ToGray(num_output_channels=1, p=1),
    "sepia": A.ToSepia(p=1),
    "hsv": A.HueSaturationValue(p=1),
    "hsv-wide": A.HueSaturationValue((-180, 300), 200, (-90, -0.5), p=1),
    "hsv-only-value": A.HueSaturationValue(0, 0, 40, p=1),
    "jitter": A.ColorJitter(p=1),
    "jitter-narrow": A.ColorJitter(0.2, 0.2, 0.2, 0.2, p=1),
    "jitter-wide": A.ColorJitter((0, 3), (0, 4), (0, 5), 0.5, p=1),
    "jitter-no-hue": A.ColorJitter(0.4, 0.4, 0.4, 0, p=1),
    "jitter-nothing": A.ColorJitter(0, 0, 0, 0, p=1),
    "jitter-zero": A.ColorJitter((1, 1), (0, 0), (0, 0), (0, 0), p=1),
    "equalize": A.Equalize(p=1),
    "equalize-luma": A.Equalize(by_channels=False, p=1),
    "equalize-pil": A.Equalize(mode="pil", p=1),
    "equalize-pil-luma": A.Equalize(mode="pil", by_channels=False, p=1),
    "autocontrast": A.AutoContrast(p=1),
    "autocontrast-pil": A.AutoContrast(method="pil", p=1),
    "autocontrast-cutoff": A.AutoContrast(cutoff=5, p=1),
    "nothing": A.NoOp(p=1),
    "sharpness": Sharpness((0.1, 1.9), p=1),
    "sharpness-fixed": Sharpness((1.0, 1.0), p=1),
    "autocontrast-pil-cutoff": A.AutoContrast(cutoff=48, method="pil", p=1),
}

TO_FLOAT = {
    "normalize": A.Normalize(),
    "normalize-scalars": A.Normalize(mean=0.4, std=0.3, max_pixel_value=128.0),
    "normalize-two": A.Normalize(mean=(0.1, 0.2), std=(0.3, 0.4)),
    "to-float": A.ToFloat(),
    "to-float-maximum": A.ToFloat(max_value=128.0),
}

FILLS = {
    "coarse": A.CoarseDropout(p=1),
    "coarse-pixels": A.CoarseDropout((2, 6), (3, 12), (1, 9), fill=(200.7, 3, 90), p=1),
    "coarse-mixed": A.CoarseDropout((1, 3), (1, 4), (0.5, 2.5), fill=7, p=1),
    "erasing": A.Erasing(p=1),
    "erasing-large": A.Erasing(scale=(0.3, 1.0), ratio=(0.2, 6.0), fill=255, p=1),
    "erasing-impossible": A.Erasing(scale=(0.9, 1.0), ratio=(5.0, 9.0), p=1),
    "grid": A.GridDropout(p=1),
    "grid-fixed": A.GridDropout(ratio=0.7, random_offset=False, holes_number_xy=(3, 5), shift_xy=(2, 4), fill=9, p=1),
    "grid-units": A.GridDropout(ratio=0.4, unit_size_range=(4, 9), p=1),
    "xy": A.XYMasking((1, 3), 2, (2, 9), 5, fill=100, p=1),
    "x-only": A.XYMasking(num_masks_x=2, mask_x_length=(3, 8), p=1),
}

CASES = POINTWISE | TO_FLOAT | FILLS

REFUSED = {
    "fill='random' is not a constant": A.CoarseDropout(fill="random", p=1),
    "fill='inpaint_telea' is not a constant": A.Erasing(fill="inpaint_telea", p=1),
    "fill='random_uniform' is not a constant": A.XYMasking(1, 1, 3, 3, fill="random_uniform", p=1),
    "unit_size_range=(5, 5) is empty": A.GridDropout(unit_size_range=(5, 5), p=1),
    "method='pca' analyzes every image": A.ToGray(method="pca", p=1),
    "normalization='image' needs statistics": A.Normalize(normalization="image"),
    "its mask selects pixels": A.Equalize(mask=np.ones((4, 4), np.uint8), p=1),
    "ignore= excludes pixels": A.AutoContrast(ignore=0, p=1),
}
"""Options that are not lowered, under how the reason begins."""


def list_registered() -> set[type]:
    """List the lowered transforms that are no geometry."""
    return {transform for transform, lowered in REGISTRY.items() if not issubclass(lowered, Geometry)}


def images() -> dict[str, Image]:
    """Make the images of the tests: noise, gradients and flat areas, in color, gray and with four channels."""
    generator = np.random.default_rng(7)
    rows, columns = np.mgrid[0:61, 0:83]
    gradients = np.stack([rows * 4, 255 - columns * 3, (rows + columns) * 1.7 + 5], axis=2).astype(np.uint8)
    return {
        "noise": generator.integers(0, 256, (37, 53, 3), np.uint8),
        "gradients": gradients,
        "dim": gradients // 3 + 40,
        "flat": np.full((40, 44, 3), (10, 200, 30), np.uint8),
        "gray": generator.integers(0, 256, (41, 33, 1), np.uint8),
        "gray-gradient": np.ascontiguousarray(gradients[..., :1]),
        "four-channels": generator.integers(0, 256, (30, 34, 4), np.uint8),
        "six-channels": generator.integers(0, 256, (30, 34, 6), np.uint8),
    }
