"""Working ahead: what comes next is made in a thread of its own while the last is used."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.1
"""Between two looks whether anyone still wants more."""


def ahead(items: Iterable[T], count: int) -> Generator[T]:
    """Iterate in another thread, at most `count` items ahead; closing the iterator ends the thread.

    A `tf.data` pipeline has threads of its own, but not across the end of an epoch, and none at all where TensorFlow's
    determinism of operations is on, which makes pipelines that call Python sequential.

    Args:
        items: what is iterated, in that thread alone. An error in it is raised here, in its place.
        count: how many items may wait.
    """
    waiting: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(count)
    closed = threading.Event()

    def put(item: T | None, error: BaseException | None = None, last: bool = False) -> None:
        while not closed.is_set():
            try:
                waiting.put((item, error, last), timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if closed.is_set():
                    return
        except BaseException as error:
            put(None, error)
        else:
            put(None, last=True)

    thread = threading.Thread(target=work, name="caudal-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = waiting.get()
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]  # an item, as there is neither an error nor an end
    finally:
        closed.set()
        thread.join()
