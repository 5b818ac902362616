"""A self-contained HTML page that shows the transforms of each sample step by step."""

import base64
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2

from augment.transform import Image
from training.preview.overlay import describe_levels, draw_annotations
from training.preview.samples import AugmentedSample
from training.preview.versions import Versions, describe_size

_LONGEST_SIDE = 512
"""Longest side of an image on the page, in pixels; a page of 6 samples, 5 epochs and 5 transforms has about 5 MB."""

_SMALL = 128
"""Images of up to this many pixels per side are stored as PNG: JPEG would blur them."""


def page(samples: Sequence[Versions], epochs: Sequence[int], heading: str, plan: str) -> str:
    """Return the page as HTML that loads nothing else.

    Args:
        samples: the samples and their versions.
        epochs: of the versions.
        heading: the title.
        plan: the text of `Plan.explain`.
    """
    contents = {"samples": [_describe_sample(one, epochs) for one in samples]}
    # An escaped "<" cannot end the script element.
    data = json.dumps(contents).replace("<", "\\u003c")
    template = files("training.preview").joinpath("page.html").read_text(encoding="utf-8")
    texts = {"heading": html.escape(heading), "plan": html.escape(plan), "data": data}
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: texts[found[1]], template)


def write_page(path: str | Path, contents: str) -> Path:
    """Write a page; missing directories are created."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(contents, encoding="utf-8")
    return path


def _describe_sample(one: Versions, epochs: Sequence[int]) -> dict[str, Any]:
    original = {
        "name": "original",
        "values": describe_size(one.sample.data),
        "image": _encode_data_url(draw_annotations(one.sample.data)),
    }
    return {
        "key": one.sample.key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
        "class": one.sample.class_name,
        "original": original,
        "versions": [
            {"epoch": epoch, "steps": _describe_steps(augmented), "error": one.errors.get(epoch, "")}
            for epoch, augmented in zip(epochs, one.augmented, strict=True)
        ],
    }


def _describe_steps(augmented: AugmentedSample | None) -> list[dict[str, str]]:
    if augmented is None:
        return []
    return [
        {
            "name": step.name,
            "values": ", ".join(filter(None, (step.values, describe_levels(step.data["image"])))),
            "image": _encode_data_url(draw_annotations(step.data)),
        }
        for step in augmented.steps
    ]


def _encode_data_url(image: Image) -> str:
    longest = max(image.shape[:2])
    if longest > _LONGEST_SIDE:
        height, width = (max(1, round(side * _LONGEST_SIDE / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, -1)
    if image.shape[2] >= 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    form = "png" if longest <= _SMALL or image.shape[2] == 4 else "jpeg"
    _, buffer = cv2.imencode(f".{form}", image)
    return f"data:image/{form};base64,{base64.b64encode(buffer.tobytes()).decode()}"
