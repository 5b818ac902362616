"""Model families, one a file, as functions that build an uncompiled `keras.Model`.

Importing this package imports neither TensorFlow nor Keras; building a model does.
"""

from training.architectures.all_convolutional import all_convolutional as all_convolutional
from training.architectures.text_cnn import text_cnn as text_cnn

__all__ = ["all_convolutional", "text_cnn"]
