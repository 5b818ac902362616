"""The errors of `pipeline`, as one tree.

    CaudalError
    ├── OptionError (also ValueError)       an option is unknown, contradicts another, or is out of range
    │   └── ColumnTypeError (also TypeError)  a column of a table holds another kind of value
    ├── SourceError (also OSError)          a dataset cannot be opened: missing, empty, or of an unknown kind
    ├── SampleError (also ValueError)       one sample is bad; the error names it, and `on_error` applies
    │   ├── ReadError                       its bytes cannot be read, or fail their checksum
    │   ├── DecodeError                     its bytes cannot be decoded as an image
    │   └── AugmentationError               a transform failed on it
    ├── TooManyErrorsError (also RuntimeError)   more samples are bad than `max_errors` allows
    ├── CacheError (also OSError)           a cache does not fit, or cannot be written
    ├── WorkerError (also RuntimeError)     a worker process ended
    └── ConvertError (also OSError)         a conversion cannot begin or end

In a running `tf.data` pipeline TensorFlow raises errors of its own with the same text; `loader.failure` is the
original, and `loader.errors` lists sample, stage and reason.
"""

from augment.errors import CaudalError as CaudalError


class OptionError(CaudalError, ValueError):
    """An option is unknown, contradicts another, or is out of range."""


class ColumnTypeError(OptionError, TypeError):
    """A column holds what its class mode cannot take; Keras raises a `TypeError`."""


class SourceError(CaudalError, OSError):
    """A dataset cannot be opened: it is missing, empty, or of an unknown kind."""


class SampleError(CaudalError, ValueError):
    """One sample is bad.

    Attributes:
        sample: the sample's key, or its shard and record number.
        reason: what is wrong with it.
        remedy: what to do; only the message has it.
        stage: "read", "decode" or "augment".
    """

    stage = "sample"

    def __init__(self, sample: str, reason: str, remedy: str = "") -> None:
        # TensorFlow would pass on an empty message if it held bytes that are not valid UTF-8.
        readable = sample.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        super().__init__(f"{readable}: {reason}" + (f"; {remedy}" if remedy else ""))
        self.sample = sample
        self.reason = reason
        self.remedy = remedy


class ReadError(SampleError):
    """A sample's bytes cannot be read, or fail their checksum."""

    stage = "read"


class DecodeError(SampleError):
    """A sample's bytes cannot be decoded as an image."""

    stage = "decode"


class AugmentationError(SampleError):
    """A transform failed on a sample."""

    stage = "augment"


class TooManyErrorsError(CaudalError, RuntimeError):
    """More samples are bad than `max_errors` allows."""


class CacheError(CaudalError, OSError):
    """A cache does not fit, or cannot be written."""


class WorkerError(CaudalError, RuntimeError):
    """A worker process ended."""


class ConvertError(CaudalError, OSError):
    """A conversion cannot begin or end."""
