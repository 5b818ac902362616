"""Training: models, their fitting, and figures of what came out.

Importing this package imports neither TensorFlow, Keras nor Matplotlib: the functions that use them do.
"""

from training.experiment import Experiment as Experiment
from training.figures import contact_sheet as contact_sheet
from training.figures import throughput_chart as throughput_chart
from training.figures import training_curves as training_curves
from training.fit import Checkpoints as Checkpoints
from training.fit import fit as fit
from training.learning_curve import learning_curve as learning_curve
from training.recipe import Recipe as Recipe
from training.search import search as search

__all__ = [
    "Checkpoints",
    "Experiment",
    "Recipe",
    "contact_sheet",
    "fit",
    "learning_curve",
    "search",
    "throughput_chart",
    "training_curves",
]
