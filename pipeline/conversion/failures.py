"""Errors on their way from a worker to whom it works for."""

from pipeline import errors
from pipeline.conversion.tasks import Skipped
from pipeline.errors import SampleError


def described(error: Exception) -> tuple[str, str, str]:
    """Take an error apart for its way between processes: (kind, sample or number, text)."""
    if isinstance(error, SampleError):
        return type(error).__name__, error.sample, error.reason
    if isinstance(error, OSError) and error.strerror:
        return "OSError", str(error.errno), error.strerror
    return type(error).__name__, "", str(error)


def rebuilt(kind: str, sample: str, reason: str) -> Exception:
    """Put an error together again; one with arguments of its own would not survive the way as it is."""
    known = getattr(errors, kind, None)
    if known is not None and issubclass(known, SampleError):
        return known(sample, reason)  # type: ignore[no-any-return]
    if kind == "OSError":
        return OSError(int(sample), reason)
    if known is not None and issubclass(known, errors.CaudalError):
        return known(reason)  # type: ignore[no-any-return]
    return RuntimeError(f"{kind} in a worker: {reason}")


def sample_error(row: Skipped) -> SampleError:
    """Make the error again for which a record was left out."""
    error = rebuilt(row.kind, row.sample, row.reason)
    return error if isinstance(error, SampleError) else SampleError(row.sample, row.reason)
