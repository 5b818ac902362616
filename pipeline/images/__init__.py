"""Images: from encoded bytes to finished batches."""
