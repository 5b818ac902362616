"""How a program ends while its iterators are alive.

TensorFlow frees an iterator in its destructor, which waits for the iterator's threads. Those wait for callbacks into
Python, and a callback that begins while the interpreter is being finalized never gets the GIL: it waits for ever, or
its thread is ended amid C++, which aborts the process. So one `atexit` hook, which runs while Python still works,

* ignores Ctrl-C, and sets a flag on which callbacks stop, on entry and between samples;
* ends the worker processes, for whose answers callbacks may be waiting;
* waits until no callback runs and none has begun for `_QUIET_S`, at most `_LIMIT_S`;
* gives the handle of every live iterator a reference that is never returned, so that no destructor runs. The process
  is about to end, and the system frees what they hold.

A callback that stops sleeps, without the GIL, until the process is gone: an exception would be printed by TensorFlow,
and raised in whatever thread waits for the batch. It raises only where the process lives on for `_SLEEP_S`, because a
later hook of somebody else's waits for a batch.

A callback that does not stop in time (a transform that takes long, or hangs) may ask for the GIL during finalization.
Its thread is then ended by `pthread_exit`, and C++ calls its terminate handler: `_pause_threads_that_end` lets that
thread sleep, where the default would abort the process.

A forked child has none of the threads that destructors wait for: there the hook only adds the references.
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
_SLEEP_S = 5.0

_HANDLES = {
    ("tensorflow.python.data.ops.iterator_ops", "OwnedIterator"): "_iterator_resource",
    ("tensorflow.python.data.ops.multi_device_iterator_ops", "OwnedMultiDeviceIterator"): (
        "_multi_device_iterator_resource"
    ),
}
"""The classes of iterators that free what they iterate, and the attribute that holds the handle."""


class ShutdownError(RuntimeError):
    """The program ends: nobody will use the batch."""


class Killable(Protocol):
    """Something with worker processes."""

    def kill(self) -> None:
        """End the processes without waiting, so that every thread that waits for an answer gets an error."""
        ...


def end_with_program(workers: Killable | None = None) -> None:
    """Install the hook, if it is not installed yet, and have it end some workers, which it does not keep alive."""
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
        raise ShutdownError("nothing is computed any more: the program ends")


@contextlib.contextmanager
def callback() -> Iterator[None]:
    """Wrap what a thread of TensorFlow calls, or a daemon thread of ours; it stops here if the program ends.

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
        stop_if_ending()  # it may be due to the end: a worker that has been ended does not answer
        raise
    finally:
        _running.discard(thread)


def _shut_down() -> None:
    global _is_ending
    if os.getpid() == _owner:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        _is_ending = True
        for workers in list(_workers):
            workers.kill()
        _wait_until_quiet()
        if _running or _asleep:
            _pause_threads_that_end()
    if _last_entry_s >= 0:  # something has been iterated
        _keep_iterators()


def _wait_until_quiet() -> None:
    """Wait until no callback runs or begins."""
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s and (_running or time.monotonic() - _last_entry_s < _QUIET_S):
        time.sleep(_POLL_S)


def _keep_iterators() -> None:
    """Give the handle of every live iterator one more reference."""
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
    """Have C++'s terminate handler sleep; it is called in the thread of a callback that finalization ends."""
    with contextlib.suppress(OSError, AttributeError):  # another C++ library: then as before
        set_terminate = ctypes.CDLL("libstdc++.so.6")["_ZSt13set_terminatePFvvE"]
        set_terminate.argtypes, set_terminate.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_terminate(ctypes.cast(ctypes.CDLL(None)["pause"], ctypes.c_void_p))


_lock = threading.RLock()  # a finalizer may build or end workers within any line
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
