"""Previews show what the loader yields, with the targets."""

import base64
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the usual name
import cv2
import numpy as np
import pytest

import augment
from pipeline import Loader
from pipeline.errors import SampleError, SourceError
from training.preview.annotations import Annotations
from training.preview.overlay import draw_annotations, to_displayable
from training.preview.page import page
from training.preview.samples import Augmenter, choose
from training.preview.similarity import structural_similarity
from training.preview.strengths import list_distinct_leaves, strengths_sheet
from training.preview.stress import stress, stress_sheet
from training.preview.versions import versions, versions_sheet
from training.sheets import Cell, Sheet


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Return 13 images in three classes, of 30 x 40 pixels."""
    return folders(ants=2, bees=6, wasps=5, height=30, width=40)


def test_samples_come_from_all_classes_in_turn(source: Path) -> None:
    """Four of three classes: one of each, and a second one; another seed, others; bad ones are skipped."""
    chosen = choose(source, 4)
    assert {sample.class_name for sample in chosen} == {"ants", "bees", "wasps"}
    assert [sample.key for sample in chosen] != [sample.key for sample in choose(source, 4, seed=1)]
    assert len(choose(source, 99)) == 13
    for path in (source / "ants").iterdir():
        path.write_bytes(b"")
    bad: list[SampleError] = []
    assert {sample.class_name for sample in choose(source, 99, on_bad=bad.append)} == {"bees", "wasps"}
    assert sorted(str(error).partition(":")[0] for error in bad) == ["ants/0.png", "ants/1.png"]


def test_nothing_that_decodes_is_an_error(source: Path) -> None:
    """The message says what finds out why."""
    for path in source.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(SourceError, match="no image can be decoded"):
        choose(source, 4)


@pytest.mark.parametrize("name", ["full", "flip", "rand_augment", "none"])
@pytest.mark.parametrize("has_boxes", [False, True])
def test_versions_are_what_the_loader_delivers(source: Path, name: str, has_boxes: bool) -> None:
    """Each column is an epoch of a `Loader` of the same seed, the last resize included."""
    transform, size = augment.policy(name, (20, 20)), (20, 20)
    augmenter = Augmenter(transform, size, seed=5, has_boxes=has_boxes)
    annotations = Annotations(_coco(source.parent / "coco.json", {}) if has_boxes else None)
    loader = Loader(source, augment=transform, image_size=size, seed=5, shuffle=False, batch_size=None)
    for epoch in (0, 3):
        delivered = {key.decode(): image for image, _, key in loader.dataset(epoch, with_keys=True).as_numpy_iterator()}
        for sample in choose(source, 13, annotations=annotations):
            augmented = augmenter(sample, epoch)
            np.testing.assert_array_equal(augmented.data["image"], delivered[sample.key])
            assert augmented.note.count("\n") + 1 == max(1, len(augmented.steps))


def _coco(path: Path, annotation: dict[str, Any]) -> Path:
    contents = {
        "images": [{"id": 4, "file_name": "ants/0.png"}, {"id": 5, "file_name": "elsewhere.png"}],
        "categories": [{"id": 2, "name": "ant"}],
        "annotations": [{"image_id": 4, "category_id": 2, **annotation}] if annotation else [],
    }
    path.write_text(json.dumps(contents))
    return path


def test_annotations_go_along_and_are_drawn(source: Path, tmp_path: Path) -> None:
    """Boxes, keypoints and the mask of an image are flipped with it, stretched at last, and drawn."""
    (tmp_path / "masks" / "ants").mkdir(parents=True)
    mask = np.zeros((30, 40), np.uint8)
    mask[10:20, 5:15] = 255
    cv2.imwrite(str(tmp_path / "masks" / "ants" / "0.png"), mask)
    coco = _coco(tmp_path / "coco.json", {"bbox": [5, 10, 10, 10], "keypoints": [7, 12, 2, 1, 1, 0, 14, 19, 1]})
    known = Annotations(coco, tmp_path / "masks")
    (sample,) = [one for one in choose(source, 13, annotations=known) if one.key == "ants/0.png"]
    np.testing.assert_array_equal(sample.data["bboxes"], [[5, 10, 15, 20]])
    np.testing.assert_array_equal(sample.data["keypoints"], [[7, 12], [14, 19]])
    augmented = Augmenter(A.HorizontalFlip(p=1), (60, 40), has_boxes=True)(sample, 0)
    np.testing.assert_allclose(augmented.data["bboxes"], [[25, 20, 35, 40]], atol=1e-4)
    np.testing.assert_allclose(augmented.data["keypoints"], [[32, 24], [25, 38]], atol=1e-4)
    np.testing.assert_array_equal(augmented.data["mask"] != 0, np.repeat(mask[:, ::-1], 2, axis=0) != 0)
    picture = draw_annotations(sample.data)
    assert picture.shape == (240, 320, 3)  # enlarged, so that lines do not hide it
    assert np.array_equal(draw_annotations({"image": sample.image}), sample.image)
    for at in ((80, 40), (120, 40)):  # the box's edge
        assert (picture[at] == (213, 94, 0)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: Annotations(path / "none.json"), "none.json cannot be read"),
        (lambda path: Annotations(path / "bad.json"), "bad.json is not a COCO file: it needs a list 'images'"),
        (lambda path: Annotations(masks=path / "nowhere"), "is not a directory of masks"),
        (lambda path: Annotations(_coco(path / "c.json", {"bbox": [1, 2]})), r"annotation 0 needs bbox .* \[1, 2\]"),
        (lambda path: Annotations(_coco(path / "c.json", {"bbox": ["a", 1, 2, 3]})), "annotation 0 needs bbox"),
        (lambda path: Annotations(_coco(path / "c.json", {"bbox": [math.nan, 1, 2, 3]})), "annotation 0 needs bbox"),
        (lambda path: Annotations(_coco(path / "c.json", {"bbox": {"x": 1}})), "annotation 0 needs bbox"),
        (lambda path: Annotations(_coco(path / "c.json", {"keypoints": [1, 2, 2, 3]})), "needs keypoints"),
        (lambda path: Annotations(_coco(path / "c.json", {"keypoints": [1e300, 2, 2]})), "needs keypoints"),
        (
            lambda path: Annotations(_coco(path / "c.json", {"category_id": [1]})),
            "needs an integer or string category_id",
        ),
        (lambda path: Annotations(masks=path).find("bad.jpg", (9, 9)), "bad.png is not a mask: "),
        (lambda path: Annotations(masks=path).find("large.jpg", (9, 9)), "large.png is not a mask: .* max_pixels"),
    ],
)
def test_annotations_that_cannot_be_read_are_refused(tmp_path: Path, make: Any, message: str) -> None:
    """In one line, with the path."""
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "bad.png").write_text("nothing")
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\1\0\0\0\0")
    with pytest.raises(SourceError, match=message):
        make(tmp_path)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("[]", "it needs an object with 'images' and 'annotations', got []"),
        ("3", "it needs an object with 'images' and 'annotations', got 3"),
        ("", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "its values are nested too deeply"),
        ('{"images": {}}', "it needs a list 'images', got {}"),
        ('{"images": []}', "it needs a list 'annotations', got none"),
        ('{"images": [7]}', "images[0] must be an object, got 7"),
        ('{"images": [{"id": 1}]}', "images[0] needs 'file_name', a number or string, got none"),
        ('{"images": [{"id": [1]}]}', "images[0] needs 'id', a number or string, got [1]"),
        ('{"images": [], "annotations": [{}]}', "annotations[0] needs 'image_id', a number or string, got none"),
        ('{"images": [], "annotations": [{"image_id": 2}]}', "annotation 0 is of image 2, which is not listed"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1}]}',
            "categories[0] needs 'name', a number or string, got none",
        ),
        ('{"images": [], "annotations": [], "categories": null}', "it needs a list 'categories', got null"),
    ],
)
def test_other_json_is_not_a_coco_file(contents: str, message: str, tmp_path: Path) -> None:
    """The message says what the file needs and has, in JSON's words."""
    path = tmp_path / "c.json"
    path.write_text(contents)
    with pytest.raises(SourceError) as caught:
        Annotations(path)
    assert str(caught.value) == f"{path} is not a COCO file: {message}"


