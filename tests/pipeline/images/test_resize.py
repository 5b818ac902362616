"""Resizing to a declared size."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from pipeline.images.resize import INTERPOLATIONS, resize

Picture = Callable[..., np.ndarray]


def test_an_image_of_the_size_is_returned_itself(picture: Picture) -> None:
    """Nothing is copied where nothing has to change."""
    image = picture(0, 6, 9)
    assert resize(image, (6, 9)) is image


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_result_has_the_size_the_channels_and_the_dtype(
    interpolation: str, channels: int, dtype: type, picture: Picture
) -> None:
    """(height, width) is meant, in this order, and grey images keep their third dimension."""
    resized = resize(picture(0, 6, 9, channels).astype(dtype), (4, 20), interpolation)
    assert resized.shape == (4, 20, channels)
    assert resized.dtype == dtype


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_plain_image_stays_plain(interpolation: str) -> None:
    """No interpolation brightens, darkens or frames an image of one color."""
    assert (resize(np.full((6, 9, 3), 77, np.uint8), (13, 4), interpolation) == 77).all()


def test_interpolations_are_opencv_s(picture: Picture) -> None:
    """Each name means what OpenCV means by it, and no two are the same."""
    image = picture(0, 12, 12)
    resized = {name: resize(image, (5, 7), name) for name in INTERPOLATIONS}
    np.testing.assert_array_equal(resized["bilinear"], cv2.resize(image, (7, 5), interpolation=cv2.INTER_LINEAR))
    np.testing.assert_array_equal(resized["area"], cv2.resize(image, (7, 5), interpolation=cv2.INTER_AREA))
    assert len({image.tobytes() for image in resized.values()}) == len(INTERPOLATIONS)


def test_area_averages_where_the_image_shrinks() -> None:
    """A chequered image becomes grey, where the nearest pixel would make it black or white."""
    chequered = np.indices((8, 8)).sum(axis=0)[..., np.newaxis].astype(np.uint8) % 2 * 200
    assert (resize(chequered, (4, 4), "area") == 100).all()
    assert set(np.unique(resize(chequered, (4, 4), "nearest"))) <= {0, 200}


def test_mirrored_views_are_resized_too(picture: Picture) -> None:
    """What a flip returns, a view with negative strides, gives what its copy gives."""
    mirrored = picture(0, 6, 9)[::-1, ::-1]
    np.testing.assert_array_equal(resize(mirrored, (3, 4)), resize(mirrored.copy(), (3, 4)))
