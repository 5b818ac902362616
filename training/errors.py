"""What can go wrong in `training`.

CaudalError
└── TrainingError (also ValueError)    a training that cannot begin as it was asked for
    └── DivergedError                  one whose loss is no number any more
"""

from augment.errors import CaudalError


class TrainingError(CaudalError, ValueError):
    """A training cannot begin or go on as it was asked for."""


class DivergedError(TrainingError):
    """The loss is no number any more: the weights are lost."""
