"""Functions and a class with Keras's names and arguments: a user of Keras's loaders changes one import.

docs/keras.md lists the differences. Keras and TensorFlow are imported when a dataset or an iterator is created.
"""

from pipeline.keras.generator import ImageDataGenerator as ImageDataGenerator
from pipeline.keras.image_directory import image_dataset_from_directory as image_dataset_from_directory
from pipeline.keras.text_directory import text_dataset_from_directory as text_dataset_from_directory
