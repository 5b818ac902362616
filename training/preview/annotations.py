"""Boxes, keypoints and masks that belong to images: a COCO file, and a folder of masks."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.errors import SourceError

_FARTHEST = 2**24
"""In pixels, of a box or a keypoint from the image's corner: OpenCV draws with 32-bit integers, enlarged images too."""

_MASKS = (".png", ".bmp", ".webp")


class Annotations:
    """What belongs to the images of a dataset.

    Images are found by their keys; in a COCO file that does not know the key, by the last part of it alone.

    Args:
        coco: a COCO file (https://cocodataset.org/#format-data): `images`, `annotations` with `bbox` and `keypoints`,
            `categories`; None for none.
        masks: a folder in which the mask of `class/name.jpg` is `class/name.png` (or .bmp, .webp): 0 is background.
            None for none.

    Raises:
        SourceError: the file or the folder cannot be read, or the file is no such file.
    """

    def __init__(self, coco: str | os.PathLike[str] | None = None, masks: str | os.PathLike[str] | None = None) -> None:
        self._masks = None if masks is None else Path(masks)
        if self._masks is not None and not self._masks.is_dir():
            raise SourceError(f"{masks} is no folder of masks")
        self._by_name: dict[str, list[dict[str, Any]]] = {}
        self._categories: dict[Any, str] = {}
        self._has_boxes = coco is not None
        if coco is not None:
            self._read_coco(Path(coco))

    def find(self, key: str, size: tuple[int, int]) -> dict[str, Any]:
        """Give what belongs to an image, as an augmentation takes it.

        Args:
            key: the sample's key.
            size: (height, width) of its image.

        Raises:
            SourceError: the mask cannot be read, or has another size.
        """
        found = self._by_name.get(key, self._by_name.get(key.rpartition("/")[2], []))
        data: dict[str, Any] = {}
        if self._has_boxes:
            data |= _convert_boxes(found, self._categories, size) | _convert_points(found)
        mask = self._read_mask(key)
        if mask is not None:
            if mask.shape != size:
                raise SourceError(f"the mask of {key} is {mask.shape}, and its image {size}")
            data["mask"] = mask
        return data

    def _read_coco(self, path: Path) -> None:
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
            names = {image["id"]: str(image["file_name"]) for image in contents["images"]}
            self._categories = {item["id"]: str(item["name"]) for item in contents.get("categories", [])}
            for number, annotation in enumerate(contents["annotations"]):
                _check(annotation, number)
                self._by_name.setdefault(names[annotation["image_id"]], []).append(annotation)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(f"{path} is no COCO file: {type(error).__name__} {error}") from None

    def _read_mask(self, key: str) -> Any:
        if self._masks is None:
            return None
        stem = self._masks / Path(key).with_suffix("")
        path = next((path for path in (stem.with_suffix(end) for end in _MASKS) if path.is_file()), None)
        if path is None:
            return None
        mask = cv2.imread(os.fspath(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise SourceError(f"the mask {path} is no image that can be read")
        return mask


def _check(annotation: dict[str, Any], number: int) -> None:
    """Refuse what a box, keypoints or a category cannot be."""
    box, points, category = (annotation.get(name) for name in ("bbox", "keypoints", "category_id"))
    if box and not (_is_number_list(box) and len(box) == 4):
        raise ValueError(f"annotation {number} has no bbox [left, top, width, height] in pixels, but {box!r:.60}")
    if points and not (_is_number_list(points) and len(points) % 3 == 0):
        raise ValueError(f"annotation {number} has no keypoints [x, y, visibility, ...] in pixels, but {points!r:.60}")
    if category is not None and not isinstance(category, (int, str)):
        raise ValueError(f"annotation {number} has no category_id, but {category!r:.60}")


def _is_number_list(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, (int, float)) and abs(value) < _FARTHEST for value in values
    )


def _convert_boxes(found: list[dict[str, Any]], categories: dict[Any, str], size: tuple[int, int]) -> dict[str, Any]:
    """Give the boxes as float [N, 4] of (left, top, right, bottom) in pixels, cut to the image, and their names."""
    own = [annotation for annotation in found if annotation.get("bbox")]
    boxes = np.array([annotation["bbox"] for annotation in own], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes = np.clip(boxes, 0, [size[1], size[0]] * 2)
    labels = [categories.get(annotation.get("category_id"), "") for annotation in own]
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return {"bboxes": boxes[kept], "box_labels": [label for label, keep in zip(labels, kept, strict=True) if keep]}


def _convert_points(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the keypoints that are marked as labelled, float [N, 2] of (x, y), and their numbers."""
    points, numbers = [], []
    for annotation in found:
        triples = np.reshape(np.asarray(annotation.get("keypoints") or [], float), (-1, 3)).tolist()
        for number, (x, y, flag) in enumerate(triples):
            if flag:
                points.append((x, y))
                numbers.append(str(number))
    return {"keypoints": np.array(points, float).reshape(-1, 2), "point_labels": numbers}
