"""Arguments out of range, of the wrong type, or without effect are refused; the message has name, range and value."""

import math
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import augment
from augment import CutMix, MixUp, Mosaic, ReplaceBackground, keys, policies, views
from augment.errors import AugmentError, TransformError
from augment.policies.aug_mix_transform import AugMix
from augment.policies.sharpness import Sharpness
from augment.text import EDA, RandomSwap, SynonymReplacement

NO_NUMBERS = [None, "3", True, math.nan, math.inf, [3], 3j]


def expect(message: str, make: Callable[[], Any], error: type[Exception] = AugmentError) -> None:
    """Check that an error contains a message."""
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rand_augment: n must be an integer from 1 to 14", lambda value: policies.rand_augment(value)),
        ("rand_augment: m must be a number from 0 to 30", lambda value: policies.rand_augment(2, value)),
        ("rand_augment: maximum must be a number above 0", lambda value: policies.rand_augment(2, 9, maximum=value)),
        ("rand_augment: fill must be a number from 0 to 255", lambda value: policies.rand_augment(fill=value)),
        ("trivial_augment: fill must be a number from 0 to 255", lambda value: policies.trivial_augment(fill=value)),
        ("auto_augment: fill must be a number from 0 to 255", lambda value: policies.auto_augment(fill=value)),
        ("aug_mix: severity must be a number above 0.1 and at most 10", lambda value: policies.aug_mix(value)),
        ("aug_mix: width must be an integer from 1 to 32", lambda value: policies.aug_mix(width=value)),
        ("aug_mix: depth (or -1) must be an integer from 1 to 14", lambda value: policies.aug_mix(depth=value)),
        ("aug_mix: alpha must be a number above 0 and at most 1000", lambda value: AugMix(alpha=value)),
        ("MixUp: alpha must be a number above 0 and at most 1000", MixUp),
        ("MixUp: p must be a number from 0 to 1", lambda value: MixUp(p=value)),
        ("CutMix: alpha must be a number above 0 and at most 1000", CutMix),
        ("CutMix: p must be a number from 0 to 1", lambda value: CutMix(p=value)),
        ("Mosaic: p must be a number from 0 to 1", Mosaic),
        ("Mosaic: center must be (low, high)", lambda value: Mosaic(center=value)),
        ("Mosaic: center must be (low, high)", lambda value: Mosaic(center=(0.2, value))),
        ("scale must be a number above 0 and at most 1", views.FiveCrop),
        ("scale must be a number above 0 and at most 1", lambda value: views.MultiScale([value])),
        ("grid: n (tiles per side) must be an integer from 1 to 100", views.Grid),
        ("feather_px must be finite and at least 0", lambda value: ReplaceBackground(feather_px=value)),
        ("cache_bytes must be an integer of at least 0", lambda value: ReplaceBackground(cache_bytes=value)),
        ("backgrounds must be", lambda value: ReplaceBackground([(1, 2, value)])),
        ("Sharpness: factor must be (low, high)", lambda value: Sharpness((0.5, value))),
        ("num_aug must be an integer from 1 to 10000", lambda value: EDA(num_aug=value)),
        ("alpha_sr must be between 0 and 1", EDA),
        ("RandomSwap: p must be between 0 and 1", lambda value: RandomSwap(p=value)),
    ],
)
def test_what_is_not_a_number_is_refused_with_the_range(name: str, make: Callable[[Any], Any], value: object) -> None:
    """None, texts, booleans, NaN, infinity, lists and complex numbers."""
    expect(name, lambda: make(value))


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("rand_augment: m must be a number from 0 to 30, got 99", lambda: policies.rand_augment(2, 99)),
        (
            "rand_augment: m must be a number from 0 to 30, got 99",
            lambda: augment.policy("rand_augment(2, 99)", (8, 8)),
        ),
        ("rand_augment: m must be a number from 0 to 90, got 91", lambda: policies.rand_augment(2, 91, maximum=30)),
        ("rand_augment: n must be an integer from 1 to 14, got 0", lambda: policies.rand_augment(0)),
        ("rand_augment: n must be an integer from 1 to 14, got 2.0", lambda: policies.rand_augment(2.0)),
        ("fill must be a number from 0 to 255, got 256", lambda: policies.rand_augment(fill=256)),
        ("fill must be a number from 0 to 255, got -1", lambda: policies.trivial_augment(fill=-1)),
        (
            "auto_augment: dataset must be one of 'imagenet', 'cifar10', 'svhn', got []",
            lambda: policies.auto_augment([]),
        ),
        ("aug_mix: severity must be a number above 0.1 and at most 10, got 0.1", lambda: policies.aug_mix(0.1)),
        ("aug_mix: width must be an integer from 1 to 32, got 100000", lambda: policies.aug_mix(width=100_000)),
        ("aug_mix: depth (or -1) must be an integer from 1 to 14, got 0", lambda: policies.aug_mix(depth=0)),
        ("a policy must be a name such as 'flip'", lambda: augment.policy(None, (8, 8))),
        ("image_size must be (height, width) in whole pixels, got 8", lambda: augment.policy("flip", 8)),
        ("image_size must be (height, width) in whole pixels, got (0, 8)", lambda: augment.policy("flip", (0, 8))),
        ("image_size must be (height, width) in whole pixels, got (8, 8.5)", lambda: augment.policy("flip", (8, 8.5))),
        ("Sharpness: factor must be (low, high) with 0 <= low <= high, got (2, 1)", lambda: Sharpness((2, 1))),
        ("Sharpness: factor must be (low, high) with 0 <= low <= high, got 1", lambda: Sharpness(1)),
    ],
)
def test_policy_arguments_out_of_range_are_refused(message: str, make: Callable[[], Any]) -> None:
    """What a policy would do there is nothing that the papers describe."""
    expect(message, make, TransformError)


