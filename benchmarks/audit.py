"""The audit: does a contender do the work that is timed?

It runs on its own images: random patterns that stay recognizable after a crop, a flip, a rotation, a color jitter and
an occlusion. Local features (SIFT: Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94) identify the file of each image
and its rotation. So samples can be counted, labels compared with folders, and pixels compared with the file's pixels,
for any augmentation.
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
"""The audit's images: classes of different sizes, and a partial last batch."""

LEAST_CORRELATION = 0.7
"""Least median correlation of gray levels: at least 0.9 with all five transforms, below 0.2 for different images."""

_SIDE = 224


_FEATURES = 400
_FEWEST = 8
"""Least number of features that agree on one affine map; also twice as many as for the next file."""


class RecognizedImage(NamedTuple):
    """The file that one image was made from.

    Attributes:
        source: the file's number.
        is_sure: whether the file is certain: a crop and an occlusion may leave little of an image.
        mirrored: whether the image is mirrored.
        degrees: the angle of its rotation.
        correlation: correlation of its gray levels with the file's.
        has_matching_colors: whether its channels correlate better with the file's than with red and blue exchanged.
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
        folder: the folder to write.
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
    """Write images of the size of the workload `small`."""
    return write_images(folder, (32, 32))


def draw_pattern(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Draw noise of three sizes, uint8 [height, width, 3], different for each number."""
    random = np.random.default_rng(number)
    total = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((6, 1.0), (14, 1.0), (30, 0.8)):
        shape = (max(2, cells * height // width), cells)
        # The part that the channels share makes features; the rest tells the channels apart.
        grid = random.normal(size=(*shape, 3)) + random.normal(size=(*shape, 1))
        total += weight * cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 38 * total, 0, 255).astype(np.uint8)


def audit(make: Callable[[Workload], Callable[[], Iterable[Any]]], workload: Workload) -> dict[str, Any]:
    """Check one epoch of a contender.

    Args:
        make: the contender.
        workload: a workload on the images of `write_images`.

    Returns:
        "faults": a list of sentences, empty if there are none; "correlation": the median over the samples; "unsure":
        the number of images without a certain file; "mirrored": the fraction of mirrored images; "turned": the fraction
        of images rotated by more than 3 degrees.
    """
    batches = []
    for images, labels in make(workload)():
        batches.append((np.asarray(images), np.asarray(labels)))
        if sum(len(images) for images, _ in batches) >= 2 * workload.count:
            break
    if not batches:
        return {"faults": ["it yields nothing"]}
    faults = list(_check_shapes(batches, workload))
    if faults:
        return {"faults": faults}
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    files = workload.files()
    catalog = _make_catalog(tuple(path for path, _ in files))
    seen = [catalog.find(_to_eight_bits(image)) for image in images]
    faults += _check_pixels(seen)
    if not faults:  # images must be recognized before they can be counted
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
    """Identifies the image that another image was made from.

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
        """Identify the source of one image, uint8 [H, W, 3]."""
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
        """Fit an affine map from a source to an image: (the number of agreeing features, the source, the map)."""
        own = self._owners[nearest] == owner
        if own.sum() < 4:
            return 0, owner, None
        matrix, agree = cv2.estimateAffine2D(self._points[nearest[own]], points[own], ransacReprojThreshold=4.0)
        return (0 if matrix is None else int(agree.sum())), owner, matrix

    def _compare(self, image: NDArray[np.uint8], owner: int, matrix: Any) -> tuple[float, bool]:
        """Warp the source onto the image: the correlation of the gray levels, and whether the colors match."""
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
    """Convert an image to 0 to 255; a float image with a maximum of at most 1 is scaled by 255."""
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    scaled = image * 255 if image.max() <= 1 else image
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def _check_pixels(seen: list[RecognizedImage]) -> Iterable[str]:
    correlation = float(np.median([one.correlation for one in seen]))
    if correlation < LEAST_CORRELATION:
        yield f"median correlation of pixels with their files is {correlation:.2f}, below {LEAST_CORRELATION}"
    elif sum(one.has_matching_colors for one in seen) < len(seen) / 2:
        yield "red and blue are exchanged"


def _check_counts(seen: list[RecognizedImage], files: list[tuple[str, int]]) -> Iterable[str]:
    """Find missing and repeated samples; images without a certain file may be the missing ones."""
    counts = Counter(one.source for one in seen if one.is_sure)
    unsure = sum(not one.is_sure for one in seen)
    missing = max(0, len(set(range(len(files))) - set(counts)) - unsure)
    repeated = sum(count > 1 for count in counts.values())
    if unsure > len(seen) / 4:
        yield f"{unsure} of {len(seen)} images cannot be recognized"
    if missing or repeated or len(seen) != len(files):
        yield f"{len(seen)} samples of {len(files)}: {missing} are missing, {repeated} are repeated"


def _check_labels(seen: list[RecognizedImage], labels: NDArray[Any], files: list[tuple[str, int]]) -> Iterable[str]:
    given = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    given = [int(label) for label in given]
    wrong = sum(label != files[one.source][1] for one, label in zip(seen, given, strict=True) if one.is_sure)
    if wrong:
        yield f"{wrong} of {len(seen)} labels differ from their folders"
    elif Counter(given) != (expected := Counter(label for _, label in files)):
        yield f"labels {dict(sorted(Counter(given).items()))} instead of {dict(sorted(expected.items()))}"


def _check_augmentation(seen: list[RecognizedImage], images: NDArray[Any], workload: Workload) -> Iterable[str]:
    """Find a missing augmentation."""
    if workload.policy == "resize":
        return
    mirrored = np.mean([one.mirrored for one in seen])
    if not 0.15 < mirrored < 0.85:  # 40 fair coins leave this range in one audit in a million
        yield f"{mirrored:.0%} of the images are mirrored instead of about half"
    if workload.policy == "full" and np.mean([_is_turned(one) for one in seen]) < 0.3:
        yield "fewer than 30 % of the images are rotated instead of about 63 %"
    if len({image.tobytes() for image in images}) < len(images):
        yield "some images are equal"


def _is_turned(one: RecognizedImage) -> bool:
    return abs(one.degrees) > 3


def _enlarge(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge a small image, which would have no features otherwise."""
    if max(image.shape[:2]) >= 100:
        return image
    enlarged: Any = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.uint8)


def _correlate(left: NDArray[Any], right: NDArray[Any]) -> float:
    left, right = left.ravel().astype(np.float64), right.ravel().astype(np.float64)
    if left.std() == 0 or right.std() == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])
