"""What can go wrong in `pipeline`, as one tree.

    CaudalError
    ├── OptionError (also ValueError)       an option that is unknown, contradictory or out of range
    │   └── ColumnTypeError (also TypeError)  a column of a table holds another kind of value
    ├── SourceError (also OSError)          the dataset cannot be opened: missing, empty, or of no known kind
    ├── SampleError (also ValueError)       one sample is bad; names it, and is what `on_error` governs
    │   ├── ReadError                       its bytes cannot be read, or fail their checksum
    │   ├── DecodeError                     its bytes are no image that can be decoded
    │   └── AugmentationError               a transform failed on it
    ├── TooManyErrorsError (also RuntimeError)   more bad samples than `max_errors` allows
    ├── CacheError (also OSError)           the cache does not fit, or cannot be written
    ├── WorkerError (also RuntimeError)     a process that helped has ended
    └── ConvertError (also OSError)         a conversion cannot begin or end

Inside a running `tf.data` pipeline TensorFlow turns exceptions into its own, with the same text; the sample, the stage
and the reason stand in `loader.errors` as well.
"""

from augment.errors import CaudalError as CaudalError


class OptionError(CaudalError, ValueError):
    """An option is unknown, contradicts another, or is out of range."""


class ColumnTypeError(OptionError, TypeError):
    """A column holds what its class mode cannot take; Keras raises a `TypeError`."""


class SourceError(CaudalError, OSError):
    """A dataset cannot be opened: it is missing, empty, or of no known kind."""


class SampleError(CaudalError, ValueError):
    """One sample is bad.

    Attributes:
        sample: the sample's key, or its shard and record number.
        reason: what is wrong with it.
        stage: "read", "decode" or "augment".
    """

    stage = "sample"

    def __init__(self, sample: str, reason: str) -> None:
        # Bytes that are no text would empty the message where TensorFlow passes it on.
        readable = sample.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        super().__init__(f"{readable}: {reason}")
        self.sample = sample
        self.reason = reason


class ReadError(SampleError):
    """A sample's bytes cannot be read, or fail their checksum."""

    stage = "read"


class DecodeError(SampleError):
    """A sample's bytes are no image that can be decoded."""

    stage = "decode"


class AugmentationError(SampleError):
    """A transform failed on a sample."""

    stage = "augment"


class TooManyErrorsError(CaudalError, RuntimeError):
    """There were more bad samples than `max_errors` allows."""


class CacheError(CaudalError, OSError):
    """A cache does not fit, or cannot be written."""


class WorkerError(CaudalError, RuntimeError):
    """A process that was started to help has ended."""


class ConvertError(CaudalError, OSError):
    """A conversion cannot begin or end."""
