"""Every kind of file that Caudal reads back: how one is made, what reads it, and how it is damaged.

What reads a damaged file works, or raises one error of one line that names the file and the damage.
`python -m tests.soak.stored_files` makes a thousand mutations of each kind, the tests a hundred.
"""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.errors import CaudalError
from pipeline.errors import SampleError
from tests.damage import Mutation, mutate, mutate_json, mutate_lines

if TYPE_CHECKING:
    from pipeline.identity import StreamIdentity

_JARGON = re.compile(
    r"unexpected \w+Error|report it|traceback|allow_pickle|NoneType|object is not|has no attribute|unhashable|"
    r"unsupported operand|not supported between|codec can't|\w+Error\b(?!: )",
    re.IGNORECASE,
)
"""What no message may contain: words about the program instead of the file."""


@dataclass(frozen=True)
class StoredFile:
    """A kind of file.

    Attributes:
        make: writes one, and all that belongs to it, into an empty directory; returns its path.
        read: reads it through public functions.
        mutations: kinds of damage, beside that of bytes.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    mutations: tuple[Mutation, ...] = ()


def iter_checks(kind: StoredFile, root: Path, count: int, seed: int) -> Iterator[tuple[bool, str]]:
    """Mutate a file, and read each mutation.

    Args:
        kind: of the file.
        root: an empty directory.
        count: number of mutations.
        seed: of the mutations.

    Yields:
        Whether a mutation was read, and not refused; and what is wrong with how it was refused, or "".
    """
    path = kind.make(root)
    contents = path.read_bytes()
    kind.read(path)
    for number in range(count):
        random = np.random.default_rng((seed, number))
        mutations = (mutate, *kind.mutations)
        path.write_bytes(mutations[int(random.integers(len(mutations)))](contents, random))
        fault, is_read = "", True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SyntaxWarning)  # they would be printed
                kind.read(path)
        except CaudalError as error:
            fault, is_read = _find_fault(path, error), False
        except Exception as error:
            fault, is_read = repr(error), False
        yield is_read, fault and f"mutation {number} of {path.name} (seed {seed}): {fault}"
    path.write_bytes(contents)
    kind.read(path)


def _find_fault(path: Path, error: CaudalError) -> str:
    """Return what is wrong with an error's message, or "": it names the file, or its dataset, in one line."""
    message = str(error)
    if not isinstance(error, SampleError) and path.name not in message and str(path.parent) not in message:
        return f"does not name the file: {message}"
    if _JARGON.search(message):
        return f"is about the program: {message}"
    return "" if len(message.splitlines()) == 1 else f"has several lines: {message!r}"


def make_dataset(root: Path) -> Path:
    """Convert two classes of pictures into two splits; one picture is damaged."""
    import pipeline
    from tests.conftest import make_folders

    folders = make_folders(root / "folders", {"a": 4, "b": 4})
    (folders / "b" / "0.png").write_bytes(b"damaged")
    options: dict[str, Any] = {"on_error": "skip", "shards": 1, "workers": 1, "image_size": (4, 4)}
    pipeline.convert(folders, root / "dst", **options)
    pipeline.convert(folders, root / "parts", split={"train": 0.5, "test": 0.5}, **options)
    return root / "dst"


def read_dataset(path: Path) -> None:
    """Read all samples of the dataset to which a file belongs."""
    from pipeline.sources import open_source

    source = open_source(path.parent)
    source.labels()
    for index in range(len(source)):
        try:
            source.read(index)
        except SampleError:
            continue


def verify_dataset(path: Path) -> None:
    """Verify the dataset to which a file belongs; each change of the file is found."""
    import pipeline

    faults, original = pipeline.verify(path.parent), path.parent.with_name(f"original {path.name}")
    if not original.exists():
        original.write_bytes(path.read_bytes())
    assert faults or path.read_bytes() == original.read_bytes()
    assert all(len(str(fault).splitlines()) == 1 for fault in faults)


def verify_damaged_shard(path: Path) -> None:
    """Verify a dataset whose shard has a damaged length, so that only the index tells where its records are."""
    import pipeline

    (shard,) = path.parent.glob("*.tfrecord")
    data = bytearray(shard.read_bytes())
    data[0] = 0xFF
    shard.write_bytes(data)
    assert pipeline.verify(path.parent)


