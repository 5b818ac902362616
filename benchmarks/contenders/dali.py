"""NVIDIA DALI: its decoder and its operators on the CPU."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from nvidia.dali import fn, pipeline_def, types

from benchmarks.workloads import Workload


def dali(workload: Workload) -> Callable[[], Iterable[Any]]:
    """A pipeline of DALI's operators; the occlusion is its `erase`."""
    paths, labels = map(list, zip(*workload.files(), strict=True))
    pipeline = _pipeline(
        workload, paths, labels, batch_size=workload.batch_size, num_threads=workload.parallel, device_id=None
    )
    pipeline.build()

    def epoch() -> Iterator[Any]:
        left = workload.count
        while left > 0:
            images, numbers = pipeline.run()
            size = min(left, workload.batch_size)  # the reader pads the last batch
            yield images.as_array()[:size], np.asarray(numbers.as_array()).reshape(-1)[:size]
            left -= size
        pipeline.reset()

    return epoch


@pipeline_def  # type: ignore[untyped-decorator]  # DALI ships no types for it
def _pipeline(workload: Workload, paths: list[str], labels: list[int]) -> Any:
    height, width = workload.size
    encoded, numbers = fn.readers.file(
        files=paths, labels=labels, shuffle_after_epoch=True, pad_last_batch=True, name="reader"
    )
    if workload.policy in ("crop_flip", "full"):
        images = fn.decoders.image_random_crop(encoded, device="cpu", output_type=types.RGB, random_area=[0.3, 1.0])
    else:
        images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
    if workload.policy == "pad_crop_flip":
        images = fn.crop(
            fn.pad(images, axes=(0, 1), shape=[height + 4, width + 4]),
            crop=workload.size,
            crop_pos_x=fn.random.uniform(range=[0, 1]),
            crop_pos_y=fn.random.uniform(range=[0, 1]),
        )
    else:
        images = fn.resize(images, resize_x=width, resize_y=height, antialias=False)
    if workload.policy != "resize":
        images = fn.flip(images, horizontal=fn.random.coin_flip())
    return _full(images) if workload.policy == "full" else images, numbers


def _full(images: Any) -> Any:
    angle = fn.random.uniform(range=[-30, 30]) * fn.random.coin_flip(probability=0.7)
    images = fn.rotate(images, angle=angle, keep_size=True, fill_value=0)

    def factor() -> Any:
        return fn.random.uniform(range=[0.8, 1.2])

    images = fn.color_twist(
        images,
        brightness=factor(),
        contrast=factor(),
        saturation=factor(),
        hue=fn.random.uniform(range=[-72, 72]),
    )
    anchor = fn.random.uniform(range=[0, 1], shape=2)
    side = 0.15 * fn.random.coin_flip()
    return fn.erase(images, anchor=anchor, shape=fn.stack(side, side), axes=(0, 1), normalized=True, fill_value=0)
