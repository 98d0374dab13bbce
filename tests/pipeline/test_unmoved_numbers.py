"""Numbers that seem to be coordinates or vectors in the image, but don't move with it."""

import re
import warnings

import keras
import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2")

IMAGES = np.zeros((2, 8, 12, 3), np.uint8)
CORNERS = ["x_min", "y_min", "x_max", "y_max"]


def feed_of(name, head, augment=(), **columns):
    shape = (8, 12, head.channels) if isinstance(head, ph.Map) else head.shape
    data = {"image": IMAGES, name: np.zeros((2, *shape), np.float32), **columns}
    return ph.Feed(data, inputs={"image": ph.Image()}, heads={name: head}, augment=list(augment))


def warnings_of(*arguments, **columns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ph.PolyheadWarning)
        feed_of(*arguments, **columns)
    return [str(one.message) for one in caught if issubclass(one.category, ph.PolyheadWarning)]


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("bbox", ph.Regression(4), "ph.Boxes(1)"),
        ("Bounding Box", ph.Regression((2, 4)), "ph.Boxes(2)"),
        ("face_landmarks", ph.Regression((5, 2)), "ph.Keypoints(5)"),
        ("keypoints", ph.Regression(30), "ph.Keypoints(15)"),
        ("place", ph.Regression(4, column=CORNERS), "ph.Boxes(1)"),
    ],
)
def test_coordinates_in_a_regression_are_told_of_the_kind_that_moves(name, head, kind):
    columns = {column: np.zeros(2) for column in CORNERS}
    assert warnings_of(name, head, [ph.Color(0.1), ph.Crop(0.5)], **columns) == [
        f"head `{name}`: expected a kind that moves with the image, which Crop(0.5) moves, got ph.Regression, whose "
        f"numbers stay as they are. If they are coordinates in the image, use {kind}."
    ]
    assert not warnings_of(name, head, [ph.Color(0.1)], **columns)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["eye_x", "eye_y"], "ph.Keypoints(1, column=['eye_x', 'eye_y'])"),
        (["x", "y"], "ph.Keypoints(1, column=['x', 'y'])"),
        (["cx", "cy"], "ph.Keypoints(1, column=['cx', 'cy'])"),
        (["noseX", "noseY"], "ph.Keypoints(1, column=['noseX', 'noseY'])"),
        (["x_center", "y_center"], "ph.Keypoints(1, column=['x_center', 'y_center'])"),
        (CORNERS, "ph.Boxes(1) with the columns of the box in column="),
        (["max_price", "y", "axis_z"], None),
    ],
)
def test_coordinates_in_heads_of_one_number_are_told_too(names, kind):
    data = {"image": IMAGES, **{name: np.zeros(2) for name in names}}
    heads = {name: ph.Regression() for name in names}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ph.PolyheadWarning)
        ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, augment=[ph.Crop(0.5)])
    said = [str(one.message) for one in caught if "coordinates" in str(one.message)]
    assert said == [
        f"head `{name}`: expected a kind that moves with the image, which Crop(0.5) moves, got ph.Regression, whose "
        f"numbers stay as they are. If they are coordinates in the image, use {kind}."
        for name in names
        if kind
    ]


def test_coordinates_in_an_input_are_told():
    data = {"image": IMAGES, "box": np.zeros((2, 4)), "size": np.zeros((2, 4)), "y": [0, 1]}
    inputs = {"image": ph.Image(), "box": ph.Array(), "size": ph.Array()}
    with pytest.warns(ph.PolyheadWarning) as caught:
        ph.Feed(data, inputs=inputs, heads={"y": ph.Binary()}, augment=[ph.Crop(0.5)])
    assert [str(one.message) for one in caught] == [
        "input `box`: expected an input that moves with the image, which Crop(0.5) moves, got ph.Array, whose numbers "
        "stay as they are. If they are coordinates in the image, leave the augmentation out."
    ]


def test_counts_and_words_in_an_input_are_no_coordinates():
    data = {"image": IMAGES, "box_count": [1.0, 2.0], "corner": ["left", "right"], "y": [0, 1]}
    inputs = {"image": ph.Image(), "box_count": ph.Array(), "corner": ph.Array(vocabulary="auto")}
    ph.Feed(data, inputs=inputs, heads={"y": ph.Binary()}, augment=[ph.Crop(0.5)])


def test_the_columns_of_two_coordinates_are_named():
    data = {"image": IMAGES, "u": [1.0, 2.0], "v": [1.0, 2.0]}
    heads = {"px": ph.Regression(column="u"), "py": ph.Regression(column="v")}
    with pytest.warns(ph.PolyheadWarning, match=r"use ph.Keypoints\(1, column=\['u', 'v'\]\)\.$"):
        ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, augment=[ph.Crop(0.5)])


