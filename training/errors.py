"""The errors of `training`.

CaudalError
└── TrainingError (also ValueError)    the training cannot start or resume with these arguments
    └── DivergedError                  the loss is not finite
"""

from augment.errors import CaudalError


class TrainingError(CaudalError, ValueError):
    """The training cannot start or resume with these arguments."""


class DivergedError(TrainingError):
    """The loss is not finite: the weights are lost."""
