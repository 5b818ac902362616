"""The errors of `augment`.

CaudalError
└── AugmentError (also ValueError)
    └── TransformError    a transform that cannot be used, or that failed on an image
"""


class CaudalError(Exception):
    """The base class of every error that Caudal raises on purpose."""


class AugmentError(CaudalError, ValueError):
    """An augmentation cannot be built or run."""


class TransformError(AugmentError):
    """A transform cannot be used as given, or failed on an image."""
