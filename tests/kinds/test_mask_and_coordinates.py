"""Heads that lie in the image."""

import numpy as np
import pytest
from kind_checks import encoded, message, refusal, resolved

import polyhead as ph
from polyhead.kinds import Boxes, Keypoints, Mask
from polyhead.kinds.source_column import About

ONE = np.array([[0, 1, 1], [0, 0, 1]])


# Masks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
@pytest.mark.parametrize("last", [False, True])
def test_masks_with_or_without_a_last_axis(dtype, last):
    column = np.stack([ONE, 1 - ONE]).astype(dtype)
    column = column[..., None] if last else column
    labels, there = encoded(resolved(Mask(), column), column)
    np.testing.assert_array_equal(labels[..., 0], [ONE, 1 - ONE])
    ids, _ = encoded(resolved(Mask(3), column), column)
    np.testing.assert_array_equal(ids, [ONE, 1 - ONE])
    named, _ = encoded(resolved(Mask(["lesion"]), list(column)), list(column))
    np.testing.assert_array_equal(named, labels)
    assert there.all()


def test_masks_that_overlap():
    column = np.stack([ONE, np.ones_like(ONE)], axis=-1)[None]
    head = resolved(Mask(["a", "b"], multi=True), column)
    assert (head.shape, head.dtype, head.output_shape) == ((2, 3, 2), "float32", (2, 3, 2))
    np.testing.assert_array_equal(encoded(head, column)[0], column)
    assert message(head.encode, column[..., 0]) == (
        "head `h`: expected a mask of shape (2, 3, 2), got rows of shape (2, 3)."
    )


def test_masks_missing_as_a_whole():
    for column in ([None, ONE], [np.nan, ONE], np.stack([ONE * np.nan, ONE])):
        for head in (Mask(), Mask(3), Mask(2, class_weight={1: 2.0})):
            head = resolved(head, column)
            labels, there = encoded(head, column)
            assert (
                there.reshape(2, -1).any(1).tolist() == there.reshape(2, -1).all(1).tolist() == [False, True]
            )
            np.testing.assert_array_equal(labels.reshape(2, 2, 3), [ONE * 0, ONE])


def test_pixels_without_a_label():
    column = np.uint8([[[0, 255], [2, 1]]])
    labels, there = encoded(resolved(Mask(3, missing=255), column), column)
    assert labels.tolist() == [[[0, 0], [2, 1]]]
    assert there.tolist() == [[[True, False], [True, True]]]
    binary, there = encoded(Mask(size=(2, 2), missing=255), np.uint8([[[0, 255], [1, 1]]]))
    assert binary[..., 0].tolist() == [[[0, 0], [1, 1]]]
    assert there.tolist() == [[[True, False], [True, True]]]
    nan = np.array([[[0, np.nan], [1, 255]]])
    assert encoded(Mask(size=(2, 2), missing=255), nan)[1].tolist() == [[[True, False], [True, False]]]
    both = np.uint8([[[[0, 255], [1, 1]]]])
    assert encoded(Mask(2, multi=True, size=(1, 2), missing=255), both)[1].tolist() == [[[False, True]]]
    assert not encoded(Mask(3, size=(2, 2), missing=255), [None])[1].any()


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_values_stand_for_classes_in_their_order(dtype):
    black_and_white = np.array([[[0, 255], [255, 0]]], dtype)
    labels, there = encoded(resolved(Mask(values=(0, 255)), black_and_white), black_and_white)
    assert labels[0, ..., 0].tolist() == [[0, 1], [1, 0]]
    assert labels.dtype == np.float32
    assert there.all()
    ids = np.array([[[24, 7, 26], [9, 7, 9]]], dtype)
    head = Mask(["road", "person", "car"], values=[7, 24, 26], missing=9)
    labels, there = encoded(resolved(head, ids), ids)
    assert labels.tolist() == [[[1, 0, 2], [0, 0, 0]]]
    assert there.tolist() == [[[True, True, True], [False, True, False]]]
    both = np.array([[[[0, 255]]], [[[255, 255]]]], dtype)
    assert encoded(Mask(2, multi=True, values=(0, 255), size=(1, 1)), both)[0].reshape(2, 2).tolist() == [
        [0, 1],
        [1, 1],
    ]
    assert encoded(Mask(values=(0, 255), size=(1, 2)), [None, [[255, 0]]])[1].tolist() == [
        [[False]],
        [[True]],
    ]
    assert message(head.fixed(size=(2, 3), missing=None).encode, ids) == (
        "head `h`, row 0: expected one of the values [7, 24, 26] in each pixel, got 9. "
        "If some pixels have no label, say Mask(missing=...) with the value they hold."
    ).replace("got 9.", f"got {ids[0, 1, 0].item()}.")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"values": (0, 1, 2)}, "(0, 1, 2). For 3 classes, say Mask(3, values=...)."),
        ({"values": (0, 0)}, "(0, 0)."),
        ({"values": 255}, "255."),
        ({"values": (0, 0.5)}, "(0, 0.5)."),
    ],
)
def test_values_that_cannot_stand_for_classes(options, found):
    assert refusal(Mask, **options) == (
        f"Mask(values=): expected 2 distinct whole numbers, one for each class, got {found}"
    )


