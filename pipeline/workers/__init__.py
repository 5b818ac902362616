"""Worker processes: a pool, the server that forks them, and what travels between processes."""
