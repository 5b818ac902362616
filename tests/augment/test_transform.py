"""Albumentations transforms with a key: the same key gives the same pixels, whoever asks and whatever came before."""

import inspect
import json
import random
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np
import pytest

import augment
from augment import KeyedTransform, TransformError, keys

PIPELINE = [A.RandomResizedCrop((16, 20)), A.HorizontalFlip(), A.Rotate((-30, 30)), A.ColorJitter(), A.CoarseDropout()]

NEED_COLOR = {
    A.ChannelDropout,
    A.ChromaticAberration,
    A.HEStain,
    A.ISONoise,
    A.PlanckianJitter,
    A.RandomFog,
    A.RandomGravel,
    A.RandomRain,
    A.RandomSnow,
    A.RandomSunFlare,
    A.Spatter,
}
"""The transforms that refuse gray images."""

NEED_MORE = {
    A.BBoxSafeRandomCrop,
    A.CoarseDropout3D,
    A.CubicSymmetry,
    A.FDA,
    A.HistogramMatching,
    A.MaskDropout,
    A.Mosaic,
    A.OverlayElements,
    A.PixelDistributionAdaptation,
    A.RandomCropNearBBox,
}
"""The transforms that need more than an image: masks, boxes, volumes, other images."""

ABSTRACT = {A.BasicTransform, A.DualTransform, A.ImageOnlyTransform, A.Transform3D}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "CenterCrop": {"height": 16, "width": 20},
    "Crop": {"x_min": 2, "y_min": 3, "x_max": 30, "y_max": 31},
    "CropAndPad": {"px": 2},
    "GridElasticDeform": {"num_grid_xy": (3, 3), "magnitude": 3},
    "LongestMaxSize": {"max_size": 30},
    "RandomCrop": {"height": 16, "width": 20},
    "RandomResizedCrop": {"size": (16, 20)},
    "RandomSizedCrop": {"min_max_height": (10, 20), "size": (16, 20)},
    "Resize": {"height": 16, "width": 20},
    "SmallestMaxSize": {"max_size": 30},
    "Superpixels": {"n_segments": (4, 6), "p_replace": (0.5, 1)},
}
"""What the transforms are made with that cannot be made, or are slow, without arguments."""

NO_IMAGES = {"AtLeastOneBBoxRandomCrop", "CenterCrop3D", "CropNonEmptyMaskIfExists", "Pad3D", "PadIfNeeded3D"} | {
    "RandomCrop3D",
    "RandomSizedBBoxSafeCrop",
    "TextImage",
}
"""The transforms that need arguments and more than an image."""


def all_transforms() -> list[Any]:
    """Make every transform of Albumentations that works on an image alone, always applied."""
    classes = [value for _, value in inspect.getmembers(A, inspect.isclass) if issubclass(value, A.BasicTransform)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the defaults that some warn of themselves
        return [
            made(**ARGUMENTS.get(made.__name__, {}), p=1)
            for made in classes
            if made not in NEED_MORE | ABSTRACT and made.__name__ not in NO_IMAGES
        ]


def key_of(*path: int) -> keys.Key:
    """Make a key of a path."""
    return keys.fold_in(keys.root(0), "augment", *path)


@pytest.fixture
def image(picture: Callable[..., np.ndarray]) -> np.ndarray:
    """Return a picture [32, 40, 3] that cannot be written to."""
    made = picture(0, 32, 40)
    made.setflags(write=False)
    return made


def test_every_known_transform_is_tried() -> None:
    """The registry below covers Albumentations: hardly any transform is left out of the tests."""
    assert len(all_transforms()) > 85


@pytest.mark.filterwarnings("ignore::UserWarning")  # some warn that an image is not what they are best at
@pytest.mark.parametrize("transform", all_transforms(), ids=lambda transform: type(transform).__name__)
def test_every_transform_is_a_function_of_image_and_key(transform: Any, image: np.ndarray) -> None:
    """Another copy, asked in another order, under other global generators, gives the same pixels; the input is kept."""
    before = image.tobytes()
    forwards, backwards = KeyedTransform(transform), KeyedTransform(transform)
    there = [forwards(image, key_of(number)) for number in range(3)]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  # what some transforms might read
    back = [backwards(image, key_of(number)) for number in (2, 1, 0)]
    for one, other in zip(there, reversed(back), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert image.tobytes() == before


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("transform", all_transforms(), ids=lambda transform: type(transform).__name__)
def test_gray_images_keep_three_dimensions(transform: Any, image: np.ndarray) -> None:
    """[H, W, 1] becomes [H', W', C] under every transform that takes gray images."""
    gray = np.ascontiguousarray(image[..., :1])
    if type(transform) in NEED_COLOR:
        with pytest.raises(TransformError):
            KeyedTransform(transform)(gray, key_of(0))
    else:
        assert KeyedTransform(transform)(gray, key_of(0)).ndim == 3


def test_the_global_generators_are_left_alone(image: np.ndarray) -> None:
    """An augmentation neither draws from nor seeds `random` and `numpy.random`."""
    random.seed(97531)
    np.random.seed(97531)  # noqa: NPY002  # the global state is the subject
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    transform = KeyedTransform(PIPELINE)
    for number in range(5):
        transform(image, key_of(number))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_eight_threads_give_what_one_gives(image: np.ndarray) -> None:
    """400 calls from eight threads, in no order, give each key the pixels that it has alone."""
    alone = KeyedTransform(PIPELINE)
    wanted = [alone(image, key_of(number)).tobytes() for number in range(100)]
    shared = KeyedTransform(PIPELINE)
    numbers = np.random.default_rng(0).permutation(np.repeat(np.arange(100), 4)).tolist()
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda number: shared(image, key_of(number)).tobytes(), numbers))
    assert given == [wanted[number] for number in numbers]
    assert len(set(wanted)) == 100


