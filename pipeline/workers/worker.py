"""What a worker does: it makes the batches that it is asked for, until there are no more. See `pipeline/workers/pool.py`."""

import contextlib
import dataclasses
import json
import logging
from multiprocessing.connection import Connection
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError
from pipeline.images.stages import Stages
from pipeline.memory.shared_memory import WriterSlots, map_arrays
from pipeline.workers.error_transport import encode_error
from pipeline.workers.serialization import from_json


def work(connection_descriptor: int, batch_memory: int, loader_memory: int) -> None:
    """Be a worker.

    Args:
        connection_descriptor: of the socket by which batches are asked for.
        batch_memory: the file in memory that images are written to.
        loader_memory: that which holds the loader's description and arrays.
    """
    cv2.setNumThreads(0)
    logging.getLogger("pipeline.sources").setLevel(logging.ERROR)  # the caller logged the same warnings
    connection = Connection(connection_descriptor)
    slots = WriterSlots(batch_memory)
    with contextlib.suppress(EOFError, ConnectionError):  # the caller has ended, or needs no more
        stages = _build_stages(json.loads(connection.recv_bytes()), loader_memory, slots)
        connection.send_bytes(b"ready")
        sent: set[int] = set()
        while True:
            place, slot = json.loads(connection.recv_bytes())
            slots.offer(slot)
            answer, labels = _compute_answer(stages, place, slots, sent)
            connection.send_bytes(json.dumps(answer).encode())
            if labels is not None:
                connection.send_bytes(labels.tobytes())


def _build_stages(setup: dict[str, Any], memory: int, slots: WriterSlots) -> Stages | Exception:
    """Make the stages that are told; where they cannot be made, the error is said when a batch is asked for."""
    try:
        description, *arrays = map_arrays(memory, setup["arrays"])
        stages = cast(Stages, from_json(description.tobytes().decode(), arrays)._stages)
        (height, width, channels), dtype = setup["element_spec"]
        spec = (height, width, channels), np.dtype(dtype)
        return dataclasses.replace(stages, empty=slots.empty, known_spec=spec)
    except Exception as error:
        return OptionError(
            f"workers: another process cannot make the loader ({type(error).__name__}: {error}); can it import your "
            "modules? workers=0 needs no other process"
        )


def _compute_answer(
    stages: Stages | Exception, place: list[int], slots: WriterSlots, sent: set[int]
) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """Make a batch.

    Returns:
        What it is and which samples are newly bad, or what went wrong; and the labels. The images stand in the slot.
    """
    answer: dict[str, Any] = {"bad": []}
    labels: NDArray[Any] | None = None
    try:
        if isinstance(stages, Exception):
            raise stages
        images, labels, keys = stages.batch(*place)
        slots.put(images)
        answer["images"], answer["labels"] = ((array.dtype.str, array.shape) for array in (images, labels))
        answer["keys"] = [key.decode("latin-1") for key in keys]
    except Exception as error:
        answer["error"] = encode_error(error)
    answer["slot"] = slots.slot
    if not isinstance(stages, Exception):
        new = stages.error_log.get_by_index(excluding=sent)
        sent.update(new)
        answer["bad"] = [(number, row.sample, row.stage, row.reason) for number, row in new.items()]
    return answer, labels