def test_a_value_of_a_class_that_also_means_no_label():
    assert refusal(Mask, values=(0, 255), missing=255) == (
        "Mask(values=): expected other values than missing=, which means no class, got 255 in both. "
        "Leave its class out of classes and values."
    )


def test_pixels_that_are_nan_without_a_marker():
    words = message(Mask(size=(1, 2)).encode, np.array([[[0, 1]], [[np.nan, np.nan]], [[0, np.nan]]]))
    assert words == (
        "head `h`, row 2: expected a label that is there as a whole or missing as a whole, got 1 of 2 missing. "
        "Say Mask(missing=255) and mark such pixels with 255."
    )


NO_LABEL = "If some pixels have no label, say Mask(missing=...) with the value they hold."
WHOLE = "Give whole numbers; a soft mask is a ph.Map."


@pytest.mark.parametrize(
    ("head", "column", "words"),
    [
        (
            Mask(),
            np.uint8([[[0, 1]], [[0, 255]]]),
            "row 1: expected 0 or 1 in each pixel, got 255. "
            'If 255 is the object, say Mask(values=(0, 255)). If 255 means "no label", say Mask(missing=255).',
        ),
        (
            Mask(3),
            np.uint8([[[0, 255]]]),
            'row 0: expected a class id in [0, 2] in each pixel, got 255. If 255 means "no label", '
            "say Mask(missing=255).",
        ),
        (Mask(3), [ONE, ONE - 1], f"row 1: expected a class id in [0, 2] in each pixel, got -1. {NO_LABEL}"),
        (
            Mask(3),
            np.array([[[3.0]]]),
            f"row 0: expected a class id in [0, 2] in each pixel, got 3.0. "
            f"If ids count from 1, say Mask(..., values=range(1, 4)); if they count from 0, Mask(4). {NO_LABEL}",
        ),
        (
            Mask(3),
            np.array([[[0.5]]]),
            f"row 0: expected a class id in [0, 2] in each pixel, got 0.5. {WHOLE}",
        ),
        (
            Mask(3),
            np.array([[[7]]]),
            "row 0: expected a class id in [0, 2] in each pixel, got 7. "
            f"If the classes have other ids, say Mask(..., values=[...]). {NO_LABEL}",
        ),
        (
            Mask(),
            np.array([[[7]]]),
            f"row 0: expected 0 or 1 in each pixel, got 7. If these are class ids, say Mask(8). {NO_LABEL}",
        ),
        (Mask(), np.array([[[0.5]]]), f"row 0: expected 0 or 1 in each pixel, got 0.5. {WHOLE}"),
        (Mask(), np.array([[[np.inf]]]), f"row 0: expected 0 or 1 in each pixel, got inf. {NO_LABEL}"),
        (
            Mask(values=(0, 255)),
            np.uint8([[[0, 255]], [[0, 90]]]),
            "row 1: expected one of the values [0, 255] in each pixel, got 90. "
            f"If edges are blurred, save (mask > 127) * 255 as PNG. {NO_LABEL}",
        ),
        (Mask(3, size=(2, 3)), [ONE, ONE.T], "row 1: expected a mask of shape (2, 3), got shape (3, 2)."),
    ],
)
def test_what_is_not_a_mask(head, column, words):
    assert message(resolved, head, column) == f"head `h`, {words}"


