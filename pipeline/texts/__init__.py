"""Texts: decoding, augmentation and batches."""
