"""Descriptions: equal for pipelines that make equal pixels, and different for all others, in every process."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np
import pytest

from augment import KeyedTransform, contents, keys
from augment.description import describe, digest, identify
from augment.mixing import MixUp
from tests.augment.own_transforms import Mode, Reverse, Settings, Shift, darken, make_pipeline
from tests.augment.random_transforms import UNUSED, iter_variations, make

pytestmark = pytest.mark.filterwarnings("ignore:Using lambda", "ignore:.*default:UserWarning")


def test_every_argument_of_every_transform_changes_the_description() -> None:
    """What two transforms of Albumentations draw or do differently is never described alike."""
    described: dict[Any, set[str]] = {}
    for kind, name, value, transform in iter_variations():
        seen = described.setdefault(kind, {json.dumps(describe(make(kind, {})))})
        if (kind.__name__, name) not in UNUSED:
            text = json.dumps(describe(transform))
            assert text not in seen, (kind, name, value)
            seen.add(text)
    assert sum(map(len, described.values())) > 540


def test_what_albumentations_describes_exactly_keeps_its_description() -> None:
    """Fingerprints of its own transforms, in checkpoints and manifests, stay as they were."""
    for kind, transform in {kind: transform for kind, *_, transform in iter_variations(seed=1)}.items():
        composed = A.Compose([transform, A.OneOf([A.HorizontalFlip()])], seed=3, strict=False)
        if kind is not A.Lambda:
            assert describe(composed) == composed.to_dict()


FLIPS = (A.HorizontalFlip, A.VerticalFlip)


def compose(kind: Any, **options: Any) -> Any:
    """Make a composition of two flips."""
    return kind([flip() for flip in FLIPS], **options)


PARAMS = {"format": "coco", "label_fields": ["labels"]}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (A.Compose, [{}, {"p": 0.5}, {"additional_targets": {"a": "image"}}, {"additional_targets": {"b": "image"}}]),
        (A.Compose, [{"bbox_params": A.BboxParams(**PARAMS, filter_invalid_bboxes=value)} for value in (False, True)]),
        (A.Compose, [{"keypoint_params": A.KeypointParams(kind)} for kind in ("xy", "xya")]),
        (A.ReplayCompose, [{}, {"p": 0.5}, {"save_key": "other"}, {"is_check_shapes": False}]),
        (A.OneOf, [{}, {"p": 0.7}]),
        (A.Sequential, [{}, {"p": 0.7}]),
        (A.SomeOf, [{}, {"n": 2}, {"replace": True}, {"p": 0.5}]),
        (A.RandomOrder, [{}, {"n": 2}, {"replace": True}, {"p": 0.5}]),
        (A.SelectiveChannelTransform, [{}, {"channels": (0, 1)}, {"channels": (1, 0)}, {"channels": (2,)}, {"p": 0.5}]),
    ],
)
def test_every_argument_of_every_composition_changes_the_description(kind: Any, options: list[Any]) -> None:
    """Alone, and nested in another composition."""
    wraps: list[Any] = [lambda made: made, lambda made: A.Compose([A.Blur(), made])]
    for wrap in wraps[: 1 if options[-1].keys() & {"bbox_params", "keypoint_params"} else 2]:  # the outer one's apply
        described = [json.dumps(describe(wrap(compose(kind, **one)))) for one in options]
        assert len(set(described)) == len(options)
        assert described == [json.dumps(describe(wrap(compose(kind, **one)))) for one in options]


def test_a_replay_is_told_by_what_it_replays() -> None:
    """Replaying other parameters is another augmentation."""
    image = np.zeros((8, 8, 3), np.uint8)
    recorder = A.ReplayCompose([A.Rotate((-90, 90), p=1)])
    recorded = [recorder(image=image)["replay"] for _ in range(2)]
    replays = [A.ReplayCompose._restore_for_replay(one) for one in (*recorded, recorded[0])]
    one, other, again = map(describe, replays)
    assert one == again != other


def close(value: Any) -> Callable[..., Any]:
    """Make a function with a closure."""
    return lambda image, **_: image + value


OFFSETS = [3, 4]
TABLES = [np.arange(3000), np.where(np.arange(3000) == 1500, 0, np.arange(3000))]

FUNCTIONS: list[Callable[..., Any]] = [
    lambda image, **_: image,
    lambda image, **_: image + 1,
    lambda image, **_: image + 2,
    lambda image, **_: image - 1,
    lambda image, **_: image.sum(),
    lambda image, **_: image.min(),
    lambda image, **_: [image + one for one in (1, 2)],
    lambda image, **_: [image + one for one in (1, 3)],
    lambda image, **_: (lambda: image + 1)(),
    lambda image, **_: (lambda: image + 5)(),
    lambda image, by=1, **_: image + by,
    lambda image, by=2, **_: image + by,
    lambda image, *, by=2, **_: image + by,
    lambda image, **_: image + OFFSETS[0],
    lambda image, **_: image + TABLES[0],
    lambda image, **_: image in {"a", "b", "c"},
    close(1),
    close(2),
    close({"a", "b", "c"}),
    close({"a", "b", "d"}),
    close(TABLES[0]),
    close(TABLES[1]),
    close(Mode.ADD),
    close(Settings()),
    close(Settings((1, 3))),
    partial(np.add, 1),
    partial(np.add, 2),
    np.add,
    np.flip,
    Shift(3).apply,
    Shift(4).apply,
]


def test_functions_are_told_apart_by_what_they_do() -> None:
    """Code, constants, names, defaults, closures and globals count; names and addresses do not."""
    described = [digest(function) for function in FUNCTIONS]
    assert len(set(described)) == len(described)
    assert described == [digest(function) for function in FUNCTIONS]
    assert [digest(close(TABLES[index].copy())) for index in (0, 1)] == [digest(close(table)) for table in TABLES]
    for name in (None, "name"):
        pipelines = [A.Compose([A.Lambda(image=function, name=name)]) for function in FUNCTIONS]
        assert len({json.dumps(describe(pipeline)) for pipeline in pipelines}) == len(FUNCTIONS)
    first, second = (A.Lambda(name="name", image=np.flip, p=p) for p in (0.4, 0.5))
    assert describe(first) != describe(second)


def test_a_global_of_a_function_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does the value of a constant that the script sets, and what a helper of the function refers to."""
    one = Shift().apply
    nested = lambda image, **_: close(OFFSETS)(image)  # noqa: E731
    before = digest(one), digest(nested)
    monkeypatch.setitem(globals(), "OFFSETS", [3, 5])
    assert digest(nested) != before[1]
    monkeypatch.setattr(Shift, "scale", 2)
    assert digest(one) != before[0]


