"""Loading: what a sample is, where it comes from, in what order, decoded how, batched how, and where it goes.

TensorFlow is imported when the first sample is decoded or the first dataset built, not before.
"""

from pipeline import errors as errors
from pipeline.conversion import Conversion as Conversion
from pipeline.conversion import convert as convert
from pipeline.inspection import inspect as inspect
from pipeline.loader import Loader as Loader
from pipeline.loader import image_dataset as image_dataset
from pipeline.text import TextLoader as TextLoader
from pipeline.text import text_dataset as text_dataset
from pipeline.verify import verify as verify

__all__ = [
    "Conversion",
    "Loader",
    "TextLoader",
    "convert",
    "errors",
    "image_dataset",
    "inspect",
    "text_dataset",
    "verify",
]
