"""Faults at instants and in amounts that the tests have no time for; `make soak` runs them, see `run.py`."""
