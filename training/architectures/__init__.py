"""Architectures, one file per family: functions that build an uncompiled `keras.Model`.

Importing this package imports neither TensorFlow nor Keras; building a model does.
"""

from training.architectures.all_convolutional import all_convolutional as all_convolutional
from training.architectures.graph import graph as graph
from training.architectures.inception_v1 import inception_block as inception_block
from training.architectures.inception_v1 import inception_v1 as inception_v1
from training.architectures.mobilenet import mobilenet as mobilenet
from training.architectures.registry import build as build
from training.architectures.text_cnn import text_cnn as text_cnn
from training.architectures.vgg import vgg as vgg

__all__ = ["all_convolutional", "build", "graph", "inception_block", "inception_v1", "mobilenet", "text_cnn", "vgg"]
