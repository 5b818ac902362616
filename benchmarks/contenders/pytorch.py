"""PyTorch's DataLoader, with worker processes that stay from epoch to epoch."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.workloads import Workload

Item = tuple[Any, int]


class _Files(Dataset[Item]):  # type: ignore[misc]  # PyTorch is not installed here
    """Files, decoded by OpenCV and augmented by Albumentations, as in its documentation."""

    def __init__(self, workload: Workload) -> None:
        self.files, self.transform = workload.files(), workload.transform()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Item:
        path, label = self.files[index]
        return self.transform(image=cv2.imread(path, cv2.IMREAD_COLOR_RGB))["image"], label


class _Arrays(Dataset[Item]):  # type: ignore[misc]  # PyTorch is not installed here
    """Decoded pixels in memory, augmented by Albumentations."""

    def __init__(self, workload: Workload) -> None:
        assert workload.pixels is not None  # noqa: S101  # for the type checker: the caller checks it
        self.images = np.load(workload.pixels)
        self.labels = np.load(Path(workload.pixels).with_name("labels.npy"))
        self.transform = workload.transform()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        return self.transform(image=self.images[index])["image"], int(self.labels[index])


class _Tensors(Dataset[Item]):  # type: ignore[misc]  # PyTorch is not installed here
    """Files, decoded and augmented by torchvision's v2 transforms, on uint8 tensors."""

    def __init__(self, workload: Workload) -> None:
        self.files, self.transform = workload.files(), _torchvision_transform(workload)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Item:
        from torchvision.io import ImageReadMode, decode_image

        path, label = self.files[index]
        return self.transform(decode_image(path, ImageReadMode.RGB)).permute(1, 2, 0).contiguous(), label


def albumentations(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Albumentations in worker processes."""
    return _loader(_Files(workload) if workload.pixels is None else _Arrays(workload), workload)


def torchvision(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Transforms of torchvision in worker processes."""
    return _loader(_Tensors(workload), workload)


def _loader(dataset: Dataset[Item], workload: Workload) -> Callable[[], Iterable[Any]]:
    loader = DataLoader(
        dataset,
        workload.batch_size,
        shuffle=True,
        num_workers=workload.parallel,
        persistent_workers=True,
        worker_init_fn=_in_one_thread,
    )
    return lambda: loader


def _in_one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _torchvision_transform(workload: Workload) -> Any:
    from torchvision.transforms import v2

    crop_and_flip = [v2.RandomResizedCrop(workload.size, scale=(0.3, 1.0), antialias=False), v2.RandomHorizontalFlip()]
    jitter = v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.2)
    full = [
        v2.RandomApply([v2.RandomAffine(30, interpolation=v2.InterpolationMode.BILINEAR)], p=0.7),
        v2.RandomApply([jitter], p=0.8),
        v2.RandomErasing(p=0.5, scale=(0.01, 0.04)),
    ]
    chosen = {
        "resize": [v2.Resize(workload.size, antialias=False)],
        "crop_flip": crop_and_flip,
        "full": [*crop_and_flip, *full],
        "pad_crop_flip": [v2.RandomCrop(workload.size, padding=4), v2.RandomHorizontalFlip()],
    }[workload.policy]
    return v2.Compose(chosen)
