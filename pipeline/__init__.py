"""Loading: reads, orders, decodes, augments and batches samples, and returns `tf.data.Dataset`s of them.

A module of this package is imported when one of its names is first used. TensorFlow is imported when the first sample
is decoded or the first dataset is built.
"""

from typing import TYPE_CHECKING

from augment.lazy import make_getattr

if TYPE_CHECKING:
    from pipeline import errors as errors
    from pipeline.conversion import Conversion as Conversion
    from pipeline.conversion import convert as convert
    from pipeline.diagnosis import diagnose as diagnose
    from pipeline.images.cache import Cache as Cache
    from pipeline.inspection import inspect as inspect
    from pipeline.keras import ImageDataGenerator as ImageDataGenerator
    from pipeline.keras import image_dataset_from_directory as image_dataset_from_directory
    from pipeline.keras import text_dataset_from_directory as text_dataset_from_directory
    from pipeline.loader import Loader as Loader
    from pipeline.loader import image_dataset as image_dataset
    from pipeline.sources.text_format import TextFormat as TextFormat
    from pipeline.text_loader import TextLoader as TextLoader
    from pipeline.text_loader import text_dataset as text_dataset
    from pipeline.verification import verify as verify

__all__ = [
    "Cache",
    "Conversion",
    "ImageDataGenerator",
    "Loader",
    "TextFormat",
    "TextLoader",
    "convert",
    "diagnose",
    "errors",
    "image_dataset",
    "image_dataset_from_directory",
    "inspect",
    "text_dataset",
    "text_dataset_from_directory",
    "verify",
]

__getattr__ = make_getattr(
    __name__,
    {
        "Cache": "pipeline.images.cache",
        "Conversion": "pipeline.conversion",
        "ImageDataGenerator": "pipeline.keras",
        "Loader": "pipeline.loader",
        "TextFormat": "pipeline.sources.text_format",
        "TextLoader": "pipeline.text_loader",
        "convert": "pipeline.conversion",
        "diagnose": "pipeline.diagnosis",
        "errors": "pipeline.errors",
        "image_dataset": "pipeline.loader",
        "image_dataset_from_directory": "pipeline.keras",
        "inspect": "pipeline.inspection",
        "text_dataset": "pipeline.text_loader",
        "text_dataset_from_directory": "pipeline.keras",
        "verify": "pipeline.verification",
    },
)


def __dir__() -> list[str]:
    return __all__
