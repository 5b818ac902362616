"""Training: models, their fitting, and figures of what came out.

Importing this package imports neither TensorFlow, Keras nor Matplotlib: the functions that use them do.
"""

from training.figures import contact_sheet as contact_sheet
from training.figures import throughput_chart as throughput_chart
from training.figures import time_chart as time_chart
from training.figures import training_curves as training_curves
from training.fit import fit as fit

__all__ = ["contact_sheet", "fit", "throughput_chart", "time_chart", "training_curves"]
