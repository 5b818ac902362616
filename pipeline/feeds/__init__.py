"""Feeds: the `tf.data` graph around the stages."""
