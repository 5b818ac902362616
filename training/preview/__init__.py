"""Previews: what an augmentation does to real samples, as pictures that a person can judge."""