def convert_again(path: Path) -> None:
    """Run the conversion again that wrote the file: it is finished, or its output must be replaced."""
    import pipeline

    root = path.parent.parent
    pipeline.convert(
        root / "folders", path.parent, on_error="skip", shards=1, workers=1, image_size=(4, 4), overwrite=False
    )


class Variable:
    """A variable as a checkpoint needs it, without TensorFlow."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.shape = values.shape

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values

    def assign(self, values: np.ndarray) -> None:
        """Set the values."""
        self.values = np.array(values)


WEIGHTS = [np.arange(6.0).reshape(2, 3), np.arange(4)]


def make_checkpoint(root: Path) -> Path:
    """Write the checkpoint of a training with two variables."""
    from training import checkpoint

    state = checkpoint.State(epoch=1, step=2, samples=3, history={"loss": [0.5]}, waiting=[0.1])
    path = root / "checkpoint.npz"
    variables = [Variable(values) for values in WEIGHTS]
    checkpoint.write(path, variables, state, {"data": "1"}, make_streams())  # type: ignore[arg-type]
    return path


def make_streams() -> "dict[str, StreamIdentity]":
    """Make the identity of the data of a training."""
    from pipeline.identity import StreamIdentity

    return {"data": StreamIdentity(fingerprint="1", order={"seed": "0"}, contents={"augment": "none"})}


def read_checkpoint(path: Path) -> None:
    """Read the checkpoint; it is refused, or holds the variables that were written."""
    from training import checkpoint

    variables = [Variable(np.zeros_like(values)) for values in WEIGHTS]
    checkpoint.read(path, variables, {"data": "1"}, make_streams())  # type: ignore[arg-type]
    assert all(np.array_equal(one.values, values) for one, values in zip(variables, WEIGHTS, strict=True))


def mutate_header(name: str) -> Mutation:
    """Return a mutation of the JSON in an array of an .npz file, whose checksums are right."""
    import io

    def mutate_it(contents: bytes, random: np.random.Generator) -> bytes:
        with np.load(io.BytesIO(contents), allow_pickle=False) as stored:
            arrays = dict(stored)
        is_text = arrays[name].dtype.kind == "U"
        header = str(arrays[name]).encode() if is_text else arrays[name].tobytes()
        mutated = mutate_json(header, random)
        arrays[name] = np.array(mutated.decode()) if is_text else np.frombuffer(mutated, np.uint8)
        if not random.integers(5):
            odd = (np.array(1j), np.array("x"), np.zeros((0, 3)), np.array([b"x", None]), np.zeros(3, "i4,f8"))
            arrays[str(random.choice([*arrays]))] = odd[int(random.integers(len(odd)))]
        written = io.BytesIO()
        np.savez(written, **arrays)
        return written.getvalue()

    return mutate_it


def make_statistics(suffix: str) -> Callable[[Path], Path]:
    """Return a function that writes statistics; those in .npz have a whitening."""

    def make(root: Path) -> Path:
        from pipeline.keras.statistics import Statistics, Whitening

        whitening = Whitening(np.eye(3), np.ones(3)) if suffix == ".npz" else None
        settings = {"image_size": [1, 1], "rescale": None}
        path = root / f"statistics{suffix}"
        Statistics(count=3, mean=np.ones(3), std=np.ones(3), whitening=whitening, settings=settings).save(path)
        return path

    return make


def read_statistics(path: Path) -> None:
    """Read statistics, and save what was read."""
    from pipeline.keras.statistics import Statistics

    Statistics.load(path).save(path.with_name(f"again{path.suffix}"))


def make_search(root: Path) -> Path:
    """Write a study of two trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="caudal", storage=f"sqlite:///{root / 'search.db'}")
    study.enqueue_trial({"x": 0.5})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    return root / "search.db"


def read_search(path: Path) -> None:
    """List the trials of a study."""
    from training.search import list_finished, load

    list_finished(load(path.parent))


def make_texts(name: str, contents: bytes) -> Callable[[Path], Path]:
    """Return a function that writes a file."""

    def make(root: Path) -> Path:
        (root / name).write_bytes(contents)
        return root / name

    return make


def read_texts(path: Path) -> None:
    """Read all texts of a file of rows."""
    from pipeline.sources.text import open_text_source

    source = open_text_source(path)
    for index in range(len(source)):
        try:
            source.read(index)
        except SampleError:
            continue


