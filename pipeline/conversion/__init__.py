"""Converting datasets into each other: TFRecords, class-folders, arrays.

`options` says what is asked for, `planning` what that means for a source, `records` what is written, `shards` and
`folders` how, `workers` and `on_ray` by whom, `workspace` where until it is complete; `replacing` looks at what stands
there already, `finishing` writes what describes the whole, and `running` puts it together.
"""

from pipeline.conversion.options import Conversion as Conversion
from pipeline.conversion.running import convert as convert

__all__ = ["Conversion", "convert"]
