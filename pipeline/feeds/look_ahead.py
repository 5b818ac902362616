"""Compute items in threads, in order, and at most a fixed number of them ahead of the consumer.

Ordinary thread pools have two faults here. The interpreter waits at exit until their queues are empty, so a program
with a live iterator ends late or never. And they are shut down in finalizers, where Python swallows the exception of a
Ctrl-C. The threads here are daemons that stop when the program ends (`pipeline/shutdown.py`); deleting a
`LookAhead` without `close` runs no code, and its threads notice it themselves.
"""

import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from pipeline import shutdown

S = TypeVar("S")
T = TypeVar("T")

_STOP_TIMEOUT_S = 0.5
"""How long `close` waits for items that are being computed."""

_POLL_S = 0.5
"""How often an idle thread checks whether its `LookAhead` was dropped."""

_END: Any = object()


class LookAhead(Iterator[T], Generic[S, T]):
    """An iterator over `function(item)` of each item, in order, computed in threads.

    Threads start at the first `next`. `next` raises an exception of the function in its item's position, and the
    iteration can continue after it. Ctrl-C interrupts `next`; the next call returns the item that it waited for. Any
    number of threads may call `next`.

    Args:
        function: computes an item.
        items: the arguments, possibly endless; iterated by the threads that call `next`, one at a time.
        threads: number of items that are computed at once.
        ahead: maximum number of items after the current one that are computed or waiting.
    """

    def __init__(self, function: Callable[[S], T], items: Iterable[S], *, threads: int, ahead: int) -> None:
        self.taken = 0
        """The number of items that `next` has returned or raised."""
        self._calls = zip(itertools.repeat(function), items, strict=False)
        self._threads = threads
        self._ahead = ahead
        self._lock = threading.Lock()
        self._tasks: deque[_Task] = deque()
        self._pending: deque[Future[T]] = deque()
        self._workers: list[_Worker] = []
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._is_closed = False
        shutdown.end_with_program()

    def __next__(self) -> T:
        with self._lock:
            self._fill()
            if not self._pending:
                self.close()
                raise StopIteration
            self._pending[0].exception()  # waits; if Ctrl-C interrupts it, the item stays
            self.taken += 1
            future = self._pending.popleft()
        try:
            result = future.result()
        finally:
            del future  # an exception refers to this frame, and the future to the exception
        if result is _END:
            self.close()
            raise StopIteration
        return result

    def close(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """Compute no further items, and end the threads; afterwards there is no next item.

        Args:
            timeout_s: how long to wait for the items that are being computed; their threads end after them in any case.
        """
        self._is_closed = True
        while self._pending:
            self._pending.popleft().cancel()
        self._tasks.clear()
        self._calls = zip((), (), strict=True)  # drops the references to the function and the items
        _stop(self._workers, timeout_s)

    def _fill(self) -> None:
        while len(self._pending) <= self._ahead and not self._is_closed:
            try:
                function, item = next(self._calls)
            except StopIteration:
                break
            future: Future[T] = Future()
            self._tasks.append(_Task(future, function, item))
            self._pending.append(future)
            self._wake.put(None)
            if len(self._workers) < self._threads:
                worker = _Worker(self, self._wake)
                worker.start()
                self._workers.append(worker)


def iterate_ahead(items: Iterable[T], ahead: int) -> LookAhead[None, T]:
    """Iterate in another thread.

    Args:
        items: iterated in that thread only.
        ahead: maximum number of items after the current one that are computed or waiting.
    """
    iterator: list[Iterator[T]] = []

    def compute(_: None) -> T:
        if not iterator:
            iterator.append(iter(items))
        return next(iterator[0], _END)

    return LookAhead(compute, itertools.repeat(None), threads=1, ahead=ahead)


class _Task:
    """One call, and the future of its result."""

    def __init__(self, future: Future[Any], function: Callable[[Any], Any], item: Any) -> None:
        self._future = future
        self._function = function
        self._item = item

    def run(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            return
        try:
            with shutdown.callback():
                result = self._function(self._item)
        except StopIteration as error:  # it would end the iteration silently, as in a generator (PEP 479)
            self._future.set_exception(RuntimeError(f"computing {self._item!r} raised StopIteration: {error.value!r}"))
        except BaseException as error:
            self._future.set_exception(error)
            del self  # the error refers to this frame, and the future to the error
        else:
            self._future.set_result(result)


class _Worker(threading.Thread):
    """Computes the tasks of a `LookAhead`, without keeping it alive."""

    def __init__(self, owner: LookAhead[Any, Any], wake: SimpleQueue[None]) -> None:
        super().__init__(name="caudal-ahead", daemon=True)
        self._owner = weakref.ref(owner)
        self._wake = wake

    def run(self) -> None:
        while self._run_task():
            pass

    def wake(self) -> None:
        self._wake.put(None)

    def _run_task(self) -> bool:
        with suppress(Empty):
            self._wake.get(timeout=_POLL_S)
        owner = self._owner()
        if owner is None or owner._is_closed:
            return False
        try:
            task = owner._tasks.popleft()
        except IndexError:
            return True
        del owner
        task.run()
        del task  # an error refers to this frame, too
        return True


def _stop(workers: list[_Worker], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        worker.wake()
    for worker in workers:
        if worker is not threading.current_thread():
            worker.join(max(0.0, deadline - time.monotonic()))