def test_two_coin_flips_of_one_pipeline_are_independent(image: np.ndarray) -> None:
    """All four outcomes of two flips come about equally often (under `Compose(seed=s)` two never come)."""
    transform = KeyedTransform(A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]))
    outcomes = {
        image.tobytes(): "none",
        image[:, ::-1].tobytes(): "horizontal",
        image[::-1].tobytes(): "vertical",
        image[::-1, ::-1].tobytes(): "both",
    }
    counts = Counter(outcomes[transform(image, key_of(number)).tobytes()] for number in range(800))
    assert set(counts) == {"none", "horizontal", "vertical", "both"}
    assert list(counts.values()) == pytest.approx([200] * 4, abs=50)


class Drawing(A.ImageOnlyTransform):
    """A transform that notes down what its two generators draw."""

    drawn: ClassVar[list[float]] = []

    def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
        """Draw, and leave the image as it is."""
        self.drawn += [self.random_generator.random(), self.py_random.random()]
        return img


def test_all_transforms_of_a_pipeline_draw_differently(image: np.ndarray) -> None:
    """Three transforms of one kind draw unrelated numbers from both of their generators, for every key."""
    Drawing.drawn.clear()
    transform = KeyedTransform([Drawing(p=1), A.Sequential([Drawing(p=1), Drawing(p=1)], p=1)])
    for number in range(300):
        transform(image, key_of(number))
    drawn = np.reshape(Drawing.drawn, (300, 6))
    assert len(np.unique(drawn)) == 1800
    correlation = np.corrcoef(drawn, rowvar=False) - np.eye(6)
    assert np.abs(correlation).max() < 0.2


@pytest.mark.parametrize(
    "composed",
    [
        A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1), A.Transpose(p=1)], p=1),
        A.SomeOf([A.HorizontalFlip(p=1), A.Rotate((5, 80), p=1), A.Blur(p=1), A.ToGray(p=1)], n=2, p=1),
        A.OneOrOther(A.HorizontalFlip(p=1), A.VerticalFlip(p=1)),
        A.RandomOrder([A.Rotate((5, 80), p=1), A.Blur(p=1), A.RandomGamma(p=1)], n=2),
        A.Sequential([A.HorizontalFlip(), A.Rotate((-40, 40))], p=0.7),
        A.SelectiveChannelTransform([A.RandomGamma(p=1), A.GaussNoise(p=1)], p=1),
        A.Compose([A.OneOf([A.Sequential([A.RandomGamma(p=1), A.OneOf([A.Blur(p=1), A.Rotate((5, 80), p=1)])])])]),
    ],
    ids=lambda composed: type(composed).__name__,
)
def test_compositions_are_reproducible_however_deep(composed: Any, image: np.ndarray) -> None:
    """Every composition, nested or not, chooses by the key: the same for a key, different between keys."""
    one, other = KeyedTransform([composed]), KeyedTransform([composed])
    there = [one(image, key_of(number)).tobytes() for number in range(20)]
    back = [other(image, key_of(number)).tobytes() for number in reversed(range(20))]
    assert there == back[::-1]
    assert len(set(there)) >= 2


def test_a_seed_of_the_compose_changes_nothing(image: np.ndarray) -> None:
    """The key alone decides: `Compose(..., seed=s)` gives the same pixels for every s."""
    made = [KeyedTransform(A.Compose([A.HorizontalFlip(), A.Rotate()], seed=seed)) for seed in (None, 1, 2)]
    for number in range(5):
        assert len({transform(image, key_of(number)).tobytes() for transform in made}) == 1


