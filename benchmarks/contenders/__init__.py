"""Contenders: ways to turn a workload into batches of (images, labels).

A contender is a function of a `Workload` that returns a function without arguments; each call of that starts one epoch:
an iterable of (images [B, H, W, 3], labels [B]). Nothing is imported here: each contender runs in its own process, and
those of other frameworks in their own environment (`benchmarks/peers.txt`).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """A contender.

    Attributes:
        target: `module:function`.
        about: a short description.
        needs: a module that it imports; the contender is skipped if the module is not installed.
        peer: whether it runs in the peers' environment.
        limit: whether it does only a part of a loader's work, as an upper bound; it yields no samples to audit.
    """

    target: str
    about: str
    needs: str = "tensorflow"
    peer: bool = False
    limit: bool = False


_OURS = {
    "caudal": Contender("benchmarks.contenders.ours:caudal", "Caudal"),
    "caudal-workers": Contender("benchmarks.contenders.ours:caudal_workers", "Caudal, 2 workers"),
    "numpy-function": Contender("benchmarks.contenders.tensorflow:numpy_function", "`A.Compose` in `numpy_function`"),
}
_PEERS = {
    "torch": Contender("benchmarks.contenders.pytorch:albumentations", "PyTorch + Albumentations", "torch", peer=True),
    "grain": Contender("benchmarks.contenders.grain:albumentations", "Grain + Albumentations", "grain", peer=True),
}
_LIMITS = {
    "decode-limit": Contender("benchmarks.contenders.decoders:fastest", "decoding alone", limit=True),
    "native-decode": Contender("benchmarks.contenders.decoders:native", "Caudal's decoder alone", limit=True),
    "read-limit": Contender("benchmarks.contenders.limits:read", "reading alone", limit=True),
}

FROM_FILES: Mapping[str, Contender] = {
    **_OURS,
    "generator": Contender("benchmarks.contenders.plain:generator", "Python generator"),
    "from-generator": Contender("benchmarks.contenders.tensorflow:from_generator", "`Dataset.from_generator`"),
    "pydataset": Contender("benchmarks.contenders.keras:pydataset", "`PyDataset`, 1 thread"),
    "pydataset-threads": Contender("benchmarks.contenders.keras:pydataset_threads", "`PyDataset`, 2 threads"),
    "pydataset-processes": Contender("benchmarks.contenders.keras:pydataset_processes", "`PyDataset`, processes"),
    "image-data-generator": Contender("benchmarks.contenders.keras:image_data_generator", "`ImageDataGenerator`"),
    "keras-layers": Contender("benchmarks.contenders.keras:layers", "Keras layers"),
    **_PEERS,
    "torchvision": Contender("benchmarks.contenders.pytorch:torchvision", "PyTorch + torchvision", "torch", peer=True),
    "dali": Contender("benchmarks.contenders.dali:dali", "DALI on the CPU", "nvidia.dali", peer=True),
    "spdl": Contender("benchmarks.contenders.spdl:albumentations", "SPDL + Albumentations", "spdl", peer=True),
    **_LIMITS,
}
"""Contenders that read class-folders."""

STARTING: Mapping[str, Contender] = {
    **{name: one for name, one in FROM_FILES.items() if not one.limit},
    "caudal-workers": Contender("benchmarks.contenders.ours:caudal_starting_workers", "Caudal, 2 workers"),
}
"""Contenders for the time to the first batch: all that read class-folders, not started in advance."""

FROM_RECORDS: Mapping[str, Contender] = {**_OURS, **_LIMITS}
"""Contenders that read TFRecords."""

FROM_MEMORY: Mapping[str, Contender] = {
    **_OURS,
    **_PEERS,
    "kernel-limit": Contender("benchmarks.contenders.limits:kernels", "OpenCV's kernels alone", limit=True),
}
"""Contenders that start from decoded pixels."""

FROM_TEXTS: Mapping[str, Contender] = {
    "caudal": Contender("benchmarks.contenders.texts:caudal", "Caudal"),
    "eda-script": Contender("benchmarks.contenders.texts:plain", "EDA's script in a generator", "nltk"),
}
"""Contenders that augment texts."""

CONVERSIONS: Mapping[str, Contender] = {
    "caudal": Contender("benchmarks.contenders.conversions:caudal", "Caudal"),
    "tar": Contender("benchmarks.contenders.conversions:tar", "`tar`", limit=True),
}
"""Contenders that write the files of a folder into a few large files."""