def test_columns_that_hold_no_masks():
    assert message(resolved, Mask(), np.ones((3, 4))) == (
        "head `h`: expected masks (H, W) or (H, W, n), got rows of shape (4,). "
        "For steps of a sequence, give (N, 1, T): np.asarray(column)[:, None, :]."
    )
    assert message(resolved, Mask(), [None]) == (
        "head `h`: expected a mask among the first rows, got none. Say Mask(size=(height, width))."
    )
    assert message(resolved, Mask(3), np.ones((2, 4, 4, 3))) == (
        "head `h`: expected a mask of shape (4, 4), got rows of shape (4, 4, 3). If each pixel is one-hot, give "
        "np.argmax(column, axis=-1). If each channel is a binary mask of its own, say Mask(3, multi=True). "
        "If masks are in colors, say Mask(names, values=[(r, g, b), ...])."
    )
    assert message(Mask(3, size=(4, 4)).encode, [None, np.ones((4, 4, 9))]) == (
        "head `h`, row 1: expected a mask of shape (4, 4), got shape (4, 4, 9). If each pixel is one-hot, give "
        "np.argmax(column, axis=-1). If each channel is a binary mask of its own, say Mask(9, multi=True). "
        "If these are volumes, say Regression((D, H, W, n), "
        'loss="categorical_crossentropy"), with one-hot labels.'
    )
    assert message(resolved, Mask(), np.ones((2, 4, 4, 2))) == (
        "head `h`: expected a mask of shape (4, 4), got rows of shape (4, 4, 2). If each pixel is one-hot, give "
        "np.argmax(column, axis=-1). If each channel is a binary mask of its own, say Mask(2, multi=True)."
    )
    first = "If channels come first, put them last in each row: np.moveaxis(row, 0, -1)."
    assert message(resolved, Mask(2), np.ones((2, 1, 4, 4))) == (
        f"head `h`: expected a mask of shape (4, 4), got rows of shape (1, 4, 4). {first}"
    )
    assert message(resolved, Mask(2, multi=True), np.ones((3, 2, 8, 9))) == (
        f"head `h`: expected a mask of shape (8, 9, 2), got rows of shape (2, 8, 9). {first}"
    )
    assert f"{first} If these are volumes, say Regression(" in message(
        resolved, Mask(), np.ones((2, 5, 16, 16))
    )
    for head, shape in ((Mask(size=(8, 9)), (1, 16, 18)), (Mask(2, multi=True, size=(8, 9)), (2, 16, 18))):
        assert message(head.to_pixels, np.ones(shape, int), (16, 18)).endswith(f"of shape {shape}. {first}")
    runs = {"size": [1, 2], "counts": [1, 1]}
    assert message(Mask(size=(1, 2)).to_pixels, runs, (1, 2)).endswith(
        f"expected a mask (H, W) or (H, W, n), got {runs}. Run lengths are drawn by pycocotools.mask; ph.read_coco "
        "reads a file with them."
    )
    assert message(Mask(size=(1, 2)).to_pixels, [object(), object()], (1, 2)).endswith(
        "expected a mask (H, W) or (H, W, n), got a list of 2 object. For a mask of each object, say Mask(each=...) "
        "with the name of the head of their boxes."
    )


