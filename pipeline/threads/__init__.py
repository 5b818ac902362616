"""Threads that compute ahead, and their end at program exit."""
