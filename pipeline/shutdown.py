"""The end of a program with live iterators.

TensorFlow frees an iterator in its destructor, which waits for the iterator's threads. Those wait for callbacks into
Python, and a callback that begins while the interpreter is being finalized never gets the GIL: it waits for ever, or
its thread is ended inside C++, which aborts the process. So one `atexit` hook, which runs while Python still works,

* ignores Ctrl-C, holds back other signals that have Python handlers (an exception of one would end the hook), and sets
  a flag at which callbacks stop, on entry and between samples;
* ends the worker processes, because callbacks may wait for their answers;
* waits until no callback runs and none has begun for `_QUIET_S`, at most `_LIMIT_S`;
* adds a reference to the handle of every live iterator and never removes it, so that no destructor runs. The process is
  about to end, and the system frees its memory.

A callback that stops sleeps without the GIL until the process is gone: TensorFlow would print an exception, and raise
it in the thread that waits for the batch. It raises only if the process still lives after `_SLEEP_S`, because another
library's later hook waits for a batch.

A callback that does not stop in time (a transform that takes long, or hangs) may ask for the GIL during finalization.
`pthread_exit` then ends its thread, and C++ calls its terminate handler: `_pause_threads_that_end` lets that thread
sleep, where the default would abort the process.

A forked child has none of the threads that destructors wait for: there the references are added after the fork, and
the hook adds those of later iterators.
"""

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, Protocol

_QUIET_S = 0.03
_LIMIT_S = 0.5
_POLL_S = 0.002
_SLEEP_S = 1.0

_HANDLES = {
    ("tensorflow.python.data.ops.iterator_ops", "OwnedIterator"): "_iterator_resource",
    ("tensorflow.python.data.ops.multi_device_iterator_ops", "OwnedMultiDeviceIterator"): (
        "_multi_device_iterator_resource"
    ),
}
"""The classes of iterators that free their resource, and the attribute that holds its handle."""


class ShutdownError(RuntimeError):
    """The program ends: nothing will use the batch."""


class Killable(Protocol):
    """An object with worker processes."""

    def kill(self) -> None:
        """End the processes without waiting, so that every thread that waits for an answer gets an error."""
        ...


def end_with_program(workers: Killable | None = None) -> None:
    """Install the hook, if it is not installed yet, and register workers to end; it does not keep them alive."""
    global _is_installed, _owner
    with _lock:
        if _owner != os.getpid():  # a fork: the callbacks of its parent do not run here
            _owner = os.getpid()
            _running.clear()
            _workers.clear()
        if workers is not None:
            _workers.add(workers)
        if not _is_installed:
            _is_installed = True
            atexit.register(_shut_down)
            os.register_at_fork(after_in_child=_keep_iterators)


def stop_if_ending() -> None:
    """Stop this thread if the program ends: called between samples.

    Raises:
        ShutdownError: the program ends, and waits for this thread.
    """
    if _is_ending:
        if threading.current_thread() is not threading.main_thread():
            _asleep.add(threading.get_ident())
            _running.discard(threading.get_ident())
            time.sleep(_SLEEP_S)
        raise ShutdownError("the program is ending; no further batches are computed")


@contextlib.contextmanager
def callback() -> Iterator[None]:
    """Wrap a call by a thread of TensorFlow or by a daemon thread of ours; it stops here if the program ends.

    Raises:
        ShutdownError: the program ends, and waits for this thread.
    """
    global _last_entry_s
    thread = threading.get_ident()
    _running.add(thread)
    _last_entry_s = time.monotonic()
    try:
        stop_if_ending()
        yield
    except Exception:
        stop_if_ending()  # the end may have caused it: a worker that was ended does not answer
        raise
    finally:
        _running.discard(thread)


def _shut_down() -> None:
    held_back: set[int] = set()
    handlers: dict[int, Any] = {}
    try:
        _hold_back_signals(handlers, held_back)
    finally:  # also if a handler raised before it was replaced
        if os.getpid() == _owner:
            _stop_callbacks()
        gc.unfreeze()  # `gc.get_objects` leaves out what is frozen
        _keep_iterators()
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else handler)
        for number in held_back - {signal.SIGINT}:
            signal.raise_signal(number)


def _hold_back_signals(handlers: dict[int, Any], held_back: set[int]) -> None:
    """Replace all Python handlers by one that notes its signal; only the main thread can."""
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            if callable(handler := signal.getsignal(number)):
                handlers[number] = handler
                signal.signal(number, lambda number, _: held_back.add(number))


def _stop_callbacks() -> None:
    global _is_ending
    _is_ending = True
    for workers in list(_workers):
        workers.kill()
    _wait_until_quiet()
    if _running or _asleep:
        _pause_threads_that_end()


def _wait_until_quiet() -> None:
    """Wait until no callback runs or begins."""
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s and (_running or time.monotonic() - _last_entry_s < _QUIET_S):
        time.sleep(_POLL_S)


def _keep_iterators() -> None:
    """Add one reference to the handle of every live iterator, if any has been iterated."""
    if _last_entry_s < 0:
        return
    attributes = {
        owner: attribute
        for (module, name), attribute in _HANDLES.items()
        if (owner := getattr(sys.modules.get(module), name, None)) is not None
    }
    for item in gc.get_objects():
        if type(item) in attributes:
            _keep(getattr(item, attributes[type(item)], None))


def _keep(handle: Any) -> None:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


def _pause_threads_that_end() -> None:
    """Let C++'s terminate handler sleep; it is called in the thread of a callback that finalization ends."""
    with contextlib.suppress(OSError, AttributeError):  # another C++ library: its default stays
        set_terminate = ctypes.CDLL("libstdc++.so.6")["_ZSt13set_terminatePFvvE"]
        set_terminate.argtypes, set_terminate.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_terminate(ctypes.cast(ctypes.CDLL(None)["pause"], ctypes.c_void_p))


_lock = threading.RLock()  # a finalizer may build or end workers at any line
_is_installed = False
_owner = 0
"""The process that last built a dataset or workers."""
_is_ending = False
_workers: "weakref.WeakSet[Killable]" = weakref.WeakSet()
_running: set[int] = set()
"""The threads that run callbacks."""
_asleep: set[int] = set()
"""The threads that have stopped."""
_last_entry_s = -1.0  # never
