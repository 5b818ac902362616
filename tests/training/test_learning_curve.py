"""Learning curves: the power law is found again, its interval holds it, and augmentation's worth is a shift."""

from pathlib import Path

import numpy as np
import pytest

from training.curve_figure import curve_chart
from training.errors import TrainingError
from training.experiment import Experiment
from training.learning_curve import AUGMENTED, SHALLOW, LearningCurve, Point, learning_curve
from training.power_law import PowerLaw, evaluate_power_law, fit_power_law, invert

SIZES = np.repeat([32, 64, 128, 256, 512, 1024], 3)


@pytest.mark.parametrize("params", [(2.0, 0.5, 0.02), (1.0, 0.3, 0.0), (30.0, 1.2, 0.1)])
def test_an_exact_power_law_is_found_again(params: tuple[float, float, float]) -> None:
    """Within the range of the measurements, to a part in a thousand."""
    law = fit_power_law(SIZES, evaluate_power_law(np.array(params), SIZES), smallest=1e-6)
    np.testing.assert_allclose(law([32, 300, 1024]), evaluate_power_law(np.array(params), [32, 300, 1024]), rtol=1e-3)


def test_the_band_holds_the_truth_and_widens_ahead() -> None:
    """At 95 %, of 8 noisy curves most bands hold the error at four times the largest size."""
    truth = np.array([2.0, 0.5, 0.02])
    random = np.random.default_rng(0)
    held = 0
    for _ in range(8):
        noisy = evaluate_power_law(truth, SIZES) * np.exp(random.normal(0, 0.05, len(SIZES)))
        law = fit_power_law(SIZES, noisy, smallest=1e-4)
        low, high = law.band([128, 4096])
        held += bool(low[1] <= evaluate_power_law(truth, [4096])[0] <= high[1])
        assert high[1] / low[1] > high[0] / low[0]
    assert held >= 6


def test_the_inverse_of_the_law_is_its_inverse() -> None:
    """Examples to error and back; a floor is never reached."""
    params = np.array([2.0, 0.5, 0.02])
    for size in (10.0, 1000.0):
        assert float(invert(params, evaluate_power_law(params, [size])[0])) == pytest.approx(size)
    assert float(invert(params, 0.02)) == np.inf


def test_an_error_of_nothing_can_be_fitted() -> None:
    """It counts as half a sample."""
    law = fit_power_law([10, 20, 40, 80], [0.2, 0.1, 0.0, 0.0], smallest=0.005)
    assert np.isfinite(law([10, 80])).all()
    assert law([80])[0] == pytest.approx(0.005, rel=1)


def test_two_sizes_are_too_few() -> None:
    """For three parameters."""
    with pytest.raises(ValueError, match=r"at least three numbers of examples, got \[10.0, 20.0\]"):
        fit_power_law([10, 20], [0.5, 0.4], smallest=0.01)


def law(*params: float) -> PowerLaw:
    """Make a law without doubt."""
    return PowerLaw(np.array(params), np.tile(params, (10, 1)))


def test_augmentation_is_worth_the_horizontal_shift(tmp_path: Path) -> None:
    """A curve that stands a factor of 3 to the left is worth three times the examples, and the picture is drawn."""
    plain, augmented = law(2.0, 0.5, 0.01), law(2.0 * 3**-0.5, 0.5, 0.01)
    points = tuple(
        Point(name, size, 0, float(one([size])[0]))
        for name, one in (("cnn", plain), (f"cnn {AUGMENTED}", augmented))
        for size in (32, 128, 512)
    )
    curve = LearningCurve(points, {"cnn": plain, f"cnn {AUGMENTED}": augmented}, 1000)
    assert [one.equivalent[0] / one.examples for one in curve.worth()] == pytest.approx([3, 3, 3])
    assert curve_chart(tmp_path / "c.png", curve, 0.02).read_bytes().startswith(b"\x89PNG")
    assert curve_chart(tmp_path / "d.png", curve, 0.001).stat().st_size > 1000  # below the floor
    assert plain.examples_for(0.02)[0] == pytest.approx(40_000)


def test_a_curve_is_measured_on_nested_subsets() -> None:
    """Both models on each size and seed; a separable problem gets easier."""
    labels = np.arange(200) % 2
    noise = np.random.default_rng(0).integers(0, 200, (200, 4, 4, 3))
    images = np.clip(noise + 12 * labels[:, None, None, None], 0, 255).astype(np.uint8)
    experiment = Experiment(source=(images, labels), model="graph", image_size=(4, 4), learning_rate=0.01)
    seen = []
    curve = learning_curve(
        experiment, sizes=[8, 30, 120], seeds=1, steps=12, progress=lambda done, total: seen.append((done, total))
    )
    assert [(point.curve, point.examples) for point in curve.points] == [
        (name, size) for size in (8, 30, 120) for name in (SHALLOW, "graph")
    ]
    assert curve.errors(SHALLOW, 120)[0] < curve.errors(SHALLOW, 8)[0]
    assert seen[-1] == (6, 6)
    assert curve.held_out == 40
    assert curve.worth() == []
    with pytest.raises(TrainingError, match="at least three sizes"):
        learning_curve(experiment, sizes=[8, 9])
