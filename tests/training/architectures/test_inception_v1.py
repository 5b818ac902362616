"""Inception: the counts of the block and of the whole network, and the auxiliary classifiers."""

import keras
import numpy as np
import pytest

from training.architectures import inception_block, inception_v1
from training.architectures.inception_v1 import BLOCKS, Block
from training.summary import summary

SMALL = Block(one=40, reduce_three=5, three=10, reduce_five=20, five=30, pool=50)


def test_a_small_block_has_22965_parameters() -> None:
    """64 maps in; 40, 10, 30 and 50 maps side by side out."""
    maps = keras.Input((16, 16, 64))
    block = keras.Model(maps, inception_block(maps, SMALL))
    assert block.count_params() == 22_965
    assert block.output.shape == (None, 16, 16, 130)


@pytest.mark.parametrize(("kernel", "parameters"), [(3, 92_320), (5, 256_160)])
def test_plain_convolutions_have_several_times_as_many(kernel: int, parameters: int) -> None:
    """160 maps of 64."""
    convolution = keras.layers.Conv2D(160, kernel)
    convolution.build((None, 16, 16, 64))
    assert convolution.count_params() == parameters


# What the paper's table prints, in thousands of 1,024, and what the widths in the same table give.
PRINTED = {"3a": 159, "3b": 380, "4a": 364, "4b": 437, "4c": 463, "4d": 580, "4e": 840, "5a": 1072, "5b": 1388}
COUNTED = {
    "3a": 163_696,
    "3b": 388_736,
    "4a": 376_176,
    "4b": 449_160,
    "4c": 510_104,
    "4d": 605_376,
    "4e": 868_352,
    "5a": 1_043_456,
    "5b": 1_444_080,
}


def test_blocks_have_the_papers_widths_and_about_its_counts() -> None:
    """Exactly what the widths give; within 8 % of what the table prints, which contradicts its own widths."""
    rows = summary(inception_v1())
    counts = {name: sum(row.parameters for row in rows if row.name.startswith(f"{name}_")) for name in BLOCKS}
    assert counts == COUNTED
    for name, printed in PRINTED.items():
        assert counts[name] / 1024 == pytest.approx(printed, rel=0.08)
    assert sum(row.parameters for row in rows) == 6_998_552
    assert sum(row.multiply_adds or 0 for row in rows) == pytest.approx(1.5e9, rel=0.06)  # "1.5 billion" in the paper


def test_auxiliary_classifiers_are_outputs_on_request() -> None:
    """Three sets of probabilities, the main one first, and the paper's positions of the maps they see."""
    model = inception_v1(input_shape=(96, 96, 3), classes=7, width=1 / 16, auxiliary=True)
    assert model.output_names == ["probabilities", "auxiliary1", "auxiliary2"]
    for output in model(np.full((2, 96, 96, 3), 9, np.uint8)):
        np.testing.assert_allclose(output.numpy().sum(axis=1), 1, rtol=1e-5)
    full = inception_v1(width=1 / 16, auxiliary=True)
    assert full.get_layer("auxiliary1_pool").output.shape[1:3] == (4, 4)  # as the paper says of a 224 x 224 image


@pytest.mark.parametrize("variant", ["paper", "simplified"])
def test_one_model_takes_any_resolution(variant: str) -> None:
    """With open sides, images of differing sizes give probabilities."""
    model = inception_v1(variant, input_shape=(None, None, 3), classes=7, width=1 / 16)  # type: ignore[arg-type]
    for size in ((32, 32), (40, 57)):
        probabilities = model(np.full((2, *size, 3), 100, np.uint8)).numpy()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_simplified_has_no_auxiliary_classifiers() -> None:
    """The message says which variant has them."""
    with pytest.raises(ValueError, match=r"^only the variant 'paper' has auxiliary classifiers$"):
        inception_v1("simplified", auxiliary=True)