def test_the_largest_magnitude_of_the_paper_is_accepted() -> None:
    """30 on AutoAugment's scale."""
    assert len(policies.rand_augment(14, 30)) == 14
    assert len(policies.rand_augment(np.int64(2), np.float32(28))) == 2


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("flip: vertical must be True or False, got 3", lambda: views.parse_views("flip(3)")),
        ("ten_crop: vertical must be True or False, got 'no'", lambda: views.parse_views("ten_crop(vertical='no')")),
        ("grid: n (tiles per side) must be an integer from 1 to 100, got 1000000", lambda: views.Grid(10**6)),
        ("scales must be a list of at least one number, got 0.5", lambda: views.multi_scale(np.zeros((4, 4, 3)), 0.5)),
        ("size must be (height, width) in whole pixels, got None", lambda: views.five_windows((8, 8), None)),
        ("size must be (height, width) in whole pixels, got (True, 4)", lambda: views.five_windows((8, 8), (True, 4))),
        ("mask must be a target's name, 'grabcut' or a function, got 'image'", lambda: ReplaceBackground(mask="image")),
        ("backgrounds must be a folder", lambda: ReplaceBackground([(1.5, 2, 3)])),
        ("backgrounds must be a folder", lambda: ReplaceBackground([()])),
        ("stop_words must be lower-case words, got 'The': it would have no effect", lambda: EDA(stop_words=["The"])),
        ("stop_words must be lower-case words, got 3", lambda: SynonymReplacement(stop_words=[3])),
        (
            "synonyms must return a list of words, got 'bad' for 'good'",
            lambda: EDA(synonyms=lambda _: "bad")("good film", (0, 0, 0)),
        ),
        (
            "synonyms must return a list of words, got None for 'good'",
            lambda: EDA(synonyms=lambda _: None, mode="paper", alpha_ri=0)("good", (0, 0, 0)),
        ),
        ("num_aug must be an integer from 1 to 10000, got 1000000000", lambda: EDA(num_aug=10**9)),
    ],
)
def test_other_arguments_out_of_range_are_refused(message: str, make: Callable[[], Any]) -> None:
    """Also what would be accepted and have no effect, or another one."""
    expect(message, make)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([[3.0], [1.0]], "got 3"),
        ([[1.0, 0.0], [0.5, np.nan]], "got nan"),
        ([[1.0, 0.0], [-1.0, 2.0]], "got -1"),
        ([[0.0, np.inf], [0.0, 1.0]], "got inf"),
    ],
)
def test_labels_that_are_not_fractions_are_not_mixed(labels: list, found: str) -> None:
    """Class indices as floats, missing values, and values of a regression beyond 0 to 1."""
    message = "labels that are fractions of classes, from 0 to 1, "
    expect(message + found, lambda: MixUp()(np.zeros((2, 4, 4, 3), np.uint8), np.array(labels), keys.root(0)))


def test_labels_of_several_classes_and_smoothed_labels_are_mixed() -> None:
    """Rows may sum to another number than one; rounding beyond 1 is accepted."""
    labels = np.array([[1, 1, 0], [0.9, 0.05, 0.05], [np.nextafter(np.float32(1), 2), 0, 0]], np.float32)
    images, key = np.zeros((3, 4, 4, 3), np.uint8), keys.root(0)
    np.testing.assert_allclose(MixUp(1.0)(images, labels, key)[1], MixUp(1.0).mix(images, key)[1] @ labels, atol=1e-6)


@pytest.mark.parametrize("mix", [MixUp(1.0), CutMix(1.0), Mosaic(1.0)], ids=repr)
def test_mixers_do_not_clip_float_images(mix: Any) -> None:
    """Levels of 0 to 255 in float32, and negative ones, stay within the range of the batch's images."""
    images = np.random.default_rng(0).uniform(-300, 300, (6, 16, 16, 3)).astype(np.float32)
    constant = np.broadcast_to(np.float32([-200, 300, 2, -1, 99, 255])[:, None, None, None], images.shape).copy()
    mixed, fractions = mix(constant, np.eye(6), keys.root(1))
    assert fractions is not None
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), fractions @ constant[:, 0, 0, 0], rtol=1e-4)


@pytest.mark.parametrize("step", [0.5, 1.0, [0.5], None, True, np.array([1.0, 2.0])])
def test_steps_of_a_path_are_names_or_integers(step: Any) -> None:
    """A fraction would be cut off, so that two steps would have one key."""
    with pytest.raises(ValueError, match="a step of a key's path must be a name or integers, got"):
        keys.fold_in(keys.root(0), "augment", step)


def test_keys_of_a_batch_are_a_sequence() -> None:
    """A single key is not one."""
    with pytest.raises(ValueError, match="keys must be a sequence of keys, one per text, got 3"):
        RandomSwap().batch(["a b"], 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a text's key must be"):
        RandomSwap()("a b", (0, True, 1))


def test_augmenters_of_sound_are_refused() -> None:
    """Nlpaug has augmenters that are not for texts."""
    audio = pytest.importorskip("nlpaug.augmenter.audio")
    from augment.text import NlpAug

    expect("augmenter must augment texts, got NoiseAug for audio", lambda: NlpAug(audio.NoiseAug()))


def test_sound_policies_are_built_as_before() -> None:
    """Within the ranges nothing is refused."""
    for name in (*policies.NAMES, "rand_augment(3, 28, maximum=30)", "aug_mix(10, 1, 3, 0.5)", "auto_augment(fill=0)"):
        assert name == "none" or isinstance(augment.policy(name, (8, 8)), A.Compose)
