"""Front doors in Keras's shape: what a user of Keras's own loaders changes is one import.

docs/keras.md lists what differs. Keras and TensorFlow are imported when a dataset or an iterator is made, not before.
"""

from pipeline.keras.generator import ImageDataGenerator as ImageDataGenerator
from pipeline.keras.image_directory import image_dataset_from_directory as image_dataset_from_directory
from pipeline.keras.text_directory import text_dataset_from_directory as text_dataset_from_directory
