"""AugMix as a policy; the transform imports Albumentations and is in its own file."""

from typing import Any


def aug_mix(severity: float = 3, width: int = 3, depth: int = -1, alpha: float = 1.0) -> Any:
    """Make AugMix: each image is blended with a mixture of `width` chains of operations on it.

    Hendrycks, Mu, Cubuk, Zoph, Gilmer and Lakshminarayanan 2020, "AugMix: a simple data processing method to improve
    robustness and uncertainty" (arXiv:1912.02781). Masks, boxes and keypoints stay unchanged. The consistency loss of
    the paper belongs to the training and is not included.

    Args:
        severity: strongest operation, above 0.1 and at most 10: each image and operation draws a strength from 0.1 to
            this value, on a scale of ten.
        width: chains in the mixture, 1 to 32; their fractions are drawn from a Dirichlet distribution.
        depth: operations per chain, 1 to 14; -1 draws one to three.
        alpha: parameter of that distribution, and of the Beta distribution of the mixture's fraction in the result;
            above 0 and at most 1000.

    Returns:
        An `albumentations.Compose`.

    Raises:
        TransformError: an argument is out of range.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    from augment.policies.aug_mix_transform import AugMix

    return A.Compose([AugMix(severity=severity, width=width, depth=depth, alpha=alpha, p=1.0)])
