"""The random transforms of `ImageDataGenerator` against the legacy class: pixels and draws."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline import ImageDataGenerator
from pipeline.errors import OptionError

angles = st.floats(-180, 180).map(lambda angle: round(angle, 6))
factors = st.floats(0.3, 2)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "theta": angles,
        "tx": st.floats(-30, 30),
        "ty": st.floats(-30, 30),
        "shear": st.floats(-60, 60),
        "zx": factors,
        "zy": factors,
        "flip_horizontal": st.booleans(),
        "flip_vertical": st.booleans(),
        "channel_shift_intensity": st.floats(-90, 90),
        "brightness": st.none() | st.floats(0.1, 2),
    },
)
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4]))


def picture(shape: tuple[int, ...], seed: int, dtype: type = np.float32) -> np.ndarray:
    """Return noise in 0 to 255, the hardest image to interpolate."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


@settings(max_examples=250, deadline=None)
@given(
    parameters=PARAMETERS,
    shape=SHAPES,
    fill_mode=st.sampled_from(["constant", "nearest", "reflect", "wrap"]),
    cval=st.integers(0, 255),
    order=st.sampled_from([1, 1, 1, 0, 2, 3]),
    seed=st.integers(0, 9),
)
def test_pixels_are_those_of_the_legacy_class(
    legacy: Callable[..., Any],
    parameters: dict[str, Any],
    shape: tuple[int, int, int],
    fill_mode: str,
    cval: int,
    order: int,
    seed: int,
) -> None:
    """With equal parameters all pixels, borders included, are equal within 0.01 levels.

    Brightness truncates to whole levels; one pixel in thousands then differs by one level, times the brightness.
    """
    arguments: dict[str, Any] = {"fill_mode": fill_mode, "cval": float(cval), "interpolation_order": order}
    image = picture(shape, seed)
    ours = ImageDataGenerator(**arguments).apply_transform(image, parameters)
    theirs = legacy(**arguments).apply_transform(image.copy(), parameters)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    off = (np.abs(ours - theirs) > 0.01).sum()
    assert off <= (max(1, 0.01 * ours.size) if parameters.get("brightness") is not None else 0)


@settings(max_examples=250, deadline=None)
@given(
    parameters=PARAMETERS,
    shape=SHAPES,
    fill_mode=st.sampled_from(["constant", "nearest", "reflect", "wrap"]),
    cval=st.floats(-100, 400),
    order=st.sampled_from([1, 1, 0, 2, 3, 5]),
    seed=st.integers(0, 9),
    is_dark=st.booleans(),
)
def test_flow_of_uint8_equals_the_legacy_class(
    legacy: Callable[..., Any],
    parameters: dict[str, Any],
    shape: tuple[int, int, int],
    fill_mode: str,
    cval: float,
    order: int,
    seed: int,
    is_dark: bool,
) -> None:
    """With `exact=True`, `flow` of uint8 images rounds to whole levels at most once, and never clips before the end.

    Keras computes in float32. Here a warp that stays within 0 to 255 rounds by half a level, if no brightness follows.
    """
    arguments: dict[str, Any] = {"fill_mode": fill_mode, "cval": cval, "interpolation_order": order}
    image = picture(shape, seed, np.uint8) // (3 if is_dark else 1)
    generator = ImageDataGenerator(**arguments, **ranges_of(parameters), exact=True)
    drawn = generator._transform(shape[2], exact=True)
    ours = drawn.apply(image, {name: np.array([value]) for name, value in without_none(parameters).items()}, 0)
    theirs = legacy(**arguments).apply_transform(image.astype(np.float32), parameters)
    assert ours.dtype == (np.float32 if drawn.yields_float else np.uint8)
    difference = np.abs(ours - theirs)
    if parameters.get("brightness") is None:
        assert difference.max() <= (0.01 if drawn.warp.exceeds_uint8 else 0.501)
    else:
        assert (difference > 0.01).sum() <= max(1, 0.01 * ours.size)