def test_a_head_may_name_the_classes_of_a_source_in_another_order():
    class Panoptic:
        def about(self):
            return About(("cat", "sky", "road"), (3, 9, 200))

    def values(head):
        return head.with_facts(Panoptic()).values

    assert values(Mask()) == (3, 9, 200)
    assert values(Mask(["sky", "road", "cat"])) == (9, 200, 3)
    assert values(Mask(["sky", "cat"])) == (9, 3)
    assert values(Mask(["sky", "cat"], values=(1, 2))) == (1, 2)
    for head in (Mask(["sky", "dog"]), Mask(3), Mask(["cat"]), Mask(["sky", "cat"], multi=True)):
        assert values(head) is None


def test_declarations_of_masks():
    assert repr(Mask()) == "Mask()"
    assert repr(Mask(3, size=(4, 5))) == "Mask(3, size=(4, 5))"
    assert refusal(Mask, size=4) == "Mask(size=): expected (height, width), got 4."
    assert refusal(Mask, 0) == (
        "Mask(classes): expected a number of at least 1, or as many distinct names, got 0."
    )
    assert (
        refusal(Mask, class_weight={2: 3.0}) == "Mask(class_weight=): expected classes among [0, 1], got 2."
    )


def test_masks_in_words_count_labeled_pixels_only():
    labels = np.float32([[[[1], [0]]], [[[1], [1]]]])
    head = Mask(size=(1, 2))
    assert head.describe(labels, np.array([True, False]).reshape(2, 1, 1)) == "50.0% of pixels are 1"
    assert head.describe(labels, np.array([[[True, False]], [[True, True]]])) == "100.0% of pixels are 1"
    assert head.describe(labels, np.zeros((2, 1, 1), bool)) == "no labels"
    assert (
        Mask(2, size=(1, 2)).describe(labels[..., 0].astype("int32"), np.ones((2, 1, 1), bool))
        == "1 75.0%, 0 25.0%"
    )


# Boxes ---------------------------------------------------------------------------------------------

XYXY = np.array([[[1, 2, 5, 9], [0, 0, 4, 4]]])


@pytest.mark.parametrize(
    ("form", "boxes"),
    [
        ("xyxy", XYXY),
        ("xywh", [[[1, 2, 4, 7], [0, 0, 4, 4]]]),
        ("cxcywh", [[[3, 5.5, 4, 7], [2, 2, 4, 4]]]),
        ("yxyx", [[[2, 1, 9, 5], [0, 0, 4, 4]]]),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "list"])
def test_boxes_of_every_format(form, boxes, dtype):
    if dtype == "uint8" and form == "cxcywh":
        boxes = np.array(boxes) * 2
    column = np.array(boxes).tolist() if dtype == "list" else np.array(boxes, dtype)
    labels, there = encoded(resolved(Boxes(2, format=form), column), column)
    np.testing.assert_array_equal(labels, XYXY * (2 if dtype == "uint8" and form == "cxcywh" else 1))
    assert there.all()


def test_rows_of_some_boxes():
    column = [[[1, 2, 5, 9]], [], None, [[1, 2, 5, 9], None], np.zeros((0, 4)), [0, 0, 4, 4], np.nan]
    labels, there = encoded(resolved(Boxes(2), column), column)
    assert there[:, 0].tolist() == [True, False, False, True, False, True, False]
    assert not there[:, 1].any()
    assert labels[5, 0].tolist() == [0, 0, 4, 4]
    unknown = [2, 6]  # None and NaN: nobody looked
    assert (labels[unknown] == -1).all()
    assert not labels[~there & ~np.isin(np.arange(7), unknown)[:, None]].any()
    nan = np.array([[[1, 2, 5, 9], [np.nan] * 4]])
    assert encoded(Boxes(2), nan)[1].tolist() == [[True, False]]
    assert encoded(Boxes(1), np.array([[1, 2, 5, 9.0], [np.nan] * 4]))[1].tolist() == [[True], [False]]


