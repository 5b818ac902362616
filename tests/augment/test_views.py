"""Views: the crops, flips and tiles that they are said to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import views
from augment.errors import AugmentError, TransformError

sides = st.integers(1, 40)


def make_numbered_image(height: int, width: int) -> np.ndarray:
    """Make an image of which every pixel says where it is: (row, column, 7)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, 7)], axis=2).astype(np.uint8)


@given(sides, sides, st.data())
def test_five_crops_stand_at_the_corners_and_the_center(height: int, width: int, data: st.DataObject) -> None:
    """The order is torchvision's: top left, top right, bottom left, bottom right, center."""
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    crops = views.five_crop(make_numbered_image(height, width), (rows, columns))
    assert crops.shape == (5, rows, columns, 3)
    bottom, right = height - rows, width - columns
    starts = [(0, 0), (0, right), (bottom, 0), (bottom, right), (round(bottom / 2), round(right / 2))]
    assert crops[:, 0, 0, :2].tolist() == [list(start) for start in starts]


@given(sides, sides, st.booleans(), st.data())
def test_ten_crops_are_those_of_the_image_and_of_its_mirror_image(
    height: int, width: int, vertical: bool, data: st.DataObject
) -> None:
    """The second five are the five crops of the flipped image, as torchvision defines them."""
    size = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    image = make_numbered_image(height, width)
    mirrored = image[::-1] if vertical else image[:, ::-1]
    expected = np.concatenate([views.five_crop(image, size), views.five_crop(mirrored, size)])
    np.testing.assert_array_equal(views.ten_crop(image, size, vertical=vertical), expected)


def test_ten_crops_are_torchvisions() -> None:
    """Where torchvision is installed, its TenCrop gives the same."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    transforms = pytest.importorskip("torchvision.transforms", exc_type=ImportError)
    image = make_numbered_image(37, 52)
    theirs = transforms.TenCrop((20, 31))(torch.from_numpy(image.transpose(2, 0, 1).copy()))
    ours = views.ten_crop(image, (20, 31))
    np.testing.assert_array_equal(ours, [crop.numpy().transpose(1, 2, 0) for crop in theirs])


@given(sides, sides, st.integers(1, 5))
def test_tiles_make_up_the_image(height: int, width: int, n: int) -> None:
    """Put together row by row, the tiles are the image again."""
    image = make_numbered_image(height, width)
    if min(height, width) < n:
        with pytest.raises(TransformError, match=f"into {n} x {n} tiles"):
            views.grid(image, n)
        return
    tiles = views.grid(image, n)
    assert len(tiles) == n * n
    rows = [np.concatenate(tiles[row * n : row * n + n], axis=1) for row in range(n)]
    np.testing.assert_array_equal(np.concatenate(rows), image)


def test_flip_is_the_image_and_its_mirror_image() -> None:
    """Two views, of either kind of flip."""
    image = make_numbered_image(3, 5)
    np.testing.assert_array_equal(views.flip(image), [image, image[:, ::-1]])
    np.testing.assert_array_equal(views.flip(image, vertical=True), [image, image[::-1]])


def test_scales_are_centered_windows() -> None:
    """Each window has its part of the sides, in the middle."""
    whole, half = views.multi_scale(make_numbered_image(20, 40), (1.0, 0.5))
    assert whole.shape == (20, 40, 3)
    assert (half.shape, half[0, 0, :2].tolist()) == ((10, 20, 3), [5, 10])


@pytest.mark.parametrize("name", ["ten_crop", "five_crop(scale=0.5)", "multi_scale", "ten_crop(vertical=True)"])
@given(size=st.tuples(sides, sides), out=st.tuples(sides, sides))
def test_crops_have_the_shape_of_what_they_become(name: str, size: tuple[int, int], out: tuple[int, int]) -> None:
    """The windows lie inside the image, and have the aspect ratio of the output, to within a pixel."""
    chosen = views.parse_views(name)
    windows = chosen.windows(size, out)
    assert len(windows) == len(chosen)
    for window in windows:
        assert 0 <= window.top <= size[0] - window.height
        assert 0 <= window.left <= size[1] - window.width
        assert abs(window.height * out[1] - window.width * out[0]) <= max(out)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "eleven_crop",
            r"unknown set of views 'eleven_crop'; choose from flip, five_crop, ten_crop, grid, multi_scale",
        ),
        ("grid(0)", r"grid: n \(tiles per side\) must be an integer from 1 to 100, got 0"),
        ("grid(2", r"cannot parse 'grid\(2'; write arguments as in grid\(3\)"),
        ("grid(m=2)", r"'grid\(m=2\)': .*'m'"),
        ("grid(2)(3)", "cannot parse"),
        ("ten_crop(scale=1.5)", r"scale must be a number above 0 and at most 1, got 1.5"),
        ("multi_scale(())", "a list of at least one number"),
        ("multi_scale(0.5)", "at least one number, got 0.5"),
        ("ten_crop('a')", "scale must be a number above 0 and at most 1, got 'a'"),
        ("grid(", "cannot parse"),
        (f"grid({'-' * 50_000}1)", "cannot parse .*-{50}"),
        (3, "views must be a name"),
    ],
)
def test_what_names_no_views_is_refused(name: object, message: str) -> None:
    """The message says what there is."""
    with pytest.raises(AugmentError, match=message):
        views.parse_views(name)  # type: ignore[arg-type]


def test_a_crop_larger_than_the_image_is_refused() -> None:
    """As torchvision does."""
    with pytest.raises(TransformError, match="a crop of 9 x 4 pixels does not fit an image of 8 x 8"):
        views.ten_crop(make_numbered_image(8, 8), (9, 4))
    for size in (4, (4.0, 4.0), (4,)):
        with pytest.raises(TransformError, match=r"size must be \(height, width\) in whole pixels, got"):
            views.ten_crop(make_numbered_image(8, 8), size)  # type: ignore[arg-type]
