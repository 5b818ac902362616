"""The audit: does a contender deliver what it is timed for?

It runs on images of its own: random patterns that a crop, a flip, a rotation, a colour jitter and an occlusion leave
recognisable. Local features (SIFT: Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94) tell which file each delivered
image was made of, and how it was turned; so the samples can be counted, their labels compared with their folders, and
their pixels with those of the file, whatever the augmentation and whoever wrote it.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads import Workload

CLASSES = {"ants": 11, "bees": 17, "wasps": 12}
"""The audit's images: unequal classes, and no whole number of batches."""

LEAST_CORRELATION = 0.7
"""Of grey levels, in the median: 0.9 and more are measured with all five transforms, below 0.2 between strangers."""

_SIDE = 224


_FEATURES = 400
_FEWEST = 8
"""Features that must agree on one affine map, and twice as many as for the next file: fewer may be chance."""


class RecognizedImage(NamedTuple):
    """What one delivered image was made of.

    Attributes:
        source: the number of the file.
        is_sure: whether there is no doubt about it: a crop may leave little of an image, and an occlusion less.
        mirrored: whether it was.
        degrees: by which it was turned.
        correlation: of the grey levels with those of the file.
        has_matching_colors: whether its channels correlate better with those of the file than with red and blue exchanged.
    """

    source: int
    is_sure: bool = False
    mirrored: bool = False
    degrees: float = 0.0
    correlation: float = 0.0
    has_matching_colors: bool = False