@pytest.mark.parametrize("form", [np.asarray, list])
def test_the_marker_of_boxes_and_keypoints_stands_for_all_of_a_box(form):
    labels, there = encoded(Boxes(2, missing=0), form(np.array([[[0, 0, 4, 4], [0, 0, 0, 0]]])))
    assert there.tolist() == [[True, False]]
    assert labels[0, 0].tolist() == [0, 0, 4, 4]
    labels, there = encoded(Boxes(2, missing=-1), form(np.array([[[-1, 2, 4, 4], [-1, -1, -1, -1]]])))
    assert there.tolist() == [[True, False]]
    assert labels.tolist() == [[[-1, 2, 4, 4], [0, 0, 0, 0]]]
    labels, there = encoded(Keypoints(2, missing=0), form(np.array([[[0, 3], [0, 0]]])))
    assert there.tolist() == [[True, False]]


FORMATS = "If the column has another format, say Boxes(format=...): xyxy, xywh, cxcywh, yxyx."
FLAT = "If all of a row are in one list,"
PIXELS = (
    "These look like pixels: say column_normalized=False to have them divided by the size of the image, "
    "or normalized=False to predict pixels."
)


@pytest.mark.parametrize(
    ("head", "column", "words"),
    [
        (
            Boxes(),
            np.array([[1, 2, 5, 9], [5, 2, 3, 9]]),
            f"row 1: expected a box as xyxy with a size of at least 0, got [5, 2, 3, 9]. {FORMATS}",
        ),
        (
            Boxes(format="xywh"),
            np.array([[1, 2, -5, 9.0]]),
            f"row 0: expected a box as xywh with a size of at least 0, got [1.0, 2.0, -5.0, 9.0]. {FORMATS}",
        ),
        (
            Boxes(normalized=True),
            np.array([[0, 0, 1, 1], [1, 2, 5, 9]]),
            f"row 1: expected corners of boxes in 0–1, as normalized=True says, got 2. {PIXELS}",
        ),
        (
            Boxes(normalized=True),
            np.array([[0.1, 0, 1, 1], [-0.5, 0, 0.5, 0.5]]),
            "row 1: expected corners of boxes in 0–1, as normalized=True says, got -0.5. Cut off what is outside of "
            "the image: clip corners of boxes to 0–1.",
        ),
        (
            Boxes(),
            np.array([[0, 0, 1, np.inf]]),
            "row 0: expected finite corners of boxes, got inf. Put NaN where there is none.",
        ),
        (
            Boxes(),
            np.array([[0, 0, 1, 1e39]]),
            "row 0: expected numbers that fit float32, got 1e+39. Scale the column.",
        ),
        (
            Boxes(),
            [XYXY[0]],
            "row 0: expected at most 1 box, got 2. Say Boxes(2),"
            ' or more if other rows have more, or overflow="largest" or "first".',
        ),
        (Boxes(), [[[1, 2, 3]]], "row 0: expected boxes of shape (1, 4), got shape (1, 3)."),
        (
            Boxes(2),
            [[[1, 2, 3, 4, 0]]],
            "row 0: expected boxes of shape (2, 4), got shape (1, 5). Give the coordinates alone, boxes[:, :4], or "
            "boxes[:, 1:5] if the class comes first; classes are a head of their own, ph.Categorical(each=...).",
        ),
        (
            Boxes(),
            [[{"x": 1, "y": 2, "w": 3, "h": 4}]],
            "row 0: expected boxes of shape (1, 4), got [{'x': 1, 'y': 2, 'w': 3, 'h': 4}]. Give the numbers without "
            "names: [[one[key] for key in ['x', 'y', 'w', 'h']] for one in row].",
        ),
        (
            Boxes(2),
            np.ones((3, 8)),
            f"expected boxes of shape (2, 4), got rows of shape (8,). {FLAT} give np.reshape(column, (-1, 2, 4)).",
        ),
        (
            Keypoints(2),
            [[1, 2, 2, 3, 4, 2]],
            "row 0: expected keypoints of shape (2, 2), got shape (1, 6). "
            f"{FLAT} give np.reshape(column, (-1, 2, 3)).",
        ),
        (
            Boxes(),
            [None, ["a", "b", "c", "d"]],
            "row 1: expected boxes of shape (1, 4), got ['a', 'b', 'c', 'd'].",
        ),
        (
            Keypoints(normalized=True),
            np.array([[0.5, 0.5], [0.5, 20]]),
            f"row 1: expected keypoints in 0–1, as normalized=True says, got 20.0. {PIXELS}",
        ),
        (
            Keypoints(2),
            [[[1, 2], [3, 4]], [[1, 2]]],
            "row 1: expected 2 keypoints, got 1. Put None in the place of one that has no label.",
        ),
        (
            Keypoints(2),
            [[[1, 2], [3]]],
            "row 0: expected keypoints of shape (2, 2), got lists of unequal length ([[1, 2], [3]]).",
        ),
    ],
)
def test_what_is_no_box_or_keypoint(head, column, words):
    assert message(resolved, head, column) == f"head `h`{', ' if words.startswith('row') else ': '}{words}"


