"""Loading: what a sample is, where it comes from, in what order, decoded how, batched how, and where it goes.

TensorFlow is imported when the first sample is decoded or the first dataset built, not before.
"""

from pipeline import errors as errors
from pipeline.conversion import Conversion as Conversion
from pipeline.conversion import convert as convert
from pipeline.inspection import inspect as inspect
from pipeline.keras import ImageDataGenerator as ImageDataGenerator
from pipeline.keras import image_dataset_from_directory as image_dataset_from_directory
from pipeline.keras import text_dataset_from_directory as text_dataset_from_directory
from pipeline.loader import Loader as Loader
from pipeline.loader import image_dataset as image_dataset
from pipeline.text import TextLoader as TextLoader
from pipeline.text import text_dataset as text_dataset
from pipeline.verify import verify as verify

__all__ = [
    "Conversion",
    "ImageDataGenerator",
    "Loader",
    "TextLoader",
    "convert",
    "errors",
    "image_dataset",
    "image_dataset_from_directory",
    "inspect",
    "text_dataset",
    "text_dataset_from_directory",
    "verify",
]
