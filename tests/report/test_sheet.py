"""The contact sheet: what is drawn lies where it belongs."""

import sys

import numpy as np
import PIL.Image
import pytest

import polyhead as ph
from polyhead.report import preview
from polyhead.report.palette import head_color
from polyhead.report.sheet import MARGIN


def drawn(tmp_path, columns, heads, n=1, **image):
    path = tmp_path / "sheet.png"
    feed = ph.Feed(columns, inputs={"image": ph.Image(**image)}, heads=heads)
    preview(feed, path, n)
    with PIL.Image.open(path) as found:
        assert found.mode == "RGB"
        return np.asarray(found).astype(int)


GRAY = np.full((1, 96, 96, 3), 100, np.uint8)


def cell(sheet, side=192):
    """The first picture, without what stands round it."""
    return sheet[MARGIN : MARGIN + side, MARGIN : MARGIN + side]


def test_a_box_has_its_color_where_it_belongs(tmp_path):
    picture = cell(drawn(tmp_path, {"image": GRAY, "box": [[24, 32, 72, 80]]}, {"box": ph.Boxes(1)}))
    color = list(head_color(0))  # vermilion
    assert color == [213, 94, 0]
    # 96 pixels are drawn as 192: every corner at twice its place
    for y, x in [(64, 48), (64, 143), (159, 48), (159, 143), (100, 48), (159, 100), (100, 143)]:
        assert picture[y, x].tolist() == color, (y, x)
    for y, x in [(100, 45), (100, 146), (163, 100), (100, 100), (20, 20)]:
        assert picture[y, x].tolist() == [100, 100, 100], (y, x)


def test_normalized_boxes_and_points(tmp_path):
    columns = {"image": GRAY, "box": [[0.25, 0.5, 0.75, 1.0]], "pose": [[[0.5, 0.25], [0.1, 0.1]]]}
    heads = {"box": ph.Boxes(1, normalized=True), "pose": ph.Keypoints(2, normalized=True)}
    picture = cell(drawn(tmp_path, columns, heads))
    assert picture[96, 60 + 80].tolist() == list(head_color(0))
    assert picture[191, 96].tolist() == list(head_color(0))
    assert picture[48, 96].tolist() == picture[19, 19].tolist() == list(head_color(1))


def test_only_points_and_boxes_with_a_label_are_drawn(tmp_path):
    columns = {"image": GRAY, "box": [[[10, 10, 40, 40], None]], "pose": [[[48, 48, 2], [80, 80, 0]]]}
    picture = cell(drawn(tmp_path, columns, {"box": ph.Boxes(2), "pose": ph.Keypoints(2)}))
    assert picture[96, 96].tolist() == list(head_color(1))
    assert picture[160, 160].tolist() == [100, 100, 100]
    assert picture[0, 191].tolist() == [100, 100, 100]


def test_a_mask_covers_its_pixels_and_a_missing_one_is_hatched(tmp_path):
    mask = np.zeros((96, 96), np.uint8)
    mask[:48] = 1
    columns = {"image": np.repeat(GRAY, 2, 0), "mask": [mask, None]}
    sheet = drawn(tmp_path, columns, {"mask": ph.Mask()}, n=2)
    picture = cell(sheet)
    assert picture[40, 40].tolist() == picture[94, 100].tolist() != [100, 100, 100]
    assert picture[97, 100].tolist() == [100, 100, 100]
    second = sheet[MARGIN : MARGIN + 160, 2 * MARGIN + 192 : 2 * MARGIN + 2 * 192]
    assert len(np.unique(second.reshape(-1, 3), axis=0)) == 2


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_other_images(tmp_path, channels, dtype):
    image = np.full((1, 96, 96, channels), 200, np.uint8)
    image[..., 3:] = 255
    picture = cell(drawn(tmp_path, {"image": image, "y": [1]}, {"y": ph.Binary()}, dtype=dtype))
    assert picture[50, 50].tolist() == [200, 200, 200]


def test_large_images_are_made_smaller(tmp_path):
    image = np.zeros((1, 1100, 600, 3), np.uint8)
    image[:, :, 300:] = 255
    sheet = drawn(tmp_path, {"image": image, "box": [[300, 0, 600, 1100]]}, {"box": ph.Boxes(1)})
    picture = sheet[MARGIN : MARGIN + 367, MARGIN : MARGIN + 200]
    assert picture[300, 50].tolist() == [0, 0, 0]
    assert picture[300, 150].tolist() == [255, 255, 255]
    assert picture[300, 100].tolist() == list(head_color(0))


def test_samples_stand_in_a_grid_and_numbers_stand_alone(tmp_path):
    feed = ph.Feed({"x": np.zeros((7, 3)), "y": np.zeros(7)}, inputs="x", heads={"y": ph.Regression()})
    path = preview(feed, n=7).save(tmp_path / "numbers.PNG")
    with PIL.Image.open(path) as found:
        assert found.width == 3 * (192 + MARGIN) + MARGIN


def test_without_pillow_the_error_says_what_to_install(tmp_path, monkeypatch):
    from polyhead.images import libraries

    feed = ph.Feed({"x": np.zeros(3), "y": np.zeros(3)}, inputs="x", heads={"y": ph.Regression()})
    libraries.pillow.cache_clear()
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    try:
        with pytest.raises(ph.PolyheadError, match=r'pip install "polyhead\[vision\]"'):
            preview(feed, tmp_path / "sheet.png")
    finally:
        libraries.pillow.cache_clear()
    preview(feed, tmp_path / "page.html")  # a page needs no image library