def test_arrays_of_another_number_of_boxes():
    labels, there = Boxes(3).encode(XYXY)  # as many in each row as it happens: lists of boxes nevertheless
    np.testing.assert_array_equal(labels[:, :2], XYXY)
    assert there.tolist() == [[True, True, False]] * len(XYXY)
    assert message(Boxes(1).encode, XYXY) == (
        "head `h`, row 0: expected at most 1 box, got 2. Say Boxes(2),"
        ' or more if other rows have more, or overflow="largest" or "first".'
    )
    assert message(Keypoints(3).encode, np.ones((4, 2, 2))) == (
        "head `h`, row 0: expected 3 keypoints, got 2. Put None in the place of one that has no label."
    )
    assert message(Keypoints(1).encode, np.ones((4, 2, 2))) == (
        "head `h`, row 0: expected 1 keypoint, got 2. Say Keypoints(2)."
    )
    assert message(Keypoints(2).encode, np.ones((3, 2, 5))) == (
        "head `h`: expected keypoints of shape (2, 2), got rows of shape (2, 5)."
    )


def test_declarations_of_places():
    assert (
        refusal(Boxes, format="xxyy")
        == "Boxes(format=): expected one of xyxy, xywh, cxcywh, yxyx, got 'xxyy'. Did you mean `xyxy`?"
    )
    assert refusal(Boxes, 0) == "Boxes(max_boxes): expected an integer of at least 1, got 0."
    assert repr(Boxes(3, format="xywh", normalized=True)) == "Boxes(3, normalized=True, format='xywh')"
    assert repr(Keypoints()) == "Keypoints()"


# Keypoints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, list, lambda c: c.tolist()])
def test_the_visibility_of_keypoints(form):
    column = np.array([[[1, 2, 2], [3, 4, 0]], [[5, 6, 1], [7, 8, 2]]])
    labels, there = encoded(resolved(Keypoints(2), form(column)), form(column))
    assert there.tolist() == [[True, False], [True, True]]
    assert labels.tolist() == [[[1, 2], [0, 0]], [[5, 6], [7, 8]]]
    assert Keypoints(2).encode(form(column[1:]))[1] is None


def test_rows_with_and_without_visibility_do_not_change_each_other():
    column = [[[1, 2], [0, 0]], [[1, 2, 2], [3, 4, 0]], None, [[1, 2], None]]
    labels, there = encoded(Keypoints(2), column)
    assert there.tolist() == [[True, True], [True, False], [False, False], [True, False]]
    assert labels[0].tolist() == [[1, 2], [0, 0]]


def test_a_keypoint_needs_both_coordinates():
    labels, there = encoded(Keypoints(2), np.array([[[1, np.nan], [3, 4]]]))
    assert there.tolist() == [[False, True]]
    assert labels.tolist() == [[[0, 0], [3, 4]]]