def make_transform(suffix: str) -> Callable[[Path], Path]:
    """Return a function that saves a composition."""

    def make(root: Path) -> Path:
        import albumentations as A  # noqa: N812  # the usual name

        flips = A.OneOf([A.HorizontalFlip(), A.RandomRotate90(p=0.5)])
        transform = A.Compose([A.RandomResizedCrop((8, 8)), flips, A.ColorJitter(), A.CoarseDropout()])
        A.save(transform, root / f"transform{suffix}", data_format="json" if suffix == ".json" else "yaml")
        return root / f"transform{suffix}"

    return make


def read_transform(path: Path) -> None:
    """Read a transform."""
    import augment

    augment.load(path)


def read_space(path: Path) -> None:
    """Read a search space."""
    from training.space import read_space

    read_space(path)


def read_coco(path: Path) -> None:
    """Read the boxes and keypoints of one image."""
    from training.preview.annotations import Annotations

    annotations = Annotations(path)
    annotations.check_matches(["a/1.jpg"])
    annotations.find("a/1.jpg", (20, 30))


_SPACE = b'model = ["graph", "vgg-a"]\nepochs = {low = 1, high = 3}\nwidth = {low = 0.1, high = 1, log = true}\n'
_ROWS = b'text,label\ngood,1\n"very, very bad",0\nfair,1\n"two\nlines",0\n'
_JSON_ROWS = b'{"text": "good", "label": 1}\n{"text": "bad", "label": 0}\n{"text": "fair", "label": 1}\n'
_COCO = {
    "images": [{"id": 1, "file_name": "a/1.jpg"}, {"id": 2, "file_name": "a/2.jpg"}],
    "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2]}],
    "categories": [{"id": 3, "name": "ant"}],
}


def mutate_toml(contents: bytes, random: np.random.Generator) -> bytes:  # noqa: ARG001  # as other mutations
    """Return TOML that is nested too deeply, or whose numbers or dates are none."""
    hostile = [b"a = " + b"[" * 100_000, b"epochs = " + b"9" * 5000, b"\xff", b"[[x]]\ny = 1979-13-45", b"epochs = nan"]
    return hostile[int(random.integers(len(hostile)))]


STORED_FILES: dict[str, StoredFile] = {
    "dataset.json, loaded": StoredFile(lambda root: make_dataset(root) / "dataset.json", read_dataset, (mutate_json,)),
    "dataset.json, verified": StoredFile(
        lambda root: make_dataset(root) / "dataset.json", verify_dataset, (mutate_json,)
    ),
    "dataset.json, converted again": StoredFile(
        lambda root: make_dataset(root) / "dataset.json", convert_again, (mutate_json,)
    ),
    "splits.json": StoredFile(
        lambda root: make_dataset(root).with_name("parts") / "splits.json", verify_dataset, (mutate_json,)
    ),
    "skipped.jsonl": StoredFile(lambda root: make_dataset(root) / "skipped.jsonl", convert_again, (mutate_json,)),
    "index.npy": StoredFile(lambda root: next(make_dataset(root).glob("*.npy")), read_dataset),
    "index.npy of a damaged shard": StoredFile(
        lambda root: next(make_dataset(root).glob("*.npy")), verify_damaged_shard
    ),
    "checkpoint.npz": StoredFile(make_checkpoint, read_checkpoint, (mutate_header("json"),)),
    "statistics.json": StoredFile(make_statistics(".json"), read_statistics, (mutate_json,)),
    "statistics.npz": StoredFile(make_statistics(".npz"), read_statistics, (mutate_header("head"),)),
    "search.db": StoredFile(make_search, read_search),
    "space.toml": StoredFile(make_texts("space.toml", _SPACE), read_space, (mutate_lines, mutate_toml)),
    "rows.csv": StoredFile(make_texts("rows.csv", _ROWS), read_texts, (mutate_lines,)),
    "rows.tsv": StoredFile(make_texts("rows.tsv", _ROWS.replace(b",", b"\t")), read_texts, (mutate_lines,)),
    "rows.jsonl": StoredFile(make_texts("rows.jsonl", _JSON_ROWS), read_texts, (mutate_lines,)),
    "rows.txt": StoredFile(make_texts("rows.txt", b"1 good\n0 very bad\n1 fair\n"), read_texts, (mutate_lines,)),
    "transform.json": StoredFile(make_transform(".json"), read_transform, (mutate_json,)),
    "transform.yaml": StoredFile(make_transform(".yaml"), read_transform, (mutate_lines,)),
    "coco.json": StoredFile(make_texts("coco.json", json.dumps(_COCO).encode()), read_coco, (mutate_json,)),
}