def test_a_failing_transform_is_shown_as_such(source: Path, tmp_path: Path) -> None:
    """The other samples are shown, and the note tells the error."""
    made = versions(choose(source, 2), Augmenter(A.Crop(0, 0, 99, 99), (20, 20)), range(2))
    assert all(one.augmented == [None, None] for one in made)
    assert "Crop" in made[0].errors[0]
    sheet = versions_sheet(made, range(2), "x")
    assert sheet.rows[0][1].note.startswith("failed: ")
    assert sheet.draw(tmp_path / "sheet.png").is_file()


def test_page_is_self_contained_and_holds_every_step(source: Path) -> None:
    """No address is asked for; each step's image is in the page; names cannot break out of it."""
    (source / "ants" / "0.png").rename(source / "ants" / "<script><!--.png")
    made = versions(choose(source, 3), Augmenter(augment.policy("full", (20, 20)), (20, 20)), range(2))
    text = page(made, range(2), "a <b> & c {{ data }}", "1 < 2 {{ heading }}")
    assert not re.search(r"(?:src|href)=|https?://", text)
    assert "a &lt;b&gt; &amp; c {{ data }}" in text
    assert "1 &lt; 2 {{ heading }}" in text
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    contents = json.loads(data)["samples"]
    assert [sample["key"] for sample in contents] == [one.sample.key for one in made]
    for sample, one in zip(contents, made, strict=True):
        for version, augmented in zip(sample["versions"], one.augmented, strict=True):
            assert augmented is not None
            assert [step["name"] for step in version["steps"]] == [step.name for step in augmented.steps]
            for step, shown in zip(version["steps"], augmented.steps, strict=True):
                kind, _, encoded = step["image"].partition(",")
                assert kind == "data:image/png;base64"  # small images are stored without loss
                pixels = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR_RGB)
                np.testing.assert_array_equal(pixels, shown.data["image"])


