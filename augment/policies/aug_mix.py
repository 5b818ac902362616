"""AugMix as a policy; the transform imports Albumentations and has a file of its own."""

from typing import Any


def aug_mix(severity: float = 3, width: int = 3, depth: int = -1, alpha: float = 1.0) -> Any:
    """Make AugMix: each image is blended with a mixture of `width` chains of operations on it.

    Hendrycks, Mu, Cubuk, Zoph, Gilmer and Lakshminarayanan 2020, "AugMix: a simple data processing method to improve
    robustness and uncertainty" (arXiv:1912.02781). Masks, boxes and keypoints stay where they are. The consistency loss
    of the paper is the training's, and not part of this.

    Args:
        severity: of the operations, up to 10: each image and operation gets a strength between 0.1 and this, of ten.
        width: chains in the mixture, whose shares are drawn from a Dirichlet distribution.
        depth: operations in a chain; -1 draws one to three.
        alpha: of that distribution, and of the Beta distribution of the mixture's share in the result.

    Returns:
        An `albumentations.Compose`.

    Raises:
        TransformError: an argument is out of range.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    from augment.policies.aug_mix_transform import AugMix

    return A.Compose([AugMix(severity=severity, width=width, depth=depth, alpha=alpha, p=1.0)])