def test_the_object_given_is_never_changed(image: np.ndarray) -> None:
    """The user's own pipeline keeps its parameters and its generators, whatever is drawn in its name."""
    given = A.Compose([A.HorizontalFlip(), A.OneOf([A.Blur(), A.Rotate()])], seed=7)
    twin = A.Compose([A.HorizontalFlip(), A.OneOf([A.Blur(), A.Rotate()])], seed=7)
    transform = KeyedTransform(given)
    for number in range(5):
        transform(image, key_of(number))
    assert given.to_dict() == twin.to_dict()
    for _ in range(5):
        np.testing.assert_array_equal(given(image=image)["image"], twin(image=image)["image"])


@pytest.mark.parametrize(
    "given",
    [
        A.VerticalFlip(p=1),
        [A.VerticalFlip(p=1)],
        (A.VerticalFlip(p=1),),
        A.Compose([A.VerticalFlip(p=1)]),
        A.Sequential([A.VerticalFlip(p=1)], p=1),
        [[A.VerticalFlip(p=1)], A.NoOp()],
        [A.Compose([A.VerticalFlip(p=1)])],
    ],
    ids=["transform", "list", "tuple", "Compose", "Sequential", "nested list", "list of Compose"],
)
def test_a_transform_a_composition_and_a_list_are_taken_alike(given: Any, image: np.ndarray) -> None:
    """A single transform, a composition, and a (nested) list of them need no wrapping."""
    np.testing.assert_array_equal(KeyedTransform(given)(image, key_of(0)), image[::-1])


def test_an_empty_list_changes_nothing(image: np.ndarray) -> None:
    """No transform at all is the identity."""
    np.testing.assert_array_equal(KeyedTransform([])(image, key_of(0)), image)


@pytest.mark.parametrize("given", [3, "flip", None, A.HorizontalFlip, len, [A.HorizontalFlip(), 3], {"p": 1}])
def test_what_is_no_transform_is_refused(given: object) -> None:
    """The error says what an augmentation may be, and what was given."""
    culprit = given[1] if isinstance(given, list) else given
    with pytest.raises(TransformError) as caught:
        KeyedTransform(given)
    assert str(caught.value) == (
        f"an augmentation must be an Albumentations transform, a composition, or a list of them, got {culprit!r}"
    )


class Fragile(A.ImageOnlyTransform):
    """A transform that always fails."""

    def apply(self, img: np.ndarray, **_: Any) -> np.ndarray:
        """Fail."""
        raise ZeroDivisionError(f"no way with {img.shape}")


def test_the_error_of_a_transform_says_what_happened(image: np.ndarray) -> None:
    """Whatever a transform raises comes as one error class, with the original's class and text, and as its cause."""
    with pytest.raises(TransformError, match=r"ZeroDivisionError in .*: no way with \(32, 40, 3\)") as caught:
        KeyedTransform([A.HorizontalFlip(p=1), Fragile(p=1)])(image, key_of(0))
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_error_names_the_transform_that_failed(image: np.ndarray) -> None:
    """Among several transforms, the one that failed is named."""
    with pytest.raises(TransformError, match="Fragile"):
        KeyedTransform([A.HorizontalFlip(p=1), Fragile(p=1), A.VerticalFlip()])(image, key_of(0))


def test_a_transform_works_again_after_it_failed(picture: Callable[..., np.ndarray]) -> None:
    """An image that is too small for a crop harms no later image."""
    transform = KeyedTransform(A.RandomCrop(16, 16))
    with pytest.raises(TransformError, match=r"[Cc]rop"):
        transform(picture(0, 8, 8), key_of(0))
    large = picture(1, 32, 32)
    np.testing.assert_array_equal(transform(large, key_of(0)), KeyedTransform(A.RandomCrop(16, 16))(large, key_of(0)))


def test_floating_point_comes_out_where_the_pipeline_ends_in_it(image: np.ndarray) -> None:
    """`Normalize` at the end gives float32."""
    assert KeyedTransform([A.HorizontalFlip(), A.Normalize()])(image, key_of(0)).dtype == np.float32


def test_equal_pipelines_are_described_alike() -> None:
    """`to_dict` is the same for pipelines made alike, and differs where a parameter does."""
    one, same, other = (KeyedTransform([A.HorizontalFlip(p=p), A.Blur()]).to_dict() for p in (0.5, 0.5, 0.6))
    assert one == same != other
    json.dumps(one)


