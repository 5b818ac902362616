"""A stand-in for the native module that times its calls, or replaces each by one sleep of its length.

So many processors can be simulated on few: while a call sleeps, it holds neither the GIL nor a processor.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import augment.plan
from augment.plan import compiled, encoded
from augment.plan.native import import_native
from pipeline.errors import OptionError
from pipeline.images.stages import Stages

_NAME = "augment.plan._kernels"


class TimedCall(NamedTuple):
    """A call that was timed.

    Attributes:
        nanoseconds: the CPU time that its thread took for it.
        result: what it returned.
    """

    nanoseconds: int
    result: Any


class NativeCalls:
    """The calls that loaders of images make of the native module while they compute batches.

    A call is known by the epoch, the first position and its number within its batch: whoever computes the batch again
    makes the same calls. Calls outside a batch, such as those of the trial, run as ever.

    Attributes:
        timed: the calls that were timed.
        batch_ns: the CPU time that the thread of each batch took for it, by its epoch and first position.
        sleeps: whether calls that were timed sleep for as long, and return what they returned; their pixels are
            undefined.
        functions: the functions of the native module.
    """

    def __init__(self) -> None:
        self.timed: dict[tuple[int, int, int], TimedCall] = {}
        self.batch_ns: dict[tuple[int, int], int] = {}
        self.sleeps = False
        self.functions: list[Callable[..., Any]] = []
        self._hook: Callable[[bool], object] = _ignore
        self._thread = threading.local()

    def is_in_batch(self) -> bool:
        """Whether this thread computes a batch now."""
        return getattr(self._thread, "batch", None) is not None

    @contextmanager
    def call_on_batch(self, hook: Callable[[bool], object]) -> Iterator[None]:
        """Call a function with True when a thread begins to compute a batch, and with False at its end."""
        self._hook = hook
        try:
            yield
        finally:
            self._hook = _ignore

    def wrap_module(self, module: ModuleType) -> ModuleType:
        """Return a module with the names of the native one, and with functions that are watched."""
        watched = ModuleType(_NAME)
        vars(watched).update(vars(module))
        for name, function in vars(module).items():
            if callable(function) and not name.startswith("_") and name != "sleep":
                setattr(watched, name, self._wrap(function, module.sleep))
                self.functions.append(function)
        return watched

    def wrap_batch(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """Return `Stages.batch`, watched."""

        def batch(stages: Stages, epoch: int, start: int, stop: int) -> Any:
            self._thread.batch, self._thread.number = (epoch, start), 0
            self._hook(True)
            begin = time.thread_time_ns()
            try:
                return compute(stages, epoch, start, stop)
            finally:
                self.batch_ns[epoch, start] = time.thread_time_ns() - begin
                self._hook(False)
                self._thread.batch = None

        return batch

    def _wrap(self, function: Callable[..., Any], sleep: Callable[[int], None]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            batch = getattr(self._thread, "batch", None)
            if batch is None:
                return function(*arguments)
            key = (*batch, self._thread.number)
            self._thread.number += 1
            if self.sleeps:
                if key not in self.timed:
                    raise RuntimeError(f"call {key[2]} of batch {batch} was not timed: the batch makes other calls now")
                nanoseconds, result = self.timed[key]
                sleep(nanoseconds)
                return result
            begin = time.thread_time_ns()
            result = function(*arguments)
            self.timed[key] = TimedCall(time.thread_time_ns() - begin, result)
            return result

        return call


def _ignore(begins: bool) -> None:  # a hook
    """Do nothing at the begin and end of a batch."""


@contextmanager
def watch_native_calls() -> Iterator[NativeCalls]:
    """Replace the native module, for all loaders of this process, as long as the context lasts.

    Raises:
        OptionError: the native module is not in use.
    """
    module, reason = import_native()
    if module is None:
        raise OptionError(f"this measures the native module, which is not in use ({reason}): install it first")
    native = NativeCalls()
    compute = Stages.batch
    _use(native.wrap_module(module), native.wrap_batch(compute))
    try:
        if compiled.load_kernels() is None or encoded.load_decoder() is None:
            raise OptionError(f"this measures the native module: {compiled.status()}; {encoded.status()}")
        yield native
    finally:
        _use(module, compute)


def _use(module: ModuleType, batch: Callable[..., Any]) -> None:
    sys.modules[_NAME] = module
    augment.plan._kernels = module  # type: ignore[attr-defined]  # the import system would set it
    Stages.batch = batch  # type: ignore[method-assign]
    compiled._find.cache_clear()
    encoded._find.cache_clear()
