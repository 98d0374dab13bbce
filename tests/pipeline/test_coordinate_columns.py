"""Boxes and keypoints whose coordinates are in columns of their own, as in tables."""

import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2")
from PIL import Image as Pillow

EDGES = ["left", "top", "right", "bottom"]
EYES = ["left_x", "left_y", "right_x", "right_y"]
BOXES = np.array([[1.0, 2, 20, 30], [5, 6, 40, 39], [np.nan] * 4])
POINTS = np.array([[5.0, 6, 15, 6], [7, 8, np.nan, np.nan], [1, 2, 3, 4]])
HEADS = {"box": ph.Boxes(1, column=EDGES), "eyes": ph.Keypoints(2, column=EYES)}


def table(tmp_path, files):
    """Three images of 40 x 60 with one box and two points each."""
    images = np.zeros((3, 40, 60, 3), np.uint8)
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path, image in zip(paths, images, strict=True):
        Pillow.fromarray(image).save(path)
    return {
        "image": paths if files else images,
        **dict(zip(EDGES, BOXES.T, strict=True)),
        **dict(zip(EYES, POINTS.T, strict=True)),
    }


@pytest.mark.parametrize("files", [False, True])
@pytest.mark.parametrize("flips", [False, True])
def test_they_move_with_the_image(tmp_path, files, flips):
    data, augment = table(tmp_path, files), [ph.Flip(p=1)] if flips else []
    feed = ph.Feed(data, inputs={"image": ph.Image(20, 30)}, heads=HEADS, augment=augment)
    _, labels, weights = feed.peek()
    box, points = BOXES[:2] / 2, POINTS.reshape(3, 2, 2) / 2
    if flips:
        box[:, [0, 2]] = 30 - box[:, [2, 0]]
        points[..., 0] = 30 - points[..., 0]
    assert labels["box"][:2, 0].tolist() == box.tolist()
    assert weights["box"].tolist() == [[1], [1], [0]]
    there = np.isfinite(points).all(-1)
    assert labels["eyes"][there].tolist() == points[there].tolist()
    assert weights["eyes"].tolist() == there.tolist()
    assert feed.heads["box"].column == EDGES


def test_a_word_among_them_is_named_with_its_row_and_column(tmp_path):
    data = {**table(tmp_path, True), "top": [2.0, "six", None]}
    with pytest.raises(ph.DataError, match=r"head `box`, row 1: expected numbers in column `top`, got 'six'"):
        ph.Feed(data, inputs={"image": ph.Image(20, 30)}, heads={"box": HEADS["box"]}).peek()


def test_heads_for_each_box_need_one_column_of_boxes(tmp_path):
    data = {**table(tmp_path, True), "kind": ["cat", "dog", None]}
    heads = {"box": HEADS["box"], "kind": ph.Categorical(each="box")}
    with pytest.raises(ph.ContractError) as error:
        ph.Feed(data, inputs={"image": ph.Image(20, 30)}, heads=heads)
    assert str(error.value) == (
        "head `kind`, each='box': expected boxes in one column, a list of them in each row, got "
        "['left', 'top', 'right', 'bottom']. If each row has one box, leave out each=. If an image has several rows, "
        "make a column of boxes, frame[['left', 'top', 'right', 'bottom']].to_numpy().tolist(), and group the rows by "
        "image."
    )


def test_a_store_of_resized_images_says_how_to_join_them(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table(tmp_path, True))
    feed = ph.Feed(frame, inputs={"image": ph.Image(20, 30)}, heads={"eyes": HEADS["eyes"]})
    with pytest.raises(ph.ContractError) as error:
        ph.pack(feed, tmp_path / "store")
    fix = (
        "frame['eyes'] = list(frame[['left_x', 'left_y', 'right_x', 'right_y']].to_numpy().reshape(-1, 2, 2))"
    )
    assert str(error.value).endswith(f"Join them: {fix}.")
    exec(fix, {"frame": frame})
    joined = ph.Feed(frame, inputs={"image": ph.Image(20, 30)}, heads={"eyes": ph.Keypoints(2)})
    ph.pack(joined, tmp_path / "store")
    stored = joined.on(tmp_path / "store").peek()[1]["eyes"]
    assert stored.tolist() == feed.peek()[1]["eyes"].tolist()


def test_a_head_of_pixels_and_an_image_read_one_column():
    for kind in (ph.Mask, ph.Map, ph.Image):
        with pytest.raises(ph.ContractError) as error:
            kind(column=["u", "v"])
        found = f"{kind.__name__}(column=): expected the name of one column, got ['u', 'v']. "
        assert str(error.value).startswith(found)
        assert "np.stack([" in str(error.value)
    assert ph.Map(column=["u"]).columns("flow") == ("u",)


@pytest.mark.parametrize("augment", [[], [ph.Flip()]])
def test_numbers_alone_are_no_boxes(augment):
    data = {"image": np.zeros((2, 8, 8, 3), np.uint8), "box": [1.0, 2.0]}
    with pytest.raises(
        ph.DataError, match=r"head `box`.* expected boxes .*(one number in each row|shape \(\))"
    ):
        ph.Feed(data, inputs={"image": ph.Image()}, heads={"box": ph.Boxes(1)}, augment=augment)


def test_text_in_place_of_boxes_is_not_taken_for_a_file():
    data = {"image": [np.zeros((8, 8, 3), "uint8")] * 2, "box": ["[[1, 2, 3, 4]]"] * 2}
    with pytest.raises(ph.DataError, match=r"^head `box`, row 0: expected boxes .* Likewise row 1\.$"):
        ph.Feed(data, inputs={"image": ph.Image(4, 4)}, heads={"box": ph.Boxes(2)})