def test_points_of_boxes_in_a_regression_are_told():
    data = {"image": IMAGES, "box": [[[0, 0, 2, 2]]] * 2, "corner": [[[1.0, 1.0]]] * 2}
    heads = {"box": ph.Boxes(1), "corner": ph.Regression(2, each="box")}
    with pytest.warns(ph.PolyheadWarning, match=r"use ph.Keypoints\(1, each='box'\)\.$"):
        ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, augment=[ph.Flip()])


@pytest.mark.parametrize(("name", "head"), [("flow", ph.Map(2)), ("surface_normals", ph.Map(3))])
def test_vectors_in_a_map_don_t_turn(name, head):
    (said,) = warnings_of(name, head, [ph.Crop(0.5), ph.Flip()])
    assert said == (
        f"head `{name}`: expected augmentations that keep directions, as the numbers of a ph.Map don't change, got "
        "Flip(). If they are vectors in the image, leave it out: ph.Crop and ph.Translate keep directions."
    )
    assert not warnings_of(name, head, [ph.Crop(0.5), ph.Translate(0.1)])


SIDES = {
    "turn": (ph.Categorical(["left", "straight", "right"]), ["left", "straight"]),
    "hands": (ph.MultiLabel(["left hand", "right hand"]), [["left hand"], []]),
    "lungs": (ph.Mask(["none", "LLung", "RLung"]), np.zeros((2, 8, 12), np.uint8)),
}


@pytest.mark.parametrize("name", SIDES)
def test_classes_of_left_and_right_don_t_change_places(name):
    def feed(augment, column=SIDES[name][1]):
        data = {"image": IMAGES, name: column}
        return ph.Feed(data, inputs={"image": ph.Image()}, heads={name: SIDES[name][0]}, augment=augment)

    with pytest.warns(ph.PolyheadWarning) as caught:
        feed([ph.Flip()])
    (one,) = caught
    assert re.fullmatch(
        rf"head `{name}`: expected augmentations that keep '[lL].*' and '[rR].*' apart, as classes don't change "
        r"places, got Flip\(\)\. Leave it out if a mirrored image shows the other one\.",
        str(one.message),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ph.PolyheadWarning)
        feed([ph.Rotate(10)])


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("box_office", ph.Regression()),
        ("landmarks", ph.Regression(3)),
        ("boxer", ph.Regression(4)),
        ("bbox", ph.Boxes(1)),
        ("normal", ph.Map()),
        ("colors", ph.Map(3)),
    ],
)
def test_other_numbers_are_left_alone(name, head):
    assert not warnings_of(name, head, [ph.Flip()])


def test_l_and_r_among_other_letters_are_no_sides():
    data = {"image": IMAGES, "letter": ["l", "r"]}
    heads = {"letter": ph.Categorical(list("abcdefghijklmnopqrstuvwxyz"))}
    feed = ph.Feed(
        data, inputs={"image": ph.Image()}, heads=heads, augment=[ph.Flip()]
    )  # warnings are errors
    assert feed.peek()[1]["letter"].tolist() == [11, 17]


def test_views_of_left_and_right_are_warned_of():
    data = {"image": IMAGES, "turn": ["left", "right"]}
    head = ph.Categorical(["left", "right"])
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"turn": head})
    image = keras.Input((8, 12, 3), name="image")
    probabilities = keras.layers.Dense(2, "softmax", name="turn")(keras.layers.Flatten()(image))
    with pytest.warns(ph.PolyheadWarning) as caught:
        ph.predict(keras.Model(image, {"turn": probabilities}), feed, tta=2)
    assert [str(one.message) for one in caught if one.category is ph.PolyheadWarning] == [
        "predict(tta=), head `turn`: expected classes that are the same in a mirrored image, got 'left' and 'right'. "
        "If a mirrored image shows the other one, leave tta= out."
    ]


def test_views_of_an_image_are_warned_of_as_well():
    feed = feed_of("bbox", ph.Regression(4))
    image = keras.Input((8, 12, 3), name="image")
    model = keras.Model(image, {"bbox": keras.layers.Dense(4, name="bbox")(keras.layers.Flatten()(image))})
    with pytest.warns(ph.PolyheadWarning) as caught:
        ph.predict(model, feed, tta=2)
    assert [str(one.message) for one in caught if one.category is ph.PolyheadWarning] == [
        "predict(tta=), head `bbox`: expected numbers that are the same in a mirrored image, as their mean is "
        "predicted, got ph.Regression, whose numbers are not mirrored back. If they are coordinates or vectors in the "
        "image, leave tta= out."
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ph.PolyheadWarning)
        ph.predict(model, feed, tta=1)
