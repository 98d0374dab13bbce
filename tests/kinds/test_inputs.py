"""Inputs: arrays and images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kind_checks import message, refusal, resolved

import polyhead as ph
from polyhead.columns.values import Coded
from polyhead.errors import BadValue, ContractError
from polyhead.kinds import Array, Image, MultiLabel, Regression


@pytest.mark.parametrize(
    ("column", "shape", "dtype"),
    [
        (np.zeros(3), (1,), "float32"),
        (np.zeros((3, 2), np.float16), (2,), "float32"),
        (np.zeros((3, 2, 5), np.uint8), (2, 5), "int32"),
        (np.zeros((3, 2), np.int64), (2,), "int32"),
        (np.zeros(3, bool), (1,), "int32"),
        ([1, 2, 3], (1,), "int32"),
        ([[1.5, 2], [3, 4]], (2,), "float32"),
        (np.array([1, 2], object), (1,), "int32"),
        (Coded(np.array([1, 0]), [5, 6]), (1,), "int32"),
    ],
)
def test_an_array_is_resolved_from_its_column(column, shape, dtype):
    kind = resolved(Array(), column)
    assert (kind.shape, kind.dtype) == (shape, dtype)
    values = kind.encode(column)
    assert values.shape == (len(column), *shape)
    assert values.dtype == dtype
    again = resolved(kind, column)
    assert again == kind


def test_a_declared_array_keeps_its_declaration():
    kind = resolved(Array([2, np.int64(3)], dtype="float32"), np.zeros((4, 2, 3), np.int8))
    assert kind == Array((2, 3), dtype="float32")
    expected = "head `h`: expected rows of shape (3,), got rows of shape (2,)."
    assert message(resolved, Array(3), np.zeros((4, 2))) == expected
    assert message(Array(3, dtype="int32").encode, np.zeros((4, 2))) == expected


def test_numbers_that_are_missing_are_filled_in_or_named():
    column = np.array([1.0, np.nan])
    assert resolved(Array(fill=-2), column).encode(column).tolist() == [[1], [-2]]
    for dirty in (column, [1.0, None], np.array([1, pd.NA], object), [1, float("nan")]):
        assert message(resolved(Array(1, dtype="float32"), [0.0]).encode, dirty) == (
            "head `h`, row 1: expected finite numbers, got nan. "
            "Fix the row, or say Array(fill=0.0) to fill in for NaN, but not for infinity."
        )
        assert Array((1,), dtype="int32", fill=7).encode(dirty).tolist() == [[1], [7]]
    of_two = Array((2,), dtype="float32", column=["age", "fare"])
    assert message(of_two.encode, np.array([[1, 2], [3, np.nan]])) == (
        "head `h`, row 1: expected finite numbers in column `fare`, got nan. "
        "Fix the row, or say Array(fill=0.0) to fill in for NaN, but not for infinity."
    )
    assert Array((2,), dtype="float32", fill=0).encode([[1, None], [2, 3]]).tolist() == [[1, 0], [2, 3]]


def test_infinity_is_not_filled_in():
    words = message(Array((1,), dtype="float32", fill=0.0).encode, np.array([np.nan, -np.inf]))
    assert words == (
        "head `h`, row 1: expected finite numbers, got -inf. "
        "Fix the row, or say Array(fill=0.0) to fill in for NaN, but not for infinity."
    )


def test_rows_that_differ_by_an_axis_of_one():
    for shape, column, fix in (((4, 1), np.ones((3, 4)), "None"), ((4,), np.ones((3, 4, 1)), "0")):
        assert message(resolved, Array(shape), column).endswith(f". Give column[..., {fix}].")
    assert message(resolved, Array((4,)), np.ones((3, 5))).endswith("got rows of shape (5,).")
    few = message(resolved, Array((4,)), [0.5, 1.5, 2.5])
    assert few.endswith("(1,). A row needs 4 numbers; several rows are a list of such lists.")
    none = message(resolved, Array(4), [None])
    assert none.endswith("row 0: expected rows of shape (4,), got None. Leave the row out.")


def test_numbers_that_do_not_fit():
    assert message(Array((1,), dtype="int32").encode, np.array([1, 2**31])) == (
        "head `h`, row 1: expected a whole number that fits int32, got 2147483648. "
        'Say Array(dtype="float32"); if these are ids, vocabulary="auto" of np.asarray(column).astype(str).'
    )
    assert message(Array((1,), dtype="int32").encode, np.array([1, 2, 0.5])) == (
        'head `h`, row 2: expected whole numbers, as the input is int32, got 0.5. Say Array(dtype="float32").'
    )
    assert message(Array((1,), dtype="float32").encode, np.array([1, -1e39])) == (
        "head `h`, row 1: expected numbers that fit float32, got -1e+39. Scale the column."
    )


def test_what_is_not_numbers():
    assert message(resolved, Array(), ["a", "b"]) == (
        "head `h`, row 0: expected numbers, got 'a'. "
        'For words, say ph.Array(vocabulary="auto"): the model gets their ids, and keeps the list. '
        "For texts, give the ids of a tokenizer or of keras.layers.TextVectorization."
    )
    assert message(resolved, Array(), ["a/1.JPG", "a/2.jpg"]) == (
        "head `h`, row 0: expected numbers, got 'a/1.JPG'. For image files, say ph.Image(height, width)."
    )
    for name in ("a/1.wav", Path("a.npy")):
        assert message(resolved, Array(), [name]).endswith(
            "Read these files into arrays of one shape, or write a ph.Source whose read(ids) does it."
        )
    as_text = "Turn text into numbers: np.asarray(column, float)."
    assert message(resolved, Array(), ["1.5"]) == f"head `h`, row 0: expected numbers, got '1.5'. {as_text}"
    assert message(resolved, Array(), np.array([["1", "2"]])) == (
        f"head `h`, row 0: expected numbers, got ['1', '2']. {as_text}"
    )
    assert "got 'b'" in message(resolved, Array(), np.array([None, "b"], object))
    assert message(resolved, Array(), [[1, 2], [1, 2, 3]]) == (
        "head `h`, row 1: expected rows of one shape, as row 0 has it: (2,), got shape (3,). "
        "Pad the rows to one length: np.pad(row, (0, length - len(row)))."
    )
    assert message(resolved, Array(), [[1, 2], [[1], 2]]) == (
        "head `h`, row 1: expected numbers, got lists of unequal length ([[1], 2])."
    )
    words = message(resolved, Array(), np.array(["2020-01-01"], "datetime64[D]"))
    assert words == (
        "head `h`, row 0: expected numbers, got datetime.date(2020, 1, 1). "
        'Turn times into numbers, as days: (np.asarray(column, "M8[us]") - np.datetime64("2000-01-01")) / '
        'np.timedelta64(1, "D").'
    )


def test_declarations_that_cannot_be():
    assert refusal(Array, dtype="float64") == (
        'Array(dtype=): expected "float32" or "int32", got \'float64\'. Did you mean `float32`?'
    )
    for shape in (0, (2, -1), (), "3", 2.0):
        assert refusal(Array, shape) == (
            f"Array(shape): expected a positive integer, or a tuple of them, got {shape!r}."
        )
    assert refusal(Image, (64, 32)) == (
        "Image(height): expected an integer of at least 1, got (64, 32). Say Image(64, 32)."
    )
    assert refusal(Image, (64.0, 32)) == "Image(height): expected an integer of at least 1, got (64.0, 32)."
    assert refusal(Image, dtype="int8") == (
        'Image(dtype=): expected "float32" or "uint8", got \'int8\'. Did you mean `uint8`?'
    )


def test_inputs_without_checks_let_everything_through():
    assert np.isnan(Array((1,), dtype="float32").encode(np.array([np.nan]), check=False)).all()


def test_arrays_that_are_right_are_not_copied():
    for kind in (Array((2,), dtype="float32"), Array((2,), dtype="int32")):
        column = np.ones((3, 2), kind.dtype)
        assert np.shares_memory(kind.encode(column), column)
    pixels = np.ones((2, 3, 3, 1), np.uint8)
    assert np.shares_memory(Image(3, 3, 1, dtype="uint8").encode(pixels), pixels)


# Images --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
@pytest.mark.parametrize("form", [np.asarray, list])
def test_images_of_bytes_are_divided_by_255_exactly(shape, form):
    pixels = np.random.default_rng(0).integers(0, 256, (16, *shape), np.uint8)
    pixels.reshape(-1)[:256] = np.arange(256)
    pixels.flags.writeable = False
    kind = resolved(Image(), form(pixels))
    assert kind.shape == (4, 5, shape[2] if len(shape) == 3 else 1)
    values = kind.encode(form(pixels))
    assert values.dtype == np.float32
    assert values.shape == (16, *kind.shape)
    np.testing.assert_array_equal(values.ravel(), pixels.ravel() / np.float32(255))
    np.testing.assert_array_equal(kind.fixed(dtype="uint8").encode(form(pixels)).ravel(), pixels.ravel())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_images_of_floats_stay_as_they_are(dtype):
    pixels = np.random.default_rng(0).random((3, 4, 4, 3)).astype(dtype)
    kind = resolved(Image(4, 4, 3), pixels)
    np.testing.assert_array_equal(kind.encode(pixels), pixels.astype(np.float32))
    bytes_ = kind.fixed(dtype="uint8").encode(pixels)
    assert bytes_.dtype == np.uint8
    assert np.abs(bytes_ - pixels.astype(float) * 255).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("above", [np.nextafter(1.0, 2), np.nextafter(np.float32(1), np.float32(2))])
def test_floats_that_exceed_one_by_rounding_are_white(above):
    pixels = np.full((2, 4, 4, 3), above)
    kind = resolved(Image(), pixels)
    np.testing.assert_allclose(kind.encode(pixels), 1, rtol=2e-7)
    assert (kind.fixed(dtype="uint8").encode(pixels) == 255).all()
    feed = ph.Feed(
        {"image": pixels, "y": [0.0, 1.0]}, inputs={"image": Image()}, heads={"y": Regression()}, batch_size=2
    )
    np.testing.assert_allclose(next(iter(feed))[0]["image"], 1, rtol=2e-7)


@pytest.mark.parametrize("odd", [0, 2, 3])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)])
def test_images_of_bytes_and_of_floats_in_one_list_are_read_each_by_its_type(odd, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    shares = (pixels / np.float32(255)).reshape(4, 4, 4, -1)
    images = list(pixels)
    images[odd] = shares[odd].reshape(shape)
    kind = resolved(Image(), images)
    np.testing.assert_array_equal(kind.encode(images), shares)
    np.testing.assert_array_equal(kind.fixed(dtype="uint8").encode(images).reshape(pixels.shape), pixels)
    images[odd] = pixels[odd].astype("float32")
    with pytest.raises(BadValue, match="pixels in 0–1, as they are floats") as raised:
        kind.encode(images)
    assert raised.value.index == odd


def test_images_of_pillow_are_no_array():
    images = pytest.importorskip("PIL.Image")
    pictures = [images.new("P", (4, 4))] * 2
    assert message(resolved, Array(), pictures) == (
        "head `h`, row 0: expected numbers, got an image of Pillow. Say ph.Image(height, width); for its raw numbers, "
        "give np.asarray(image)."
    )


def test_no_images():
    assert Image(4, 4, 3).encode(np.zeros((0, 4, 4, 3), np.uint8)).shape == (0, 4, 4, 3)
    assert Image(4, 4, 3).encode(np.zeros((0, 4, 4, 3))).shape == (0, 4, 4, 3)


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        (
            np.full((2, 4, 4, 3), 200.0),
            Image(4, 4, 3),
            "head `h`, row 0: expected pixels in 0–1, as they are floats, got 200.0. "
            "Give uint8, or divide by 255; or say ph.Image(range=(low, high)): what becomes 0 and 1.",
        ),
        (
            np.pad(np.full((1, 4, 4, 3), np.nan), ((1, 0), (0, 0), (0, 0), (0, 0))),
            Image(4, 4, 3),
            "head `h`, row 1: expected pixels in 0–1, got nan. "
            "Give uint8, or divide by 255; or say ph.Image(range=(low, high)): what becomes 0 and 1.",
        ),
        (
            np.zeros((2, 4, 4, 3), np.int64),
            Image(4, 4, 3),
            "head `h`: expected images (H, W) or (H, W, C), uint8 or float, got rows of shape (4, 4, 3), int64. "
            'If they hold 0–255, give images.astype("uint8"); else say ph.Image(range=(low, high)).',
        ),
        (
            np.zeros((2, 0, 4), int),
            Image(),
            "head `h`: expected images (H, W) or (H, W, C), uint8 or float, got rows of shape (0, 4), int64. "
            'If they hold 0–255, give images.astype("uint8"); else say ph.Image(range=(low, high)).',
        ),
        (
            np.full((2, 4, 4), 700, np.int16) * np.array([-1, 2], np.int16)[:, None, None],
            Image(4, 4),
            "head `h`: expected images (H, W) or (H, W, C), uint8 or float, got rows of shape (4, 4), int16. "
            "Say ph.Image(range=(low, high)), what becomes 0 and 1; here they are -700 to 1400.",
        ),
        (
            np.zeros((2, 4), np.float32),
            Image(4, 4, 3),
            "head `h`: expected images (H, W) or (H, W, C), uint8 or float, got rows of shape (4,), float32. "
            "If these are pixels, give column.reshape(-1, height, width).",
        ),
        (
            np.zeros((2, 5, 5, 3), np.uint8),
            Image(4, 4, 3),
            "head `h`: expected images of shape (4, 4, 3), got shape (5, 5, 3).",
        ),
        (
            [np.zeros((4, 4, 3), np.uint8), None],
            Image(4, 4, 3),
            "head `h`, row 1: expected an image, got None. Leave the row out.",
        ),
    ],
)
def test_images_that_are_not_what_was_said(column, kind, words):
    assert message(kind.encode, column) == words


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        (
            (2, 3, 8, 9),
            Image(8, 9),
            "head `h`: expected images of 8 x 9 x any, got 3 x 8 x 9. "
            "These are channels first: give images.transpose(0, 2, 3, 1).",
        ),
        (
            (2, 3, 8, 9),
            Image(),
            "head `h`: expected 1, 3 or 4 channels last, got 3 x 8 x 9. Give images.transpose(0, 2, 3, 1).",
        ),
        (
            (2, 8, 9, 7),
            Image(),
            "head `h`: expected 1, 3 or 4 channels last, got 8 x 9 x 7. "
            "If these are 7 bands of an image, say Image(channels=7).",
        ),
        (
            (2, 8, 9, 3),
            Image(16),
            "head `h`: expected images of 16 x any x any, got 8 x 9 x 3. "
            "Say both Image(height, width): they are resized to it.",
        ),
        (
            (2, 8, 9, 4),
            Image(16, 16, 3),
            "head `h`: expected images of 16 x 16 x 3, got 8 x 9 x 4. Leave alpha out: images[..., :3]. "
            "Or declare the channels they have.",
        ),
        (
            (2, 8, 9),
            Image(channels=3),
            "head `h`: expected images of any x any x 3, got 8 x 9 x 1. "
            "Say both Image(height, width): they are resized to it.",
        ),
        (
            (2, 8, 9, 3),
            Image(8, 9, 1),
            "head `h`: expected images of 8 x 9 x 1, got 8 x 9 x 3. Declare the channels they have.",
        ),
        (
            (2, 5, 8, 9),
            Image(8, 9, 5),
            "head `h`: expected images of 8 x 9 x 5, got 5 x 8 x 9. "
            "These are channels first: give images.transpose(0, 2, 3, 1).",
        ),
    ],
)
def test_images_that_cannot_be_what_is_declared(shape, kind, words):
    assert message(resolved, kind, np.zeros(shape, np.uint8)) == words


def test_images_of_another_size_are_resized_later_and_others_are_not():
    of_another = resolved(Image(16, 12), np.zeros((2, 8, 9, 3), np.uint8))
    assert (of_another.shape, of_another.late) == ((16, 12, 3), True)
    as_they_are = resolved(Image(8, 9), np.zeros((2, 8, 9), np.float32))
    assert (as_they_are.shape, as_they_are.late) == ((8, 9, 1), False)


def test_an_input_names_its_columns():
    assert Array().columns("x") == ("x",)
    assert Array(column="y").columns("x") == ("y",)
    assert Array(column=["a", "b"]).columns("x") == ("a", "b")
    assert repr(Array(column=["a", "b"], fill=0.0)) == "Array(column=['a', 'b'], fill=0.0)"
    assert repr(Image(4, 5, 3)) == "Image(4, 5, 3)"
    assert repr(Image(channels=3)) == "Image(channels=3)"


def test_a_pixel_just_outside_is_found_among_many():
    column = np.zeros((5, 4, 4, 1), np.float32)
    column[3, 2, 1] = 1.001
    with pytest.raises(BadValue) as caught:
        Image(4, 4, 1).encode(column)
    assert caught.value.index == 3


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_rows_of_bytes_are_encoded_into_the_memory_that_is_given(dtype):
    rows = list(np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8))
    kind = Image(4, 5, 3, dtype=dtype)
    given = []

    def empty(shape, kind_of_number):
        given.append(np.empty(shape, kind_of_number))
        return given[-1]

    found = kind.encode(rows, True, empty)
    assert found is given[0]
    np.testing.assert_array_equal(found, kind.encode(np.stack(rows)))
    assert found.dtype == dtype
    with pytest.raises(BadValue, match=r"rows of one shape, as row 0 has it: \(4, 5, 3\)"):
        kind.encode([*rows, rows[0][:2]])


@pytest.mark.parametrize("kind", [Array, Regression, MultiLabel])
def test_a_column_that_is_named_twice(kind):
    with pytest.raises(ContractError) as caught:
        kind(column=["x", "y", "x"])
    words = f"{kind.__name__}(column=): expected names of different columns, got 'x' twice."
    assert str(caught.value) == words


@pytest.mark.parametrize("column", [np.zeros((3, 0)), [[], [], []]])
def test_rows_of_no_numbers_are_told(column):
    with pytest.raises(ph.DataError) as error:
        ph.Feed({"x": column, "y": [0, 1, 0]}, inputs="x", heads={"y": ph.Binary()})
    assert str(error.value) == (
        "input `x`, row 0: expected numbers in each row, got none, shape (0,). Pad the rows to one length: np.pad(row, "
        "(0, length - len(row))). Likewise all other rows that were checked."
    )


def test_rows_of_which_some_have_no_numbers_are_told():
    with pytest.raises(ph.DataError, match=r"^input `x`, row 1: expected rows of one shape, as row 0 has it"):
        ph.Feed({"x": [[0, 1], [1], []], "y": [0, 1, 0]}, inputs="x", heads={"y": ph.Binary()})
