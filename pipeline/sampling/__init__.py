"""Which sample comes next: order, splits, labels, and what becomes of bad samples."""