def test_an_attribute_of_a_function_counts() -> None:
    """If its code reads it; others may change in each call."""

    def shift(image: Any, **_: Any) -> Any:
        return image + vars(shift)["levels"] + shift.levels  # type: ignore[attr-defined]

    described = []
    for levels in (1, 2, 2):
        vars(shift).update(levels=levels, calls=len(described))
        described.append(digest(shift))
    assert described[0] != described[1] == described[2]


@pytest.mark.parametrize(
    "values",
    [
        [5, 6, 5.0, "5", None, True],
        TABLES,
        [TABLES[0].astype(dtype) for dtype in ("int64", "int32", "float32")] + [TABLES[0].reshape(-1, 10)],
        [Mode.ADD, Mode.SUBTRACT],
        [Settings(), Settings((2, 1)), Settings(mode=Mode.SUBTRACT)],
        [A.Blur(), A.Blur(p=0.3), A.Compose([A.Blur()])],
        [{"a", "b"}, {"a", "c"}, frozenset(("a", "b", "c"))],
        [{"a": 1}, {"a": 2}, {1: "a"}, {"a": [1]}, {"a": (1,)}],
    ],
)
def test_attributes_of_own_transforms_are_described(values: list[Any]) -> None:
    """Of any type, also where the argument has another name than the attribute."""
    described = [json.dumps(describe(A.Compose([Shift(value)]))) for value in values]
    assert len(set(described)) == len(values)
    assert described == [json.dumps(describe(A.Compose([Shift(value)]))) for value in values]


def test_the_code_of_own_transforms_is_described() -> None:
    """Two classes of one name are not one class."""

    def define(levels: int) -> Any:
        class Own(A.InvertImg):
            def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:  # noqa: ARG002
                return img + np.uint8(levels)

        return Own(p=1)

    one, other, again = (describe(define(levels)) for levels in (1, 2, 1))
    assert one == again != other


def test_using_a_pipeline_does_not_change_its_description() -> None:
    """What the last call has left changes no pixel of the next one."""
    pipeline = make_pipeline()
    before = describe(pipeline)
    image = np.zeros((32, 32, 3), np.uint8)
    pipeline(image=image, bboxes=[], labels=[])
    KeyedTransform(pipeline)(image, keys.root(0))
    assert describe(pipeline) == before == describe(make_pipeline())


def test_a_description_holds_in_every_process() -> None:
    """Another order of sets, and other addresses, change nothing: a run can be resumed."""
    program = (
        "import json\nfrom augment.description import describe, digest, identify\n"
        "from tests.augment.own_transforms import *\n"
        "print(json.dumps([describe(make_pipeline()), digest(darken), identify(Reverse())]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "97", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", program]
    found = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, timeout=120)
    expected = json.dumps([describe(make_pipeline()), digest(darken), identify(Reverse())])
    assert found.stdout.decode().strip() == expected
    assert " at 0x" not in found.stdout.decode()


def test_what_cannot_be_told_apart_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An object without contents has its type only."""
    with caplog.at_level(logging.WARNING):
        one, other = (describe(Shift(threading.Lock())) for _ in range(2))
    assert one == other
    assert [record.message for record in caplog.records] == [
        "fingerprint: objects of type _thread.lock cannot be told apart: pipelines that differ in nothing else have "
        "equal fingerprints, so that a resumed run does not notice the change"
    ]


def test_circles_and_shared_parts_have_contents() -> None:
    """An object that contains itself is described, and a shared part as a copy of it."""
    circle: list[Any] = [1]
    circle.append(circle)
    shared = [1, 2]
    assert contents.read(circle).data == [1, {"around": 1}]
    assert digest([shared, shared]) == digest([[1, 2], [1, 2]]) != digest([[1, 2], [1, 3]])


def test_long_chains_of_functions_end() -> None:
    """Python's stack does not: the rest of the chain cannot be told apart, and is named."""
    chain: Any = 1
    for _ in range(500):
        chain = close(chain)
    assert contents.read(chain).unknown == ("tests.augment.test_description.close.<locals>.<lambda>",)
    assert digest(close(chain)) == digest(close(chain))


def test_only_what_a_user_has_defined_is_named_by_a_digest() -> None:
    """Mixers and views of Caudal keep the place that they have in fingerprints."""
    assert identify(MixUp(0.3)) == MixUp(0.3)
    assert isinstance(identify(Reverse()), str)
    assert identify(None) is None
