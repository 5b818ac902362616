"""Memory for batches: a buffer pool, memory that processes share, and settings of the allocator."""
