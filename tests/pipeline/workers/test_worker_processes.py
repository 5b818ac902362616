"""Processes that make batches are replaced where they die, and end with what they were started for."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import Loader
from pipeline.errors import WorkerError
from tests.pipeline.workers.processes import children, fail, grandchildren, is_alive, iterate_until_served, until


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Give 40 noisy images and their labels."""
    return np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8), np.arange(40) % 3


@pytest.mark.parametrize("server", [False, True], ids=["workers", "server and workers"])
def test_dead_processes_are_replaced(arrays: Any, server: bool) -> None:
    """A process that is killed costs a batch made twice, and nothing else."""
    before, others = children(), grandchildren()
    loader = iterate_until_served(
        Loader(arrays, image_size=None, batch_size=4, workers=2, num_parallel_calls=1, prefetch=0)
    )
    batches = iter(loader.dataset().as_numpy_iterator())
    made = [next(batches)[0].tobytes()]
    for process in [*(children() - before if server else ()), *(grandchildren() - others)]:
        os.kill(process, signal.SIGKILL)
    made += [images.tobytes() for images, _ in batches]
    alone = Loader(arrays, image_size=None, batch_size=4)
    assert made == [images.tobytes() for images, _ in alone.dataset().as_numpy_iterator()]
    assert grandchildren() - others


def test_workers_outlive_their_server(arrays: Any) -> None:
    """The server alone is not needed for batches."""
    before = children()
    loader = iterate_until_served(Loader(arrays, image_size=None, batch_size=4, workers=1))
    (process,) = children() - before
    os.kill(process, signal.SIGKILL)
    until(lambda: process not in children())
    assert sum(1 for _ in loader.dataset()) == 10


def test_workers_that_keep_dying_are_given_up(arrays: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transform that ends the process is not tried for ever; the error says where it happened."""
    (tmp_path / "deadly.py").write_text(
        "import os, albumentations as A\n"
        "class Deadly(A.ImageOnlyTransform):\n"
        "    def apply(self, img, **params):\n"
        "        if os.environ.get('OMP_NUM_THREADS') == '1': os._exit(7)\n"
        "        return img\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    import deadly

    loader = Loader(arrays, image_size=None, augment=deadly.Deadly(p=1), workers=1)
    with pytest.raises(Exception, match=r"ended with exit statuses \[7, 7, 7\]"):
        fail(loader)
    assert isinstance(loader.failure, WorkerError)


def test_workers_end_with_the_loader(arrays: Any) -> None:
    """No process and no open file is left behind."""
    gc.collect()
    before, files = children(), len(os.listdir("/proc/self/fd"))
    loader = iterate_until_served(Loader(arrays, image_size=None, workers=2))
    ours = children() - before | {worker for process in children() - before for worker in children(process)}
    assert len(ours) == 3
    del loader

    def have_all_ended() -> bool:
        gc.collect()
        return not any(map(is_alive, ours)) and len(os.listdir("/proc/self/fd")) <= files

    until(have_all_ended)


def test_loaders_share_a_server(arrays: Any) -> None:
    """What workers need is imported once."""
    before = children()
    loaders = [iterate_until_served(Loader(arrays, image_size=None, workers=1, seed=seed)) for seed in (1, 2)]
    assert len(children() - before) == 1
    others = grandchildren()
    del loaders[0]

    def has_one_ended() -> bool:
        gc.collect()
        return len(grandchildren()) == len(others) - 1

    until(has_one_ended)
    assert sum(1 for _ in loaders[0].dataset()) == 2


SCRIPT = """
import sys
import numpy as np
from pipeline import Loader
from tests.pipeline.workers.processes import children, fail, grandchildren, iterate_until_served
arrays = np.zeros((40, 8, 8, 3), np.uint8), np.zeros(40, int)
loader = iterate_until_served(Loader(arrays, image_size=None, workers=2))
print(*children(), *grandchildren(), flush=True)
if sys.argv[1:] == ["wait"]:
    while True:
        for _ in loader.dataset():
            pass
"""


@pytest.mark.parametrize("how", [None, signal.SIGKILL, signal.SIGINT], ids=["exit", "killed", "interrupted"])
def test_workers_end_with_the_process(how: signal.Signals | None) -> None:
    """However a script ends, which may come from anywhere, it leaves nothing behind."""
    process = subprocess.Popen(
        [sys.executable, "-", *(["wait"] if how else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(SCRIPT)
    process.stdin.close()
    ours = [int(number) for number in process.stdout.readline().split()]
    assert len(ours) == 3
    if how:
        os.killpg(process.pid, how)
    assert process.stdout.read() == ""
    process.wait(60)
    process.stdout.close()
    until(lambda: not any(map(is_alive, ours)))


FORKING_SCRIPT = """
import gc, os
import numpy as np
from pipeline import Loader
from tests.pipeline.workers.processes import grandchildren, is_alive, iterate_until_served
arrays = np.zeros((40, 8, 8, 3), np.uint8), np.zeros(40, int)
loader = iterate_until_served(Loader(arrays, image_size=None, workers=2))
ours = grandchildren()
child = os.fork()
if not child:
    del loader
    gc.collect()
    os._exit(0)
os.waitpid(child, 0)
print(len(ours), sum(1 for _ in loader.dataset()), all(map(is_alive, ours)))
"""


def test_a_fork_leaves_the_workers_alone() -> None:
    """A process that user code has forked may let go of the loader: its owner still needs the workers."""
    found = subprocess.run(
        [sys.executable, "-c", FORKING_SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.stdout == "2 2 True\n"
