"""Local response normalization as a Keras layer. Importing this module imports Keras; `parts` does so when needed."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="caudal")
class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Divides each map by (2 + 0.0001 * the sum of squares of the five maps around it) ** 0.75, at each position.

    Source: Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks",
    section 3.3, with its constants. It has no weights, and computes in float32 under every dtype policy.
    """

    def call(self, maps: Any) -> Any:
        """Normalize maps [B, H, W, C]."""
        import tensorflow as tf

        normalized = tf.nn.local_response_normalization(
            tf.cast(maps, "float32"), depth_radius=2, bias=2, alpha=1e-4, beta=0.75
        )
        return tf.cast(normalized, self.compute_dtype)