def test_strengths_have_a_row_for_each_transform_that_differs(source: Path, tmp_path: Path) -> None:
    """A policy that holds a transform many times shows it once; what draws nothing has one cell."""
    transform = A.Compose(
        [A.HorizontalFlip(p=1), A.Solarize((0.2, 0.6), p=1), A.Solarize((0.2, 0.6), p=1), A.GaussNoise()]
    )
    plan = augment.compile(transform)
    assert list_distinct_leaves(plan) == [0, 1, 3]
    sheet = strengths_sheet(plan, choose(source, 1)[0], (30, 40), "x")
    assert [len(row) for row in sheet.rows] == [2, 6, 6]
    notes = [cell.note for cell in sheet.rows[1][1:]]
    assert notes == [f"threshold {threshold:.3g}" for threshold in (0.2, 0.3, 0.4, 0.5, 0.6)]
    image, weakest, *_, strongest = (cell.image for cell in sheet.rows[2])
    assert structural_similarity(image, weakest) > structural_similarity(image, strongest)
    assert sheet.draw(tmp_path / "sheet.png").is_file()


def test_stress_finds_the_samples_that_change_most(tmp_path: Path) -> None:
    """Among plain images, which a flip leaves as they are, the one that is not symmetric is found."""
    for name, count in {"plain": 5, "odd": 1}.items():
        (tmp_path / name).mkdir()
        for number in range(count):
            image = np.full((24, 24, 3), 30 * number + 20, np.uint8)
            if name == "odd":
                image[:, :8] = 255
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), image)
    augmenter = Augmenter(A.Compose([A.HorizontalFlip(p=0.01), A.InvertImg(p=0.01)]), None)
    (flip, invert), failed = stress(choose(tmp_path, 6), augmenter, range(2), (24, 24), worst=2)
    assert failed == []
    assert (flip[0].transform, flip[0].sample.key) == ("HorizontalFlip", "odd/0.png")
    assert flip[0].similarity < 0.6 < flip[1].similarity
    assert len(flip) == len(invert) == 2
    assert [change.similarity for change in invert] == sorted(change.similarity for change in invert)
    assert stress_sheet([flip, invert], "x").draw(tmp_path / "sheet.png").is_file()


