"""Memory for batches: kept buffers, and memory that processes share."""
