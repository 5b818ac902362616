"""Diagnosis: where the time of a dataset goes, and what would make it faster.

`stage_timer` adds up the time of a running dataset's stages, `probe` measures the dataset and each stage alone,
`advice` tries changes, and `diagnosis` draws the conclusion.
"""

from pipeline.diagnosis.diagnosis import Diagnosis as Diagnosis
from pipeline.diagnosis.diagnosis import Timing as Timing
from pipeline.diagnosis.diagnosis import diagnose as diagnose

__all__ = ["Diagnosis", "Timing", "diagnose"]
