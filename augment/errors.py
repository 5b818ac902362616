"""What can go wrong in `augment`.

CaudalError
└── AugmentError (also ValueError)
    └── TransformError    a transform that cannot be used, or that failed on an image
"""


class CaudalError(Exception):
    """The base of every error that Caudal raises on purpose."""


class AugmentError(CaudalError, ValueError):
    """An augmentation cannot be made or run."""


class TransformError(AugmentError):
    """A transform cannot be used as given, or failed on an image."""
