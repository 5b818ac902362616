"""Training: architectures, the training loop, evaluation, search, and figures of the results.

Importing this package imports neither TensorFlow, Keras nor Matplotlib; the functions that need them do.
"""

from training.evaluate import Evaluation as Evaluation
from training.evaluate import evaluate as evaluate
from training.experiment import Experiment as Experiment
from training.figures import throughput_chart as throughput_chart
from training.figures import time_chart as time_chart
from training.figures import training_curves as training_curves
from training.fit import Checkpoints as Checkpoints
from training.fit import fit as fit
from training.learning_curve import learning_curve as learning_curve
from training.recipe import Recipe as Recipe
from training.search import search as search
from training.sheets import contact_sheet as contact_sheet
from training.tta_model import with_views as with_views

__all__ = [
    "Checkpoints",
    "Evaluation",
    "Experiment",
    "Recipe",
    "contact_sheet",
    "evaluate",
    "fit",
    "learning_curve",
    "search",
    "throughput_chart",
    "time_chart",
    "training_curves",
    "with_views",
]