def test_stress_uses_the_values_that_an_epoch_draws(source: Path) -> None:
    """The change is what the transform, alone, does to the sample in that epoch."""
    samples, transform = choose(source, 3), A.Compose([A.GaussNoise(p=1)])
    ((changes,), _) = stress(samples, Augmenter(transform, None, seed=4), range(3), None, worst=3)
    for change in changes:
        plan = augment.compile(transform)
        params = plan.sample(4, change.epoch, [change.sample.index], [change.sample.image.shape])
        np.testing.assert_array_equal(change.after["image"], plan.apply(change.sample.image, params, 0))


def test_stress_tells_what_cannot_be_applied(source: Path) -> None:
    """A transform that fails has no row, and the report says so."""
    augmenter = Augmenter(A.Compose([A.HorizontalFlip(), A.Crop(0, 0, 99, 99)]), None)
    changes, (failed,) = stress(choose(source, 2), augmenter, range(3), None)
    assert [own[0].transform for own in changes] == ["HorizontalFlip"]
    assert failed.startswith("6 of 6 times: ")
    assert "Crop" in failed


def test_masks_and_boxes_go_along_where_a_transform_is_alone(source: Path, tmp_path: Path) -> None:
    """A transform that asks for a mask is shown in the grid and in the stress test, too, and boxes are drawn."""
    for folder in ("ants", "bees", "wasps"):
        (tmp_path / "masks" / folder).mkdir(parents=True)
    for path in source.rglob("*.png"):
        mask = np.zeros((30, 40), np.uint8)
        mask[10:20, 10:20] = 255
        cv2.imwrite(str(tmp_path / "masks" / path.relative_to(source)), mask)
    coco = _coco(tmp_path / "coco.json", {"bbox": [10, 10, 10, 10]})
    samples = choose(source, 13, annotations=Annotations(coco, tmp_path / "masks"))
    transform = A.Compose([augment.ReplaceBackground([(9, 9, 9)], p=1), A.HorizontalFlip(p=1)])
    augmenter = Augmenter(transform, None, has_boxes=True)
    changes, failed = stress(samples, augmenter, range(1), (60, 80), worst=13)
    assert ([own[0].transform for own in changes], failed) == (["ReplaceBackground", "HorizontalFlip"], [])
    (boxed,) = [change for change in changes[1] if change.sample.key == "ants/0.png"]
    np.testing.assert_allclose(boxed.after["bboxes"], [[40, 20, 60, 40]], atol=1e-4)
    assert augmenter.plan is not None
    sheet = strengths_sheet(augmenter.plan, boxed.sample, (60, 80), "x")
    assert not any(cell.note.startswith("failed") for row in sheet.rows for cell in row)
    assert (sheet.rows[1][1].image == (213, 94, 0)).all(axis=2).any()


def test_one_cell_shows_what_is_the_same_at_any_strength(source: Path) -> None:
    """The fixed ranges of a policy give no row of equal pictures."""
    plan = augment.compile(A.Compose([A.Solarize((0.3, 0.3), p=1), A.NoOp(p=1), A.InvertImg(p=1)]))
    sheet = strengths_sheet(plan, choose(source, 1)[0], (30, 40), "x")
    assert [[cell.note for cell in row[1:]] for row in sheet.rows] == [
        ["always the same: threshold 0.3"],
        ["no change"],
        ["always the same"],
    ]
    assert sheet.titles[1] == "always"


