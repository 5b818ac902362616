"""Converting datasets into each other: TFRecords, class-folders, arrays.

`options` holds what the user asks for, `planning` what that means for a source, `records` what is written, `shards` and
`folders` how, `process_executor` and `ray_executor` by whom, and `workspace` where until it is complete.
`existing_output` looks at what the target holds already, `finalize` writes what describes the whole, and `run` puts the
parts together.
"""

from pipeline.conversion.options import Conversion as Conversion
from pipeline.conversion.run import convert as convert

__all__ = ["Conversion", "convert"]
