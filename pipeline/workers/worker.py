"""The main function of a worker: it computes batches on request (see `pipeline/workers/pool.py`)."""

import contextlib
import dataclasses
import json
import logging
import os
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError
from pipeline.images.stages import Stages
from pipeline.memory.shared_memory import SlotFile, WriterSlots, map_arrays
from pipeline.workers.error_transport import encode_error
from pipeline.workers.serialization import deserialize

READY = b"ready"
"""The first message of a worker."""


def work(loader_memory: int, batch_memory: int, *lanes: int) -> None:
    """Run a worker, until the caller ends or closes a socket; a thread per lane computes one batch after the other.

    Args:
        loader_memory: file descriptor of the memory with the serialized loader and its arrays.
        batch_memory: file descriptor of the memory for images.
        lanes: file descriptors of the sockets for requests; the first one also brings the setup.
    """
    cv2.setNumThreads(0)
    logging.getLogger("pipeline.sources").setLevel(logging.ERROR)  # the caller logged the same warnings
    first, *others = [Connection(lane) for lane in lanes]
    with contextlib.suppress(EOFError, ConnectionError):  # the caller has ended, or has closed the socket
        setup = json.loads(first.recv_bytes())
        stages = _build_stages(setup, loader_memory)
        file = SlotFile(batch_memory)
        for connection in others:
            threading.Thread(target=_run_lane, args=(stages, connection, file), daemon=True).start()
        _serve(stages, first, WriterSlots(file))


def _run_lane(stages: Stages | Exception, connection: Connection, file: SlotFile) -> None:
    """Serve a lane in a thread; the process ends with it."""
    status = 1
    try:
        with contextlib.suppress(EOFError, ConnectionError):
            _serve(stages, connection, WriterSlots(file))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(stages: Stages | Exception, connection: Connection, slots: WriterSlots) -> None:
    """Answer the requests of a lane.

    Raises:
        EOFError, ConnectionError: the caller has ended, or has closed the socket.
    """
    if isinstance(stages, Stages):
        stages = dataclasses.replace(stages, empty=slots.empty)
    connection.send_bytes(READY)
    sent: set[int] = set()
    while True:
        request, slot = json.loads(connection.recv_bytes())
        slots.offer(slot)
        answer, labels = _compute_answer(stages, request[1:], slots, sent)
        answer["request"] = request
        connection.send_bytes(json.dumps(answer).encode())
        if labels is not None:
            connection.send_bytes(labels.tobytes())


def _build_stages(setup: dict[str, Any], memory: int) -> Stages | Exception:
    """Build the stages; if that fails, return the error, which answers each request."""
    try:
        serialized, *arrays = map_arrays(memory, setup["arrays"])
        stages = cast(Stages, deserialize(serialized.tobytes(), arrays)._stages)
        (height, width, channels), dtype = setup["element_spec"]
        spec = (height, width, channels), np.dtype(dtype)
        return dataclasses.replace(stages, known_spec=spec)
    except Exception as error:
        return OptionError(
            f"workers: a worker process cannot build the loader ({type(error).__name__}: {error}); check that it can "
            "import your modules, or use workers=0"
        )


def _compute_answer(
    stages: Stages | Exception, position: list[int], slots: WriterSlots, sent: set[int]
) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """Compute a batch.

    Returns:
        A description of the batch (or its error) with the newly bad samples, and the labels. The slot has the images.
    """
    answer: dict[str, Any] = {"bad": []}
    labels: NDArray[Any] | None = None
    try:
        if isinstance(stages, Exception):
            raise stages
        images, labels, keys = stages.batch(*position)
        slots.put(images)
        answer["images"], answer["labels"] = ((array.dtype.str, array.shape) for array in (images, labels))
        answer["keys"] = [key.decode("latin-1") for key in keys]
    except Exception as error:
        answer["error"] = encode_error(error)
    answer["slot"] = slots.slot
    if not isinstance(stages, Exception):
        new = stages.error_log.get_by_index(excluding=sent)
        sent.update(new)
        answer["bad"] = [(index, bad.sample, bad.stage, bad.reason) for index, bad in new.items()]
    return answer, labels
