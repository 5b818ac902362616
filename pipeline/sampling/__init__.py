"""Sampling: the order of an epoch, splits, labels, and the replacement of bad samples."""