@pytest.mark.filterwarnings("ignore:Using lambda")
@pytest.mark.parametrize("wrap", [lambda transform: transform, lambda transform: A.Compose([transform])])
def test_what_cannot_be_serialized_is_described_by_its_contents(wrap: Callable[[Any], Any]) -> None:
    """A transform that Albumentations cannot serialize still has a description, alone and in a pipeline."""
    one, same, other = (A.Lambda(image=lambda image, by=by, **_: image + by) for by in (1, 1, 2))
    described = [KeyedTransform(wrap(nameless)).to_dict() for nameless in (one, same, other)]
    assert "Lambda" in described[0]["transforms"]
    assert described[0] == described[1] != described[2]


def test_the_repr_shows_the_pipeline() -> None:
    """Printing shows what was given."""
    assert repr(KeyedTransform(A.VerticalFlip(p=1))).startswith("KeyedTransform(VerticalFlip(")


@pytest.mark.parametrize(("name", "data_format"), [("p.json", "json"), ("p.yaml", "yaml"), ("p.yml", "yaml")])
def test_what_albumentations_saved_is_loaded(name: str, data_format: str, image: np.ndarray, tmp_path: Path) -> None:
    """JSON and YAML give back a pipeline that gives the same pixels."""
    pipeline = A.Compose([A.HorizontalFlip(), A.OneOf([A.Blur(), A.RandomGamma()]), A.Rotate((-20, 20))])
    A.save(pipeline, str(tmp_path / name), data_format=data_format)
    loaded, original = KeyedTransform(augment.load(tmp_path / name)), KeyedTransform(pipeline)
    for number in range(5):
        np.testing.assert_array_equal(loaded(image, key_of(number)), original(image, key_of(number)))
    assert loaded.to_dict() == original.to_dict()


@pytest.mark.parametrize("extension", ["json", "yaml"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a transform",
        b"null",
        b"[]",
        b"{}",
        b'{"transform": 3}',
        b'{"transform": {"__class_fullname__": "os.system", "p": 1}}',
        b'{"transform": {"__class_fullname__": "HorizontalFlip", "p": 7}}',
        b"\xff\xfe\x00junk",
        b"{" * 50,
        b"!!python/object/apply:os.system ['exit 1']",
    ],
)
def test_garbage_is_refused_as_no_transform(content: bytes, extension: str, tmp_path: Path) -> None:
    """Whatever else stands in the file, the error names it and says how such a file is written."""
    path = tmp_path / f"policy.{extension}"
    path.write_bytes(content)
    with pytest.raises(TransformError) as caught:
        augment.load(path)
    assert str(caught.value).startswith(f"{path} is not an Albumentations transform: ")
    assert f"write the file with albumentations.save(transform, path, data_format={extension!r})" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that does not exist is refused in one line that names it."""
    with pytest.raises(TransformError, match=r"nowhere\.json cannot be read: No such file"):
        augment.load(tmp_path / "nowhere.json")


def test_loading_runs_nothing_that_stands_in_the_file(tmp_path: Path) -> None:
    """A YAML file that asks Python to run something is refused before it has run."""
    path, witness = tmp_path / "policy.yaml", tmp_path / "witness"
    path.write_text(f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{witness}']]")
    with pytest.raises(TransformError):
        augment.load(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (A.GridDistortion(num_steps=100_000), "GridDistortion: num_steps must be at most 4096, got 100000"),
        (
            A.CoarseDropout(num_holes_range=(1, 10**7)),
            "CoarseDropout: num_holes_range must be at most 4096, got 100000",
        ),
        (A.RandomGridShuffle(grid=(10**5, 3)), "RandomGridShuffle: grid must be at most 4096, got 100000"),
        (A.Resize(10**6, 3), "Resize: height must be at most 32767, got 1000000"),
        (A.Resize(30_000, 30_000), "Resize makes images of 30000 x 30000 pixels, more than 89478485"),
        (A.RandomResizedCrop((30_000, 30_000)), "RandomResizedCrop makes images of 30000 x 30000 pixels"),
        (A.PadIfNeeded(min_height=10**5, min_width=3), "PadIfNeeded: min_height must be at most 32767"),
    ],
)
def test_files_that_ask_for_too_much_are_refused(transform: Any, message: str, tmp_path: Path) -> None:
    """A file is input: what it makes a transform allocate is bounded, also inside compositions."""
    path = tmp_path / "policy.json"
    A.save(A.Compose([A.HorizontalFlip(), A.OneOf([transform, A.NoOp()])]), path)
    with pytest.raises(TransformError) as caught:
        augment.load(path)
    assert f"{path}: {message}" in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Albumentations saves arguments that some do not take
def test_files_of_all_transforms_are_loaded(tmp_path: Path) -> None:
    """The bounds refuse none of the transforms with their usual arguments."""
    path = tmp_path / "policy.json"
    for transform in all_transforms():
        if not isinstance(transform, A.Lambda):  # it cannot be saved
            A.save(transform, path)
            augment.load(path)
