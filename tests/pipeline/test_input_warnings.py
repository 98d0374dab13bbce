"""Warnings of inputs whose numbers mislead the model, each once, where the feed is made."""

import re
import warnings

import numpy as np
import pytest

import polyhead as ph

Y = np.arange(8) % 2
SECONDS = 1.7e9 + np.arange(8.0)


def feed(inputs, heads=None, **columns):
    return ph.Feed({"y": Y, **columns}, inputs=inputs, heads=heads or {"y": ph.Binary()})


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (SECONDS, ph.Array()),
        (SECONDS.tolist(), ph.Array()),
        (SECONDS.astype(np.int64) * 1000, ph.Array(dtype="float32")),
        (np.stack([Y, SECONDS], 1), ph.Array()),
        (2**60 + 4000 * np.arange(8), ph.Array(dtype="float32")),
    ],
)
def test_numbers_that_collapse_in_float32_are_told_once(column, kind):
    words = (
        "^input `t`, column `t`: expected numbers that differ in float32, got 1.* which become equal. Say "
    )
    with pytest.warns(ph.PolyheadWarning, match=words) as told:
        made = feed({"t": kind}, t=column)
    assert len(told) == 1
    made.on({"t": column, "y": Y}).on({"t": column})
    found = np.asarray(column)
    scaled = feed({"t": ph.Array(scale="standard")}, t=column).peek()[0]["t"].reshape(found.shape)
    expected = (found - found.mean(0)) / np.where(found.std(0) > 0, found.std(0), 1)
    np.testing.assert_allclose(scaled, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "column",
    [
        SECONDS.astype(np.float32),
        np.array([0.3, 0.1 + 0.2] * 4),  # rounding alone
        np.array([0.0, 1e-12, 1, 2, 3, 4, 5, 1e9]),
        1.6e9 + 1e7 * np.arange(8.0),
        np.full(8, 1.7e9),
        np.array([np.nan, *SECONDS[1:] * 1e3]) * np.array([1, 2] * 4),
        np.arange(8),
    ],
)
def test_other_numbers_are_not(column):
    feed({"t": ph.Array(fill=0.0 if column.dtype.kind == "f" else None)}, t=column)


def test_labels_that_collapse_in_float32_are_told_once():
    words = (
        "head `t`: expected numbers that differ in float32, got 1700000000000 and 1700000001000, which become equal. "
        'Say ph.Regression(scale="standard"), which metrics and ph.predict undo.'
    )
    heads, column = {"t": ph.Regression()}, SECONDS.astype(np.int64) * 1000
    with pytest.warns(ph.PolyheadWarning, match=f"^{re.escape(words)}$") as told:
        feed("y", heads, t=column).on({"t": column, "y": Y})
    assert len(told) == 1
    feed(
        "y",
        {"t": ph.Regression(scale="standard"), "v": ph.Embedding(2)},
        t=column,
        v=np.stack([column] * 2, 1),
    )


def test_bytes_of_0_and_1_are_told():
    images = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4, 1) % 2
    words = "expected pixels of 0–255, as they are uint8, got bytes of 0 and 1 alone, which become 0 and 0.004. If"
    for column in (images, list(images), [image[..., 0] for image in images]):
        with pytest.warns(ph.PolyheadWarning, match=f"^input `i`, column `i`: {words} 1 is white, say"):
            feed({"i": ph.Image(4, 4)}, i=column)
    ranged = feed({"i": ph.Image(range=(0, 1))}, i=images)
    assert np.array_equal(ranged.peek()[0]["i"], images)
    feed({"i": ph.Image(dtype="uint8")}, i=images)
    feed({"i": ph.Image()}, i=images * 255)
    feed({"i": ph.Image()}, i=images * 0)


def test_a_label_in_an_input_is_told():
    words = "head `y`, column `y`: expected a label that no input has, got the same column in input `x`. The model "
    for inputs in ({"x": ph.Array(column=["a", "y"])}, {"x": ph.Array(column="y"), "a": ph.Array()}):
        with pytest.warns(ph.PolyheadWarning, match=re.escape(words)) as told:
            feed(inputs, a=Y * 1.5)
        assert len(told) == 1


def test_a_vector_that_is_predicted_as_a_whole_is_no_leak():
    vectors = np.random.default_rng(0).normal(size=(8, 3))
    feed({"v": ph.Array()}, {"v2": ph.Regression(3, column="v")}, v=vectors)
    both = {"v": ph.Array(column=["a", "b"])}
    feed(both, {"r": ph.Regression(2, column=["a", "b"])}, a=vectors[:, 0], b=vectors[:, 1])


def test_a_cache_and_rows_to_predict_are_not_told_again(tmp_path):
    images = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4, 1) % 2
    with pytest.warns(ph.PolyheadWarning, match="0 and 1 alone") as told:
        made = ph.Feed(
            {"i": images, "y": Y},
            inputs={"i": ph.Image(2, 2)},
            heads={"y": ph.Binary()},
            cache=tmp_path / "c",
        )
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.on({"i": images})
