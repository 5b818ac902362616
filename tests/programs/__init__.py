"""Whole programs that hold iterators until their end, and what runs them."""
