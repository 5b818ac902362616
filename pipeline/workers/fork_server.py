"""The fork server: a process that imports what workers need, once, and forks them.

It is a new interpreter that does not run the caller's script. It has one thread, and has imported libraries only: none
of the user's modules. So it can be forked safely; the caller cannot, because a fork would never see the locks released
that the caller's other threads hold. A fork needs neither the time of the imports nor memory for them.

It ends when the caller ends, in whatever way, and the workers end with it.
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
_MAX_MESSAGE_BYTES = 256

MAX_LANES = 64
"""The most batches that a worker computes at once: a message of the system carries 253 descriptors at most."""


class ForkServer:
    """A process that forks workers, and knows their exit statuses. Any number of threads may use it.

    It ends when nothing refers to this object.

    Args:
        tensorflow: whether it imports TensorFlow, which takes seconds.
    """

    def __init__(self, *, tensorflow: bool) -> None:
        self._lock = threading.RLock()  # a finalizer may end workers at any line
        self._numbers = itertools.count()
        self._lost = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, with a line of our own
                [sys.executable, "-c", _START, str(theirs.fileno()), str(int(tensorflow)), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # transforms must not print into the caller's own output
                process_group=0,  # Ctrl-C does not reach it: the caller handles interrupts
                env={
                    **os.environ,
                    # OpenBLAS starts threads when it is imported, and one worker per processor needs no more.
                    "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1",
                    # The device belongs to the model, and TensorFlow has logged its messages in the first process.
                    "CUDA_VISIBLE_DEVICES": "-1",
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    "PYTHONUNBUFFERED": "1",  # workers that are not needed any more are killed
                },
            )
        weakref.finalize(self, _terminate, self._process, self._socket, os.getpid()).atexit = False

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return not self._lost and self._process.poll() is None

    def fork(self, descriptors: Sequence[int]) -> "ForkedProcess":
        """Fork a process that runs `pipeline.workers.worker.work` on open files, without waiting for it.

        Raises:
            ConnectionError: the server has ended.
        """
        with self._lock:
            number = next(self._numbers)
            self.request("fork", number, descriptors)
        return ForkedProcess(self, number)

    def request(self, verb: str, number: int, descriptors: Sequence[int] = ()) -> None:
        """Send a request that has no answer.

        Raises:
            ConnectionError: the server has ended.
        """
        with self._lock, self._record_end():
            socket.send_fds(self._socket, [json.dumps([verb, number]).encode()], descriptors)

    def ask(self, verb: str, number: int) -> Any:
        """Send a request, and return its answer.

        Raises:
            ConnectionError: the server has ended.
        """
        with self._lock, self._record_end():
            self.request(verb, number)
            answer = self._socket.recv(_MAX_MESSAGE_BYTES)
            if not answer:
                raise ConnectionResetError("the fork server has ended")
        return json.loads(answer)

    def abandon(self) -> None:
        """Close the socket of this process only; the server goes on for another."""
        self._socket.close()
        self._lost = True

    @contextlib.contextmanager
    def _record_end(self) -> Iterator[None]:
        """Record that the server has ended: its socket closes some time before the process counts as ended."""
        try:
            yield
        except ConnectionError:
            self._lost = True
            raise


@dataclass(frozen=True)
class ForkedProcess:
    """A process that a fork server has forked."""

    server: ForkServer
    number: int

    def end(self) -> None:
        """End it, without waiting."""
        with contextlib.suppress(ConnectionError):  # without a server, it ends when its socket is closed
            self.server.request("end", self.number)

    def kill(self) -> int | None:
        """End it, and return its exit status (that of an earlier end, if it had ended); None if that is unknown."""
        with contextlib.suppress(ConnectionError):
            status: int | None = self.server.ask("status", self.number)
            return status
        return None


def get_fork_server(*, tensorflow: bool) -> ForkServer:
    """Return this process's fork server for the current environment, or start it; all loaders share it."""
    environment = tensorflow, tuple(sys.path), os.getcwd(), frozenset(os.environ.items())
    with _lock:
        server = _servers.get(environment)
        if server is None or not server.is_alive:
            server = _servers[environment] = ForkServer(tensorflow=tensorflow)
        return server


_servers: weakref.WeakValueDictionary[Any, ForkServer] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def _forget_servers_of_parent() -> None:
    """In a forked child, close the sockets of the parent's servers, which end when all copies are closed."""
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it
    for server in list(_servers.values()):
        server.abandon()
    _servers.clear()


os.register_at_fork(after_in_child=_forget_servers_of_parent)


def _terminate(process: subprocess.Popen[bytes], channel: socket.socket, owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of the owner, which still needs the server
    channel.close()  # ends a server that serves
    process.terminate()  # ends a server that still imports
    process.wait()


def serve(descriptor: int, tensorflow: int) -> None:
    """Run the server until the caller ends or closes its socket.

    Args:
        descriptor: file descriptor of the socket for requests.
        tensorflow: 1 to import TensorFlow, 0 not to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("augment.plan.compiled").setLevel(logging.ERROR)  # the caller has warned already
    for name in ("albumentations", "cv2", "pipeline.loader", *(["tensorflow"] if tensorflow else [])):
        import_module(name)
    gc.freeze()  # a collection would write to the memory of imported objects, so that forks copy it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    descriptors = _serve_requests(socket.socket(fileno=descriptor))
    if descriptors is not None:
        _run_worker(descriptors)


def _serve_requests(channel: socket.socket) -> list[int] | None:
    """Fork and end workers until the caller has ended, and return None; in a worker, return its file descriptors."""
    processes: dict[int, int] = {}
    with channel:  # a worker must not keep it open: the caller would not see the server's end
        while True:
            request, descriptors, _, _ = socket.recv_fds(
                channel, _MAX_MESSAGE_BYTES, 2 + MAX_LANES, socket.MSG_CMSG_CLOEXEC
            )
            if not request:
                break
            verb, number = json.loads(request)
            if verb == "fork":
                processes[number] = os.fork()
                if not processes[number]:
                    return descriptors
                for own in descriptors:  # a next worker must not inherit them: the caller would not see this one's end
                    os.close(own)
                continue
            ended = processes.pop(number, None)  # another thread of the caller may have ended it
            status = None if ended is None else _kill(ended)
            if verb == "status":
                channel.send(json.dumps(status).encode())
    for process in processes.values():
        _kill(process)
    return None


def _kill(process: int) -> int:
    """End a process, and return its exit status (that of an earlier end, if it had ended)."""
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
        os._exit(status)  # without the server's exit handlers
