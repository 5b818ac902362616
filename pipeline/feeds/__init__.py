"""Feeds: the `tf.data` graph around the stages, and threads that compute ahead."""