def write_images(folder: Path, sides: tuple[int, int] = (240, 320)) -> Path:
    """Write the audit's class-folders.

    Args:
        folder: the folder to make.
        sides: (height, width) in pixels.
    """
    number = 0
    for name, count in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for _ in range(count):
            image = draw_pattern(number, *sides)
            cv2.imwrite(str(folder / name / f"{number:03}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
            number += 1
    return folder


def write_small_images(folder: Path) -> Path:
    """Write them as small as those of the workload `small`."""
    return write_images(folder, (32, 32))


def draw_pattern(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Draw noise of three sizes, uint8 [height, width, 3], that a number always has to itself."""
    random = np.random.default_rng(number)
    total = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((6, 1.0), (14, 1.0), (30, 0.8)):
        shape = (max(2, cells * height // width), cells)
        # What is common to the channels makes features; what is their own tells them apart.
        grid = random.normal(size=(*shape, 3)) + random.normal(size=(*shape, 1))
        total += weight * cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 38 * total, 0, 255).astype(np.uint8)


def audit(make: Callable[[Workload], Callable[[], Iterable[Any]]], workload: Workload) -> dict[str, Any]:
    """Take an epoch of a contender and check it.

    Args:
        make: the contender.
        workload: of the images that `write_images` wrote.

    Returns:
        "faults": sentences, none where all is well; and what was seen: "correlation" (the median over the samples),
        "unsure" (images that cannot be recognised for certain), "mirrored" (share), and "turned" (share of those
        turned by more than 3 degrees).
    """
    batches = []
    for images, labels in make(workload)():
        batches.append((np.asarray(images), np.asarray(labels)))
        if sum(len(images) for images, _ in batches) >= 2 * workload.count:
            break
    if not batches:
        return {"faults": ["it delivers nothing"]}
    faults = list(_check_shapes(batches, workload))
    if faults:
        return {"faults": faults}
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    files = workload.files()
    catalog = _make_catalog(tuple(path for path, _ in files))
    seen = [catalog.find(_to_eight_bits(image)) for image in images]
    faults += _check_pixels(seen)
    if not faults:  # what cannot be recognised cannot be counted
        faults += [
            *_check_counts(seen, files),
            *_check_labels(seen, labels, files),
            *_check_augmentation(seen, images, workload),
        ]
    return {
        "faults": faults,
        "correlation": round(float(np.median([one.correlation for one in seen])), 3),
        "unsure": sum(not one.is_sure for one in seen),
        "mirrored": round(float(np.mean([one.mirrored for one in seen])), 2),
        "turned": round(float(np.mean([_is_turned(one) for one in seen])), 2),
    }


class Catalog:
    """Finds out of which image another was made.

    Args:
        sources: uint8 [H, W, 3] each.
    """

    def __init__(self, sources: list[Any]) -> None:
        self._sources = [np.ascontiguousarray(each) for image in sources for each in (image, image[:, ::-1])]
        self._sift: Any = cv2.SIFT_create(  # type: ignore[attr-defined]  # OpenCV's types lack it
            nfeatures=_FEATURES, contrastThreshold=0.01
        )
        features = [self._extract_features(image) for image in self._sources]
        self._points = np.concatenate([points for points, _ in features])
        self._descriptors = np.concatenate([descriptors for _, descriptors in features])
        self._owners = np.repeat(np.arange(len(features)), [len(points) for points, _ in features])

    def find(self, image: NDArray[np.uint8]) -> RecognizedImage:
        """Look at one image, uint8 [H, W, 3]."""
        points, descriptors = self._extract_features(image)
        if not len(points):
            return RecognizedImage(-1)
        nearest = (descriptors @ self._descriptors.T).argmax(axis=1)
        votes = np.bincount(self._owners[nearest], minlength=len(self._sources))
        maps = [self._fit_map(points, nearest, owner) for owner in np.argsort(votes)[:-5:-1].tolist()]
        agreeing, owner, matrix = max(maps, key=lambda one: one[0])
        others = [count for count, other, _ in maps if other // 2 != owner // 2]
        is_sure = agreeing >= max(_FEWEST, 2 * max(others, default=0))
        if matrix is None:
            return RecognizedImage(owner // 2)
        degrees = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        return RecognizedImage(owner // 2, is_sure, bool(owner % 2), degrees, *self._compare(image, owner, matrix))

    def _fit_map(self, points: Any, nearest: Any, owner: int) -> tuple[int, int, Any]:
        """Fit an affine map from a source to an image: (the features that agree on it, the source, the map)."""
        own = self._owners[nearest] == owner
        if own.sum() < 4:
            return 0, owner, None
        matrix, agree = cv2.estimateAffine2D(self._points[nearest[own]], points[own], ransacReprojThreshold=4.0)
        return (0 if matrix is None else int(agree.sum())), owner, matrix

    def _compare(self, image: NDArray[np.uint8], owner: int, matrix: Any) -> tuple[float, bool]:
        """Lay the source over the image: the correlation of the grey levels, and whether the colours fit."""
        source, image = _enlarge(self._sources[owner]), _enlarge(image)
        warped = cv2.warpAffine(source, matrix, image.shape[1::-1])
        shown = (warped.max(axis=2) > 0) & (image.max(axis=2) > 0)  # neither borders nor occlusions
        if shown.sum() < 100:
            return 0.0, False
        right, swapped = (_correlate(image[shown], warped[shown][:, order]) for order in ([0, 1, 2], [2, 1, 0]))
        return _correlate(image[shown].mean(axis=1), warped[shown].mean(axis=1)), right > swapped

    def _extract_features(self, image: NDArray[np.uint8]) -> tuple[Any, Any]:
        gray = cv2.cvtColor(_enlarge(image), cv2.COLOR_RGB2GRAY)
        points, descriptors = self._sift.detectAndCompute(gray, None)
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
        descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
        return np.array([point.pt for point in points]), descriptors


@lru_cache(1)
def _make_catalog(paths: tuple[str, ...]) -> Catalog:
    return Catalog([cv2.imread(path, cv2.IMREAD_COLOR_RGB) for path in paths])


def _check_shapes(batches: list[tuple[Any, Any]], workload: Workload) -> Iterable[str]:
    for images, labels in batches:
        if images.shape[1:] != (*workload.size, 3):
            yield f"images of shape {list(images.shape[1:])} instead of {[*workload.size, 3]}"
            return
        if len(labels) != len(images):
            yield f"{len(labels)} labels for {len(images)} images"
            return
    sizes = [len(images) for images, _ in batches]
    if max(sizes) > workload.batch_size or min(sizes[:-1], default=workload.batch_size) < workload.batch_size:
        yield f"batches of {sizes} instead of {workload.batch_size}"


def _to_eight_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring an image to 0 to 255; floats in 0 to 1 are told by their greatest value."""
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    scaled = image * 255 if image.max() <= 1 else image
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def _check_pixels(seen: list[RecognizedImage]) -> Iterable[str]:
    correlation = float(np.median([one.correlation for one in seen]))
    if correlation < LEAST_CORRELATION:
        yield f"pixels correlate with their files by {correlation:.2f} in the median, {LEAST_CORRELATION} is the least"
    elif sum(one.has_matching_colors for one in seen) < len(seen) / 2:
        yield "red and blue are exchanged"


def _check_counts(seen: list[RecognizedImage], files: list[tuple[str, int]]) -> Iterable[str]:
    """Find samples that are missing or repeated; a few that are not sure may be those that seem to be missing."""
    counts = Counter(one.source for one in seen if one.is_sure)
    unsure = sum(not one.is_sure for one in seen)
    missing = max(0, len(set(range(len(files))) - set(counts)) - unsure)
    repeated = sum(count > 1 for count in counts.values())
    if unsure > len(seen) / 4:
        yield f"{unsure} of {len(seen)} images cannot be recognised"
    if missing or repeated or len(seen) != len(files):
        yield f"{len(seen)} samples of {len(files)}: {missing} are missing, {repeated} come more than once"


def _check_labels(seen: list[RecognizedImage], labels: NDArray[Any], files: list[tuple[str, int]]) -> Iterable[str]:
    given = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    given = [int(label) for label in given]
    wrong = sum(label != files[one.source][1] for one, label in zip(seen, given, strict=True) if one.is_sure)
    if wrong:
        yield f"{wrong} of {len(seen)} labels are not those of their folders"
    elif Counter(given) != (expected := Counter(label for _, label in files)):
        yield f"labels {dict(sorted(Counter(given).items()))} instead of {dict(sorted(expected.items()))}"


def _check_augmentation(seen: list[RecognizedImage], images: NDArray[Any], workload: Workload) -> Iterable[str]:
    """Find an augmentation that is left out: images of a random crop differ from their files resized."""
    if workload.policy == "resize":
        return
    mirrored = np.mean([one.mirrored for one in seen])
    if not 0.15 < mirrored < 0.85:  # 40 fair coins stay within, but for one audit in a million
        yield f"{mirrored:.0%} of the images are mirrored instead of about half"
    if workload.policy == "full" and np.mean([_is_turned(one) for one in seen]) < 0.3:
        yield "fewer than 30 % of the images are turned instead of about 63 %"
    if len({image.tobytes() for image in images}) < len(images):
        yield "some images are equal"


def _is_turned(one: RecognizedImage) -> bool:
    return abs(one.degrees) > 3


def _enlarge(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge a small image, in which there are no features otherwise."""
    if max(image.shape[:2]) >= 100:
        return image
    enlarged: Any = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.uint8)


def _correlate(left: NDArray[Any], right: NDArray[Any]) -> float:
    left, right = left.ravel().astype(np.float64), right.ravel().astype(np.float64)
    if left.std() == 0 or right.std() == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])