def without_none(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that have a value."""
    return {name: value for name, value in parameters.items() if value is not None}


def ranges_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a generator that draws a channel shift or a brightness if the parameters have one."""
    shifts = {"channel_shift_range": 9.0} if "channel_shift_intensity" in parameters else {}
    return {**shifts, **({"brightness_range": (0.5, 1)} if parameters.get("brightness") is not None else {})}


@pytest.mark.parametrize("shape", [(40000, 2, 1), (2, 40000, 3)])
@pytest.mark.parametrize("order", [0, 1])
def test_images_may_exceed_the_sides_of_opencv(
    shape: tuple[int, int, int], order: int, legacy: Callable[..., Any]
) -> None:
    """`apply_transform` and `flow` take sides above 32,767 pixels."""
    image, parameters = picture(shape, 8, np.uint8), {"zx": 0.9, "zy": 0.9}
    ours = ImageDataGenerator(interpolation_order=order, zoom_range=(0.9, 0.9))
    transformed = ours.apply_transform(image, parameters)
    expected = legacy(interpolation_order=order).apply_transform(image.astype(np.float32), parameters)
    assert np.abs(transformed - expected).max() <= 0.51
    assert np.array_equal(next(ours.flow(image[np.newaxis]))[0], transformed)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_dtype_is_kept_and_the_image_unchanged(dtype: type, legacy: Callable[..., Any]) -> None:
    """uint8 stays uint8, rounded; the argument is not changed."""
    image = picture((30, 30, 3), 1, dtype)
    before = image.copy()
    parameters = {"theta": 20.0, "tx": 3.0, "zx": 0.8, "flip_horizontal": True}
    ours = ImageDataGenerator().apply_transform(image, parameters)
    theirs = legacy().apply_transform(before.copy(), parameters)
    assert ours.dtype == theirs.dtype == dtype
    assert np.abs(ours.astype(float) - theirs).max() <= (1 if dtype is np.uint8 else 0.01)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("shape", [(3, 20, 24), (1, 9, 30)])
def test_channels_first(shape: tuple[int, int, int], legacy: Callable[..., Any]) -> None:
    """Images [C, H, W] are transformed as the legacy class does."""
    image, parameters = (
        picture(shape, 2),
        {"theta": 33.0, "ty": -2.5, "channel_shift_intensity": 12.0, "flip_vertical": True},
    )
    ours = ImageDataGenerator(data_format="channels_first").apply_transform(image, parameters)
    theirs = legacy(data_format="channels_first").apply_transform(image.copy(), parameters)
    assert np.abs(ours - theirs).max() < 0.01


def test_images_outside_0_to_255_are_stretched_for_brightness(legacy: Callable[..., Any]) -> None:
    """Brightness stretches levels to 0 to 255 and back, as in the legacy class."""
    image = np.linspace(-300, 700, 1200, dtype=np.float32).reshape(20, 20, 3)
    ours = ImageDataGenerator().apply_transform(image, {"brightness": 0.7})
    theirs = legacy().apply_transform(image.copy(), {"brightness": 0.7})
    assert (np.abs(ours - theirs) > 0.01).mean() < 0.01
    assert np.abs(ours - theirs).max() < 4  # one of 255 steps


DRAWN: list[dict[str, Any]] = [
    {"rotation_range": 30, "shear_range": 12, "zoom_range": 0.2},
    {"width_shift_range": 0.3, "height_shift_range": 0.1, "horizontal_flip": True},
    {"width_shift_range": 5, "height_shift_range": 2, "vertical_flip": True},
    {"width_shift_range": [-7, 3, 4], "height_shift_range": [0.1, 0.5]},
    {"width_shift_range": 2.5, "height_shift_range": 1.0, "zoom_range": [0.5, 0.6]},
    {"channel_shift_range": 40.0, "brightness_range": (0.4, 1.1)},
    {},
]


@pytest.mark.parametrize("arguments", DRAWN, ids=str)
def test_draws_have_the_same_distributions(arguments: dict[str, Any], legacy: Callable[..., Any]) -> None:
    """2,000 draws per parameter have equal distributions, by chi-squared or Kolmogorov-Smirnov."""
    generator, oracle, shape = ImageDataGenerator(**arguments), legacy(**arguments), (40, 60, 3)
    ours = [generator.get_random_transform(shape, seed=seed) for seed in range(2000)]
    theirs = [oracle.get_random_transform(shape, seed=seed) for seed in range(2000)]
    assert list(ours[0]) == list(theirs[0])
    for name in ours[0]:
        one, other = [drawn[name] for drawn in ours], [drawn[name] for drawn in theirs]
        if one[0] is None or other[0] is None:
            assert set(one) == set(other) == {None}
        elif len(set(other)) < 20:
            values = sorted(map(float, set(other)))
            assert sorted(map(float, set(one))) == values, name
            table = [[sum(float(v) == value for v in column) for value in values] for column in (one, other)]
            assert len(values) == 1 or stats.chi2_contingency(table).pvalue > 1e-4, name
        else:
            assert stats.ks_2samp(one, other).pvalue > 1e-4, name


def test_draws_are_keyed() -> None:
    """A seed reproduces a draw; without one draws differ; NumPy's global state does not change."""
    generator = ImageDataGenerator(rotation_range=30, brightness_range=(0.5, 1))
    assert generator.get_random_transform((5, 5, 3), seed=3) == generator.get_random_transform((5, 5, 3), seed=3)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002
    drawn = [generator.get_random_transform((5, 5, 3))["theta"] for _ in range(5)]
    assert len(set(drawn)) == 5
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


def test_parameters_are_drawn_independently() -> None:
    """A parameter's draw does not depend on other parameters: image and mask generators stay in step."""
    image = ImageDataGenerator(rotation_range=30, horizontal_flip=True, brightness_range=(0.5, 1))
    mask = ImageDataGenerator(rotation_range=30, horizontal_flip=True)
    for seed in range(20):
        drawn = image.get_random_transform((5, 5, 3), seed=seed)
        assert drawn | {"brightness": None} == mask.get_random_transform((5, 5, 1), seed=seed)


def test_random_transform_is_apply_of_get() -> None:
    """`random_transform` draws and applies."""
    generator, image = ImageDataGenerator(rotation_range=90, zoom_range=0.5), picture((20, 30, 3), 4)
    expected = generator.apply_transform(image, generator.get_random_transform(image.shape, seed=9))
    assert np.array_equal(generator.random_transform(image, seed=9), expected)


@pytest.mark.parametrize("order", range(6))
def test_every_order_runs(order: int, legacy: Callable[..., Any]) -> None:
    """All orders of the interpolating spline equal the legacy class."""
    image, parameters = picture((25, 25, 3), 5), {"theta": 21.0, "zx": 1.3}
    ours = ImageDataGenerator(interpolation_order=order).apply_transform(image, parameters)
    theirs = legacy(interpolation_order=order).apply_transform(image.copy(), parameters)
    assert np.abs(ours - theirs).max() < 0.01


def test_arguments_and_defaults_are_those_of_the_legacy_class(legacy: Callable[..., Any]) -> None:
    """Every method has the legacy parameters in their order with their defaults; ours are keyword-only."""
    import inspect

    oracle = type(legacy())
    for name in (
        "__init__",
        "flow",
        "flow_from_directory",
        "flow_from_dataframe",
        "fit",
        "standardize",
        "random_transform",
    ):
        ours = list(inspect.signature(getattr(ImageDataGenerator, name)).parameters.values())
        theirs = list(inspect.signature(getattr(oracle, name)).parameters.values())
        common = [(one.name, one.default) for one in ours if one.kind is not one.KEYWORD_ONLY]
        assert common == [(one.name, one.default) for one in theirs]


def test_attributes_are_those_of_the_legacy_class(legacy: Callable[..., Any]) -> None:
    """Arguments are attributes, with the values and warnings of the legacy class."""
    arguments: dict[str, Any] = {
        "zoom_range": 0.3,
        "featurewise_std_normalization": True,
        "rotation_range": 4,
        "cval": 3.0,
    }
    with pytest.warns(UserWarning, match="featurewise_center"):
        ours = ImageDataGenerator(**arguments)
    theirs = vars(legacy(**arguments))
    hidden = {"channel_axis", "row_axis", "col_axis", "_validation_split", "zca_whitening_matrix"}
    for name in set(theirs) - hidden:
        assert getattr(ours, name) == theirs[name], name
    ours.rotation_range = 0
    assert ours.get_random_transform((4, 4, 3), seed=1)["theta"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"zoom_range": (1, 2, 3)}, "zoom_range"),
        ({"brightness_range": 0.4}, "brightness_range"),
        ({"data_format": "last"}, "data_format"),
        ({"validation_split": 1.5}, "validation_split"),
        ({"fill_mode": "mirror"}, "fill_mode"),
        ({"interpolation_order": 6}, "interpolation_order"),
        ({"rotation_range": float("nan")}, "rotation_range"),
        ({"dtype": "uint8"}, "dtype"),
        ({"dtype": "single precision"}, "dtype"),
        ({"zoom_range": None}, "zoom_range"),
        ({"width_shift_range": "half"}, "width_shift_range"),
        ({"cval": "black"}, "cval"),
        ({"rescale": "small"}, "rescale"),
        ({"preprocessing_function": 3}, "preprocessing_function"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    """A wrong argument is named when the generator is created."""
    with pytest.raises(OptionError, match=message):
        ImageDataGenerator(**arguments)


@pytest.mark.parametrize(
    "image", [np.zeros((3, 3)), [[[1]]], np.zeros((4, 4, 3), complex), np.zeros((4, 4, 3), object)]
)
def test_an_invalid_image_is_refused(image: Any) -> None:
    """Arrays of other ranks or dtypes, and lists, are refused."""
    with pytest.raises(OptionError, match="an image must be an array of numbers"):
        ImageDataGenerator().apply_transform(image, {"theta": 4.0})


def test_implied_arguments_warn_as_in_keras() -> None:
    """ZCA enables centering and disables the deviation; a samplewise deviation enables centering."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        one = ImageDataGenerator(
            zca_whitening=True, featurewise_std_normalization=True, samplewise_std_normalization=True
        )
    assert len(caught) == 3
    assert one.featurewise_center
    assert one.samplewise_center
    assert not one.featurewise_std_normalization


def test_flow_interpolates_exactly_on_request() -> None:
    """With `exact=True`, `flow` equals `apply_transform`, rounded; else some pixels are a few levels off."""
    images = picture((40, 32, 32, 3), 6, np.uint8)
    worst = {}
    for exact in (True, False):
        generator = ImageDataGenerator(zoom_range=(0.83, 0.83), exact=exact)
        (batch,) = itertools.islice(generator.flow(images, batch_size=40, shuffle=False), 1)
        expected = [generator.apply_transform(image.astype(np.float32), {"zx": 0.83, "zy": 0.83}) for image in images]
        worst[exact] = np.abs(batch - np.stack(expected)).max()
    assert worst[True] <= 0.51
    assert 1 < worst[False] < 8  # 2 x 255 / 64


@pytest.mark.parametrize("arguments", [{"interpolation_order": 3}, {"fill_mode": "constant", "cval": -40.0}])
def test_levels_outside_0_to_255_reach_the_batch(arguments: dict[str, Any], legacy: Callable[..., Any]) -> None:
    """Overshoots of splines, and a border outside 0 to 255, are in the batches of uint8 images, as in Keras."""
    images = picture((8, 20, 20, 3), 3, np.uint8)
    batch = next(ImageDataGenerator(**arguments, zoom_range=(1.3, 1.3)).flow(images, shuffle=False, batch_size=8))
    expected = next(legacy(**arguments, zoom_range=(1.3, 1.3)).flow(images, shuffle=False, batch_size=8))
    assert np.abs(batch - expected).max() < (0.01 if "cval" not in arguments else 0.5)
    assert expected.min() < 0
