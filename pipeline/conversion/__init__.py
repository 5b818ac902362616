"""Converting datasets: class-folders, TFRecords, arrays and texts.

`options` defines a conversion. `planning` opens the source and assigns records to shards. `records` and `texts` create
the records; `shards` and `folders` write them. `process_executor` and `ray_executor` run the tasks. `workspace` is the
hidden directory of an unfinished conversion. `existing_output` checks an existing destination, `finalize` writes the
manifest, and `run` calls all of these in order.
"""

from pipeline.conversion.options import Conversion as Conversion
from pipeline.conversion.run import convert as convert

__all__ = ["Conversion", "convert"]
