"""Boxes, keypoints and masks of images, from a COCO file and a directory of masks."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from augment.png_chunks import drop_texts
from augment.regular_files import read_regular_file
from augment.stored_files import name_damage
from pipeline.errors import SourceError
from pipeline.images.decode import Decoder
from pipeline.images.header import max_bytes

_FARTHEST = 2**24
"""Largest coordinate of a box or keypoint, in pixels: OpenCV draws with 32-bit integers, also on enlarged images."""

_NEEDED = {"images": ("id", "file_name"), "annotations": ("image_id",), "categories": ("id", "name")}
"""The lists of a COCO file, and the keys that each of their objects needs."""

_MASKS = (".png", ".bmp", ".webp")


class Annotations:
    """The targets of a dataset's images.

    Images are found by their keys. If a COCO file does not contain the key, its last component is compared. Backslashes
    in file names count as slashes: Windows programs write them.

    Args:
        coco: a COCO file (https://cocodataset.org/#format-data): `images`, `annotations` with `bbox` and `keypoints`,
            `categories`; or None.
        masks: a directory in which the mask of `class/name.jpg` is `class/name.png` (or .bmp, .webp); 0 is background;
            or None.

    Raises:
        SourceError: the file or the directory cannot be read, or the file is not a COCO file.
    """

    def __init__(self, coco: str | os.PathLike[str] | None = None, masks: str | os.PathLike[str] | None = None) -> None:
        self._masks = None if masks is None else Path(masks)
        if self._masks is not None and not self._masks.is_dir():
            raise SourceError(f"{masks} is not a directory of masks")
        self._by_name: dict[str, list[dict[str, Any]]] = {}
        self._names: frozenset[str] = frozenset()
        self._categories: dict[Any, str] = {}
        self._coco, self._has_boxes = coco, coco is not None
        if coco is not None:
            self._read_coco(Path(coco))

    def find(self, key: str, size: tuple[int, int]) -> dict[str, Any]:
        """Return the targets of an image, as an augmentation takes them.

        Args:
            key: the sample's key.
            size: (height, width) of its image.

        Raises:
            SourceError: the mask cannot be read, or has another size.
        """
        found = self._by_name.get(self._find_name(key) or "", [])
        data: dict[str, Any] = {}
        if self._has_boxes:
            data |= _convert_boxes(found, self._categories, size) | _convert_points(found)
        mask = self._read_mask(key)
        if mask is not None:
            if mask.shape != size:
                raise SourceError(f"the mask of {key} has size {mask.shape}, but its image {size}")
            data["mask"] = mask
        return data

    def check_matches(self, keys: Sequence[str]) -> None:
        """Refuse a file or a directory that matches none of some samples.

        Args:
            keys: of the samples.

        Raises:
            SourceError: no sample has a mask, or is listed in the COCO file; or two samples match one of its names.
        """
        if self._masks is not None and not any(map(self._find_mask, keys)):
            raise SourceError(
                f"{self._masks} contains no mask of the {len(keys)} samples; the mask of {keys[0]} would be "
                f"{_to_relative(keys[0]).with_suffix(_MASKS[0])} (or {', '.join(_MASKS[1:])})"
            )
        if not self._has_boxes:
            return
        matches = Counter(name for key in keys if (name := self._find_name(key)) is not None)
        if not matches:
            raise SourceError(
                f"{self._coco} lists none of the {len(keys)} samples; it lists, for example, "
                f"{next(iter(self._names), 'no image')}, but the samples are named like {keys[0]}"
            )
        if shared := [name for name, count in matches.items() if count > 1]:
            raise SourceError(
                f"{shared[0]} in {self._coco} matches several samples; use file names with directories, like {keys[0]}"
            )

    def _find_name(self, key: str) -> str | None:
        """Return the name of an image in the COCO file, or None: its key, or the last component of the key."""
        key = key.replace("\\", "/")
        return next((name for name in (key, key.rpartition("/")[2]) if name in self._names), None)

    def _read_coco(self, path: Path) -> None:
        with name_damage(path, "a COCO file", SourceError):
            contents = json.loads(read_regular_file(path).decode())
            images, annotations, categories = _get_lists(contents)
            names = {image["id"]: str(image["file_name"]).replace("\\", "/") for image in images}
            for number, annotation in enumerate(annotations):
                _check(annotation, number)
                if annotation["image_id"] not in names:
                    raise ValueError(f"annotation {number} is of image {annotation['image_id']!r}, which is not listed")
                self._by_name.setdefault(names[annotation["image_id"]], []).append(annotation)
        self._names = frozenset(names.values())
        self._categories = {item["id"]: str(item["name"]) for item in categories}

    def _find_mask(self, key: str) -> Path | None:
        if self._masks is None:
            return None
        relative = _to_relative(key)
        if relative.is_absolute() or ".." in relative.parts:  # the key comes from the data
            return None
        stem = self._masks / relative
        return next((path for path in (stem.with_suffix(end) for end in _MASKS) if path.is_file()), None)

    def _read_mask(self, key: str) -> Any:
        path = self._find_mask(key)
        if path is None:
            return None
        with name_damage(path, "a mask", SourceError):
            encoded = read_regular_file(path, max_bytes())
            Decoder()(encoded)  # refuses what is too large, or would take OpenCV long
        mask = cv2.imdecode(np.frombuffer(drop_texts(encoded), np.uint8), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise SourceError(f"the mask {path} cannot be decoded")
        return mask


def _to_relative(key: str) -> PurePosixPath:
    """Return a key as a path; slashes and backslashes separate."""
    return PurePosixPath(key.replace("\\", "/"))


def _get_lists(contents: Any) -> list[list[dict[str, Any]]]:
    """Return the images, annotations and categories of a COCO file.

    Raises:
        ValueError: a list, or a value that each of its objects needs, is missing or has another type.
    """
    if not isinstance(contents, dict):
        raise ValueError(f"it needs an object with 'images' and 'annotations', got {_show(contents)}")
    lists = []
    for name, needed in _NEEDED.items():
        values = contents.get(name, [] if name == "categories" else None)
        if not isinstance(values, list):
            raise ValueError(f"it needs a list {name!r}, got {'none' if name not in contents else _show(values)}")
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                raise ValueError(f"{name}[{number}] must be an object, got {_show(value)}")
            for key in needed:
                if not isinstance(value.get(key), (int, float, str)):
                    found = _show(value[key]) if key in value else "none"
                    raise ValueError(f"{name}[{number}] needs {key!r}, a number or string, got {found}")
        lists.append(values)
    return lists


def _show(value: Any) -> str:
    return f"{json.dumps(value):.60}"


def _check(annotation: dict[str, Any], number: int) -> None:
    """Refuse an invalid box, keypoints or category."""
    box, points, category = (annotation.get(name) for name in ("bbox", "keypoints", "category_id"))
    if box and not (_is_number_list(box) and len(box) == 4):
        raise ValueError(f"annotation {number} needs bbox [left, top, width, height] in pixels, got {box!r:.60}")
    if points and not (_is_number_list(points) and len(points) % 3 == 0):
        raise ValueError(f"annotation {number} needs keypoints [x, y, visibility, ...] in pixels, got {points!r:.60}")
    if category is not None and not isinstance(category, (int, str)):
        raise ValueError(f"annotation {number} needs an integer or string category_id, got {category!r:.60}")


def _is_number_list(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, (int, float)) and abs(value) < _FARTHEST for value in values
    )


def _convert_boxes(found: list[dict[str, Any]], categories: dict[Any, str], size: tuple[int, int]) -> dict[str, Any]:
    """Return the boxes, float [N, 4] of (left, top, right, bottom) in pixels, clipped to the image, and their names."""
    own = [annotation for annotation in found if annotation.get("bbox")]
    boxes = np.array([annotation["bbox"] for annotation in own], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes = np.clip(boxes, 0, [size[1], size[0]] * 2)
    labels = [categories.get(annotation.get("category_id"), "") for annotation in own]
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return {"bboxes": boxes[kept], "box_labels": [label for label, keep in zip(labels, kept, strict=True) if keep]}


def _convert_points(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the keypoints that are flagged as labeled, float [N, 2] of (x, y), and their numbers."""
    points, numbers = [], []
    for annotation in found:
        triples = np.reshape(np.asarray(annotation.get("keypoints") or [], float), (-1, 3)).tolist()
        for number, (x, y, flag) in enumerate(triples):
            if flag:
                points.append((x, y))
                numbers.append(str(number))
    return {"keypoints": np.array(points, float).reshape(-1, 2), "point_labels": numbers}
