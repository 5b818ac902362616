"""A process from which workers are forked: it imports what they need, once for all of them.

It is a new interpreter, which does not run the caller's script, and has one thread: libraries are imported, but nothing
of them has run yet, and no module of the user's has been imported. So a fork of it is whole; the caller, whose threads
hold locks that a fork would never see released, could not be forked. A fork has what was imported without the time that
it takes, and without memory of its own for it.

It ends when the caller does, however that ends, and the workers with it.
"""

import contextlib
import gc
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipeline.workers.worker import work

_START = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from pipeline.workers.fork_server import serve; serve(*map(int, sys.argv[1:3]))"
)
_MAX_MESSAGE_BYTES = 256  # bytes of a request


class ForkServer:
    """A process that forks workers, and knows how they have ended. Safe to use from any number of threads.

    It ends when nothing refers to it any more.

    Args:
        tensorflow: whether it imports TensorFlow, which takes seconds.
    """

    def __init__(self, *, tensorflow: bool) -> None:
        # Finalizers of other workers may run within any line, and end those.
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._lost = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, with a line of our own
                [sys.executable, "-c", _START, str(theirs.fileno()), str(int(tensorflow)), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what transforms print must not stand among the caller's own output
                process_group=0,  # Ctrl-C does not reach it: the caller decides what an interrupt means
                env={
                    **os.environ,
                    # OpenBLAS starts threads when it is imported; and as many workers as processors need no more.
                    "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1",
                    # The device is the model's, and what TensorFlow has to say it has said in the first process.
                    "CUDA_VISIBLE_DEVICES": "-1",
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    "PYTHONUNBUFFERED": "1",  # workers are killed when they are not needed any more
                },
            )
        weakref.finalize(self, _terminate, self._process, self._socket, os.getpid()).atexit = False

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self._lost and self._process.poll() is None

    def fork(self, descriptors: Sequence[int]) -> "ForkedProcess":
        """Have a process forked that runs `pipeline.workers.worker.work` on some open files; does not wait for it.

        Raises:
            ConnectionError: the server has ended.
        """
        with self._lock:
            number = next(self._numbers)
            self.request("fork", number, descriptors)
        return ForkedProcess(self, number)

    def request(self, verb: str, number: int, descriptors: Sequence[int] = ()) -> None:
        """Ask for something that has no answer.

        Raises:
            ConnectionError: the server has ended.
        """
        with self._lock, self._record_end():
            socket.send_fds(self._socket, [json.dumps([verb, number]).encode()], descriptors)

    def answer(self, verb: str, number: int) -> Any:
        """Ask for something, and wait for the answer.

        Raises:
            ConnectionError: the server has ended.
        """
        with self._lock, self._record_end():
            self.request(verb, number)
            answer = self._socket.recv(_MAX_MESSAGE_BYTES)
            if not answer:
                raise ConnectionResetError("the server has ended")
        return json.loads(answer)

    @contextlib.contextmanager
    def _record_end(self) -> Iterator[None]:
        """Note that the server has ended: for some time its socket is closed, and the process still counts as alive."""
        try:
            yield
        except ConnectionError:
            self._lost = True
            raise


@dataclass(frozen=True)
class ForkedProcess:
    """A process that a server has forked."""

    server: ForkServer
    number: int

    def end(self) -> None:
        """End it; does not wait for that."""
        with contextlib.suppress(
            ConnectionError
        ):  # the server has ended; then the process does when its socket is closed
            self.server.request("end", self.number)

    def status(self) -> int | None:
        """End it; gives its exit status, that of before where it had ended, and None where nobody knows it."""
        with contextlib.suppress(ConnectionError):
            status: int | None = self.server.answer("status", self.number)
            return status
        return None


def fork_server(*, tensorflow: bool) -> ForkServer:
    """Give the server that this process has, or a new one. All loaders share one that is as theirs would be."""
    environment = tensorflow, tuple(sys.path), os.getcwd(), frozenset(os.environ.items())
    with _lock:
        server = _servers.get(environment)
        if server is None or not server.is_alive:
            server = _servers[environment] = ForkServer(tensorflow=tensorflow)
        return server


_servers: weakref.WeakValueDictionary[Any, ForkServer] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def _terminate(process: subprocess.Popen[bytes], channel: socket.socket, owner: int) -> None:
    if os.getpid() != owner:
        return  # this is a fork of its owner, which still needs it
    channel.close()  # which it waits for, and ends
    process.terminate()  # it heeds that while it still imports, and does not see the other
    process.wait()


def serve(descriptor: int, tensorflow: int) -> None:
    """Be the server, until the caller ends or needs no more.

    Args:
        descriptor: of the socket by which the caller asks for workers.
        tensorflow: 1 to import TensorFlow, 0 not to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("augment.plan.compiled").setLevel(logging.ERROR)  # the caller has warned already
    for name in ("albumentations", "cv2", "pipeline.loader", *(["tensorflow"] if tensorflow else [])):
        import_module(name)
    gc.freeze()  # a collection would write into what was imported, and make copies of it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    descriptors = _serve_requests(socket.socket(fileno=descriptor))
    if descriptors is not None:
        _run_worker(descriptors)


def _serve_requests(channel: socket.socket) -> list[int] | None:
    """Fork workers and end them until the caller has ended; in a worker, gives the files that it was forked for."""
    processes: dict[int, int] = {}
    with channel:  # a worker must not hold it: the caller would not see the server's end
        while True:
            request, descriptors, _, _ = socket.recv_fds(channel, _MAX_MESSAGE_BYTES, 3, socket.MSG_CMSG_CLOEXEC)
            if not request:
                break
            verb, number = json.loads(request)
            if verb == "fork":
                processes[number] = os.fork()
                if not processes[number]:
                    return descriptors
                for own in descriptors:  # the next worker must not hold them: the caller would not see this one's end
                    os.close(own)
                continue
            status = _kill(processes.pop(number))
            if verb == "status":
                channel.send(json.dumps(status).encode())
    for process in processes.values():
        _kill(process)
    return None


def _kill(process: int) -> int:
    """End a process; gives its exit status, that of before where it had ended."""
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _run_worker(descriptors: list[int]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    status = 1
    try:
        work(*descriptors)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # the server's own exit is none of its