def test_one_keypoint_a_row_may_leave_its_axis_out():
    assert encoded(Keypoints(), np.array([[1, 2], [3, 4]]))[0].tolist() == [[[1, 2]], [[3, 4]]]
    assert (
        Keypoints(2).describe(np.float32([[[1, 2], [0, 0]]]), np.array([[True, False]])) == "1 to 2, mean 1.5"
    )


def weights_of(head, masks):
    """The weights that a feed gives a head of masks."""
    feed = ph.Feed(
        {"x": np.zeros(len(masks)), "m": masks}, inputs="x", heads={"m": head}, batch_size=len(masks)
    )
    return feed.heads["m"].class_weight, feed.peek()[2]["m"]


def test_class_weights_of_a_binary_mask_are_one_a_pixel():
    masks = np.zeros((2, 2, 2), np.uint8)
    masks[0, 0] = 1
    weight, found = weights_of(Mask(class_weight={1: 3.0}), masks)
    assert found.tolist() == [[[3, 3], [1, 1]], [[1, 1], [1, 1]]]
    weight, found = weights_of(Mask(class_weight="balanced"), masks)
    assert weight == {0: 8 / (2 * 6), 1: 8 / (2 * 2)}
    assert (found * (masks == 1)).sum() == pytest.approx((found * (masks == 0)).sum())
    white = masks * 255
    assert weights_of(Mask(values=(0, 255), class_weight="balanced"), white)[0] == weight
    void = np.where(np.eye(2) == 1, 255, masks).astype(np.uint8)
    weight, found = weights_of(Mask(missing=255, class_weight="balanced"), void)
    assert weight == {0: 4 / (2 * 3), 1: 4 / 2}
    assert (found[:, [0, 1], [0, 1]] == 0).all()


def test_class_weights_of_several_binary_masks_are_one_for_each_class_of_a_pixel():
    masks = np.zeros((2, 2, 2, 2), np.uint8)
    masks[0, 0, :, 0] = 1
    masks[:, :, :, 1] = 1
    masks[1, 1, 1, 1] = 0
    weight, found = weights_of(Mask(["road", "sky"], multi=True, class_weight={"road": 5.0}), masks)
    assert found.shape == (2, 2, 2, 2)
    assert found[..., 0].tolist() == np.where(masks[..., 0] == 1, 5.0, 1.0).tolist()
    assert (found[..., 1] == 1).all()
    weight, found = weights_of(Mask(["road", "sky"], multi=True, class_weight="balanced"), masks)
    assert weight == {"road": 3.0, "sky": pytest.approx(1 / 7)}
    rows = [masks[0], None]
    _, found = weights_of(Mask(2, multi=True, class_weight={0: 2.0}, size=(2, 2)), rows)
    assert (found[1] == 0).all()
    assert (found[0] > 0).all()
    void = np.where(np.eye(2)[..., None] == 1, 255, masks).astype(np.uint8)
    _, found = weights_of(Mask(2, multi=True, class_weight={0: 2.0}, missing=255), void)
    assert (found[:, [0, 1], [0, 1]] == 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"skeleton": [(0, 3)]},
            "Keypoints(skeleton=): expected pairs of distinct points in [0, 2], got [(0, 3)].",
        ),
        (
            {"skeleton": [(1, 1)]},
            "Keypoints(skeleton=): expected pairs of distinct points in [0, 2], got [(1, 1)].",
        ),
        ({"point_names": ["a", "b"]}, "Keypoints(point_names=): expected a list of 3 names, got ['a', 'b']."),
    ],
)
def test_names_and_lines_of_keypoints(options, words):
    with pytest.raises(ph.ContractError) as error:
        Keypoints(3, **options)
    assert str(error.value) == words


def test_names_and_lines_of_keypoints_are_kept_in_files():
    from polyhead.kinds.json_form import from_json, to_json

    head = Keypoints(2, point_names=["eye", "tail"], skeleton=[[0, 1]])
    assert (head.point_names, head.skeleton) == (("eye", "tail"), ((0, 1),))
    assert from_json(to_json(head, "head `pose`"), "head `pose`") == head