@pytest.mark.parametrize("noise", [0, 5, 60])
@pytest.mark.parametrize("channels", [1, 3])
def test_structural_similarity_is_tensorflows(noise: int, channels: int) -> None:
    """`tf.image.ssim` of the luma is the same number."""
    import tensorflow as tf

    generator = np.random.default_rng(noise)
    one = cv2.GaussianBlur(generator.integers(0, 256, (40, 50, channels), np.uint8), (5, 5), 2).reshape(
        40, 50, channels
    )
    other = np.clip(one + generator.normal(0, noise, one.shape), 0, 255).astype(np.uint8)
    luma = [image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] for image in (one, other)]
    expected = float(tf.image.ssim(*map(tf.constant, luma), max_val=255))
    assert structural_similarity(one, other) == pytest.approx(expected, abs=1e-4)


def test_similarity_of_small_and_unlike_images() -> None:
    """Images smaller than the window are compared; those of different sizes are not."""
    small = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    assert structural_similarity(small, small) == pytest.approx(1)
    assert structural_similarity(small, 255 - small) < 0
    with pytest.raises(ValueError, match="images must have the same size"):
        structural_similarity(small, small[1:])


def test_sheets_grow_with_their_notes(tmp_path: Path) -> None:
    """A note of many lines gets room, and the images keep their size."""

    def height(note: str, heading: str = "h") -> int:
        image = np.zeros((10, 10, 3), np.uint8)
        sheet = Sheet(rows=[[Cell(image, note)]], titles=["t"], captions=["c"], heading=heading, cell_inches=2.0)
        return int(cv2.imread(str(sheet.draw(tmp_path / "sheet.png"))).shape[0])

    assert 40 <= height("a\nb\nc\nd") - height("a") < 50
    assert height("a", heading="a heading that is longer than a narrow sheet is wide") > height("a") + 40


@pytest.mark.parametrize(
    "last", [A.Normalize(), A.ToFloat(p=1), A.ToGray(num_output_channels=1, p=1), A.ToGray(num_output_channels=5, p=1)]
)
def test_what_no_picture_holds_as_it_is_is_shown(source: Path, tmp_path: Path, last: A.BasicTransform) -> None:
    """A pipeline that ends in `Normalize`, as most do, has a sheet, a page, a grid and a stress test."""
    transform = A.Compose([A.HorizontalFlip(p=1), last])
    augmenter = Augmenter(transform, (20, 20))
    samples = choose(source, 2)
    made = versions(samples, augmenter, range(2))
    sheet = versions_sheet(made, range(2), "x")
    assert sheet.draw(tmp_path / "sheet.png").is_file()
    assert sheet.rows[0][1].image.dtype == np.uint8
    assert ("float32" in sheet.rows[0][1].note) == isinstance(last, (A.Normalize, A.ToFloat))
    assert "base64" in page(made, range(2), "x", "")
    plan = augment.compile(transform)
    assert strengths_sheet(plan, samples[0], (20, 20), "x").draw(tmp_path / "sheet.png").is_file()
    changes, _ = stress(samples, augmenter, range(2), (20, 20))
    assert stress_sheet(changes, "x").draw(tmp_path / "sheet.png").is_file()


def test_levels_that_are_no_numbers_are_black() -> None:
    """The others are spread over what a picture can show."""
    levels = np.array([[[-1.0], [3.0], [np.nan], [np.inf]]], np.float32)
    np.testing.assert_array_equal(to_displayable(levels)[0, :, 0], [0, 255, 0, 255])
    np.testing.assert_array_equal(to_displayable(np.full((1, 2, 1), np.nan)), np.zeros((1, 2, 1), np.uint8))


@pytest.mark.filterwarnings("error")
def test_names_are_drawn_whatever_they_are(source: Path, tmp_path: Path) -> None:
    """Dollars begin no formula, and what the font lacks is written as in code, so that it can be read."""
    (source / "ants").rename(source / "$\\frac{1}$ \N{CJK UNIFIED IDEOGRAPH-732B}")
    made = versions(choose(source, 13), Augmenter(None, (20, 20)), range(1))
    sheet = versions_sheet(made, range(1), "$a^$ $_b$")
    assert any("$\\frac{1}$ \\u732b" in caption for caption in sheet.captions)
    assert sheet.draw(tmp_path / "sheet.png").is_file()


