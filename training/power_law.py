"""The power law of learning curves, error = a * n ** -b + c: fit, confidence bands and inverse.

That errors fall like a power of the number of examples, to a floor, is an observation on many tasks: Hestness et al.
2017, "Deep Learning Scaling is Predictable, Empirically" (arXiv:1712.00409).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys

_DRAWS = 300
"""Bootstrap refits: enough for the second digit of a 95 % interval."""

_STEEPEST = 3.0
"""The largest exponent. The paper above measured 0.07 to 0.35; theory predicts 0.5 and 1."""

Params = NDArray[np.float64]
"""[..., 3]: a, b and c."""


def evaluate_power_law(params: Params, examples: ArrayLike) -> NDArray[np.float64]:
    """Evaluate the law: errors [..., N] for params [..., 3] and examples [N]."""
    a, b, c = np.moveaxis(params[..., np.newaxis], -2, 0)
    values: NDArray[np.float64] = a * np.asarray(examples, float) ** -b + c
    return values


def invert(params: Params, errors: ArrayLike) -> NDArray[np.float64]:
    """Return the number of examples for an error: inf where the error is at or below the floor."""
    a, b, c = np.moveaxis(params, -1, 0)
    above = np.asarray(errors, float) - c
    with np.errstate(divide="ignore", over="ignore"):
        needed: NDArray[np.float64] = np.where(above > 0, (a / np.where(above > 0, above, 1)) ** (1 / b), np.inf)
    return needed


@dataclass(frozen=True)
class PowerLaw:
    """A fitted power law.

    Attributes:
        params: a, b and c, float64 [3].
        draws: a, b and c of refits to resampled residuals, float64 [D, 3].
    """

    params: Params
    draws: Params

    def __call__(self, examples: ArrayLike) -> NDArray[np.float64]:
        """Return the error at numbers of examples."""
        return evaluate_power_law(self.params, examples)

    def band(self, examples: ArrayLike, level: float = 0.95) -> NDArray[np.float64]:
        """Return the lower and upper bound of the error, [2, N]."""
        return _compute_interval(evaluate_power_law(self.draws, examples), level)

    def examples_for(self, error: float, level: float = 0.95) -> tuple[float, float, float]:
        """Return the number of examples for an error and its bounds: inf where the law never reaches the error."""
        low, high = _compute_interval(invert(self.draws, error), level)
        return float(invert(self.params, error)), float(low), float(high)


def fit_power_law(examples: ArrayLike, errors: ArrayLike, *, smallest: float, seed: int = 0) -> PowerLaw:
    """Fit a power law to errors by least squares of their logarithms, with a >= 0, 0 <= b <= 3 and c >= 0.

    The bootstrap resamples the residuals, enlarged to compensate for the three fitted parameters.

    Args:
        examples: of each measurement, [N]; at least three different numbers.
        errors: from 0 to 1, [N].
        smallest: replaces an error of 0: half a sample of those that the error was measured on.
        seed: of the bootstrap.

    Raises:
        ValueError: there are fewer than three different numbers of examples.
    """
    sizes, logs = np.asarray(examples, float), np.log(np.maximum(errors, smallest))
    if len(np.unique(sizes)) < 3:
        raise ValueError(f"a power law needs at least three numbers of examples, got {np.unique(sizes).tolist()}")
    params = _fit_params(sizes, logs, None)
    curve = np.log(evaluate_power_law(params, sizes))
    residuals = (logs - curve) * np.sqrt(len(sizes) / max(1, len(sizes) - 3))
    random = keys.generator(keys.fold_in(keys.root(seed), "power law"))
    draws = [_fit_params(sizes, curve + random.choice(residuals, len(sizes)), params) for _ in range(_DRAWS)]
    return PowerLaw(params, np.array(draws))


def _fit_params(sizes: NDArray[np.float64], logs: NDArray[np.float64], start: Params | None) -> Params:
    """Fit a and c relative to the largest error, and n to the smallest: all three then have one magnitude."""
    from scipy.optimize import least_squares

    first, top = sizes.min(), np.exp(logs.max())

    def residuals(scaled: Any) -> Any:
        a, b, c = scaled
        return np.log(top * (a * (sizes / first) ** -b + c) + 1e-12) - logs

    if start is None:
        starts = [(1.0, b, c) for b in (0.2, 0.5, 1.0) for c in (1e-3, 0.3)]
    else:
        starts = [(start[0] * first ** -start[1] / top, start[1], start[2] / top)]
    bounds = ([1e-9, 0.0, 0.0], [10.0, _STEEPEST, 1.0])
    fits = [least_squares(residuals, np.clip(one, *bounds), bounds=bounds) for one in starts]
    a, b, c = min(fits, key=lambda fit: float(fit.cost)).x
    return np.array([a * top * first**b, b, c * top])


def _compute_interval(values: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    # Not interpolated: there is no value between a number and infinity.
    bounds: NDArray[np.float64] = np.quantile(
        values, [(1 - level) / 2, (1 + level) / 2], axis=0, method="closest_observation"
    )
    return bounds
