"""Fuzzing of what reads untrusted bytes; `make fuzz` runs it, see `run.py`."""