def test_long_names_leave_room_for_the_pictures(source: Path) -> None:
    """The caption of a row is cut, the class as well as the file."""
    (source / "ants").rename(source / ("ant" * 60))
    made = versions(choose(source, 13), Augmenter(None, (20, 20)), range(1))
    lines = [line for caption in versions_sheet(made, range(1), "x").captions for line in caption.split("\n")]
    assert max(map(len, lines)) == 28


def test_an_augmentation_for_boxes_is_shown_without_them(source: Path) -> None:
    """Its `bbox_params` need boxes and labels; a `Loader` yields images only, and so does a preview."""
    transform = A.Compose(
        [A.HorizontalFlip(p=1)],
        bbox_params=A.BboxParams("coco", label_fields=["names"]),
        keypoint_params=A.KeypointParams("xy", label_fields=["numbers"]),
    )
    (sample,) = choose(source, 1)
    np.testing.assert_array_equal(Augmenter(transform, None)(sample, 0).data["image"], sample.image[:, ::-1])


def test_a_narrow_image_is_on_the_page(source: Path) -> None:
    """An image of one row is a row of pixels when it is shrunk, too."""
    cv2.imwrite(str(source / "ants" / "0.png"), np.zeros((1, 2000, 3), np.uint8))
    assert "base64" in page(versions(choose(source, 13), Augmenter(None, None), range(1)), range(1), "x", "")


def _list_in_coco(path: Path, *names: str) -> Annotations:
    """Write a COCO file that lists images, each with a box."""
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    boxes = [{"image_id": number, "bbox": [1, 1, 2, 2]} for number in range(len(names))]
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": []}))
    return Annotations(path)


def test_annotations_match_with_backslashes_and_by_their_last_component(
    folders: Callable[..., Path], tmp_path: Path
) -> None:
    """Windows programs write backslashes; masks are found by such keys, too."""
    source = folders(ants=1, bees=1)
    (source / "bees" / "0.png").rename(source / "bees" / "1.png")
    for names in (("ants\\0.png", "bees\\1.png"), ("0.png", "1.png"), ("ants/0.png",)):
        samples = choose(source, 2, annotations=_list_in_coco(tmp_path / "c.json", *names))
        assert [len(sample.data["bboxes"]) for sample in samples] == [1] * len(names) + [0] * (2 - len(names))
    (tmp_path / "masks" / "ants").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "masks" / "ants" / "0.png"), np.full((8, 10), 255, np.uint8))
    masks = Annotations(masks=tmp_path / "masks")
    assert "mask" in masks.find("ants\\0.jpg", (8, 10))
    assert masks.find("../masks/ants/0.jpg", (8, 10)) == {}  # keys come from the data
    assert masks.find(f"{tmp_path}/masks/ants/0.jpg", (8, 10)) == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: Annotations(masks=path),
            r"contains no mask of the 2 samples; the mask of ants/0.png would be ants/0.png \(or .bmp, .webp\)",
        ),
        (
            lambda path: _list_in_coco(path / "c.json", "x/9.png"),
            "lists none of the 2 samples; it lists, for example, x/9",
        ),
        (
            lambda path: _list_in_coco(path / "c.json"),
            "it lists, for example, no image, but the samples are named like an",
        ),
    ],
)
def test_annotations_that_match_nothing_are_refused(
    folders: Callable[..., Path], tmp_path: Path, make: Any, message: str
) -> None:
    """The message shows a name of each side."""
    with pytest.raises(SourceError, match=message):
        choose(folders(ants=1, bees=1), 2, annotations=make(tmp_path))


def test_an_ambiguous_name_in_a_coco_file_is_refused(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Two samples of one file name would get the same boxes."""
    source = folders(ants=1, bees=1)
    with pytest.raises(SourceError, match=r"0\.png in .* matches several samples"):
        choose(source, 2, annotations=_list_in_coco(tmp_path / "c.json", "0.png"))
