"""All errors that Caudal raises on purpose, as one tree below `CaudalError`; each package defines its own branch."""

from augment.errors import AugmentError as AugmentError
from augment.errors import CaudalError as CaudalError
from augment.errors import TransformError as TransformError
from pipeline.errors import AugmentationError as AugmentationError
from pipeline.errors import CacheError as CacheError
from pipeline.errors import ColumnTypeError as ColumnTypeError
from pipeline.errors import ConvertError as ConvertError
from pipeline.errors import DecodeError as DecodeError
from pipeline.errors import OptionError as OptionError
from pipeline.errors import ReadError as ReadError
from pipeline.errors import SampleError as SampleError
from pipeline.errors import SourceError as SourceError
from pipeline.errors import TooManyErrorsError as TooManyErrorsError
from pipeline.errors import WorkerError as WorkerError
from training.errors import DivergedError as DivergedError
from training.errors import TrainingError as TrainingError

__all__ = [
    "AugmentError",
    "AugmentationError",
    "CacheError",
    "CaudalError",
    "ColumnTypeError",
    "ConvertError",
    "DecodeError",
    "DivergedError",
    "OptionError",
    "ReadError",
    "SampleError",
    "SourceError",
    "TooManyErrorsError",
    "TrainingError",
    "TransformError",
    "WorkerError",
]
