"""TFRecords: framing, examples, and the manifest of a converted dataset."""
