"""The samples of a preview: a few of each class, in their original size, with their targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from augment import keys
from augment.plan.params import Params
from augment.plan.plan import Plan
from augment.plan.trace import TraceStep, trace
from augment.transform import Image
from pipeline.errors import DecodeError, SampleError, SourceError
from pipeline.images.decode import Decoder
from pipeline.images.resize import resize
from pipeline.sampling.order import permute
from pipeline.sources import Source, open_source
from pipeline.sources.base import Sample as SourceSample
from training.preview.annotations import Annotations

NOT_A_TRANSFORM = "Resize to the network"
"""The name of the last step, the loader's own resize."""


@dataclass(frozen=True, eq=False)
class PreviewSample:
    """A sample of a preview.

    Attributes:
        key: its key in the dataset.
        index: its index in the source, from which the keys of its augmentation are derived.
        class_name: "" if it has none.
        data: "image", and any of "mask", "bboxes", "box_labels", "keypoints", "point_labels".
    """

    key: str
    index: int
    class_name: str
    data: dict[str, Any] = field(repr=False)

    @property
    def image(self) -> Image:
        """Its image, uint8 [H, W, C]."""
        return self.data["image"]  # type: ignore[no-any-return]


def choose(
    source: Any,
    count: int,
    seed: int = 0,
    annotations: Annotations | None = None,
    on_bad: Callable[[SampleError], None] = lambda error: None,  # noqa: ARG005
) -> list[PreviewSample]:
    """Choose random samples, alternating between classes; samples that cannot be decoded are skipped.

    Args:
        source: as in `Loader`, or an open source.
        count: maximum number of samples.
        seed: of the choice.
        annotations: the targets of the images.
        on_bad: called with the error of each skipped sample.

    Raises:
        SourceError: the source cannot be opened, none of its images can be decoded, or the annotations match none of
            the samples.
    """
    decoder = Decoder()
    opened = source if hasattr(source, "peek") else open_source(source, max_bytes=decoder.max_bytes)
    chosen: list[PreviewSample] = []
    for index in _alternate_classes(opened, seed):
        if len(chosen) == count:
            break
        try:
            source_sample, image = _read_and_decode(opened, index, decoder)
        except SampleError as error:
            on_bad(error)
            continue
        if image is None or image.dtype != np.uint8:
            raise SourceError("preview needs uint8 images")
        names = opened.class_names
        class_name = names[source_sample.label] if 0 <= source_sample.label < len(names) else ""
        data = {"image": image} | (annotations.find(source_sample.key, image.shape[:2]) if annotations else {})
        chosen.append(PreviewSample(source_sample.key, index, class_name, data))
    if not chosen:
        raise SourceError("no image can be decoded; run `caudal inspect --decode` for the reasons")
    if annotations:
        annotations.check_matches([sample.key for sample in chosen])
    return sorted(chosen, key=lambda sample: (sample.class_name, sample.key))


def _read_and_decode(source: Source, index: int, decoder: Decoder) -> tuple[SourceSample, Image | None]:
    source_sample = source.read(index)
    try:
        return source_sample, source_sample.pixels if source_sample.encoded is None else decoder(source_sample.encoded)
    except ValueError as error:
        raise DecodeError(source_sample.key, str(error)) from None


def _alternate_classes(source: Source, seed: int) -> Iterator[int]:
    """Yield indices: one of each class, then a second of each, ..., in random order within a class."""
    shuffled = permute(np.arange(len(source)), len(source), keys.fold_in(keys.root(seed), "preview"))
    labels = source.labels()[shuffled]
    turns = np.zeros(len(source), np.int64)
    for label in np.unique(labels):
        turns[labels == label] = np.arange((labels == label).sum())
    yield from shuffled[np.argsort(turns, kind="stable")].tolist()


@dataclass(frozen=True)
class AugmentedSample:
    """An augmented sample.

    Attributes:
        steps: the applied transforms and their results; the last result is the network's input.
        data: the last result: "image", and its targets.
    """

    steps: list[TraceStep]
    data: dict[str, Any]

    @property
    def note(self) -> str:
        """One line per transform: its name and its random values."""
        lines = [f"{step.name}: {step.values}" if step.values else step.name for step in self.steps]
        return "\n".join(lines) or "no transform applied"


class Augmenter:
    """Augments samples as a `Loader` of the same seed does, and records the steps.

    Args:
        transform: an Albumentations transform, or None.
        image_size: (height, width) of the network's input; None keeps the size of the augmented image.
        seed: of the loader.
        has_boxes: whether samples have boxes and keypoints, possibly zero.
    """

    def __init__(
        self, transform: Any, image_size: tuple[int, int] | None, seed: int = 0, *, has_boxes: bool = False
    ) -> None:
        self.plan = None if transform is None else Plan(_with_targets(transform, has_boxes=has_boxes))
        self._image_size = image_size
        self.seed = seed

    def __call__(self, sample: PreviewSample, epoch: int) -> AugmentedSample:
        """Make what the sample is in an epoch.

        Raises:
            TransformError: a transform failed on it.
        """
        steps = [] if self.plan is None else trace(self.plan, sample.data, self.params(sample, epoch), 0)
        data = steps[-1].data if steps else sample.data
        if self._image_size is not None and data["image"].shape[:2] != self._image_size:
            data = stretch(data, self._image_size)
            steps = [*steps, TraceStep(NOT_A_TRANSFORM, "{} x {} px".format(*self._image_size), data)]
        return AugmentedSample(steps, data)

    def params(self, sample: PreviewSample, epoch: int) -> Params:
        """Draw a sample's parameters for an epoch."""
        assert self.plan is not None  # noqa: S101  # for the type checker: who asks has a plan
        return self.plan.sample(self.seed, epoch, [sample.index], [sample.image.shape])


def _with_targets(transform: Any, *, has_boxes: bool) -> Any:
    """Let an augmentation take the boxes and keypoints of previews, or none, without changing its random values."""
    import albumentations as A  # noqa: N812  # the usual name

    from augment.transform import to_transform

    transform = to_transform(transform)
    is_compose = type(transform) is A.Compose
    if not (has_boxes or (is_compose and transform.processors)):
        return transform
    boxes = A.BboxParams("pascal_voc", label_fields=["box_labels"])
    points = A.KeypointParams("xy", label_fields=["point_labels"], remove_invisible=True)
    return A.Compose(
        list(transform.transforms) if is_compose else [transform],
        bbox_params=boxes if has_boxes else None,
        keypoint_params=points if has_boxes else None,
        p=transform.p if is_compose else 1.0,
    )


def stretch(data: dict[str, Any], size: tuple[int, int] | None) -> dict[str, Any]:
    """Resize an image and its targets; None returns them unchanged."""
    if size is None:
        return data
    image = data["image"]
    across, down = size[1] / image.shape[1], size[0] / image.shape[0]
    resized = data | {"image": resize(image, size)}
    if "mask" in data:
        resized["mask"] = resize(data["mask"][..., np.newaxis], size, "nearest")[..., 0]
    for name, factors in (("bboxes", (across, down, across, down)), ("keypoints", (across, down))):
        if name in data:
            coordinates = np.reshape(np.asarray(data[name], float), (-1, len(factors)))
            resized[name] = coordinates * factors
    return resized
