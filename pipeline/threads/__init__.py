"""Threads that compute ahead, and how they end with the program."""
