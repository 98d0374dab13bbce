"""Values that are unlike those before them: a store keeps what they say, or names the row."""

import numpy as np
import pandas as pd
import pytest

import polyhead as ph

NAN = float("nan")
LISTS = {
    "NaN among words": ([["cat", NAN], ["dog"], NAN, None, []], [["cat", None], ["dog"], None, None, []]),
    "NaN among lists": ([[["a", NAN]], [NAN], [[]]], [[["a", None]], [None], [[]]]),
    "NaN among dicts": ([{"a": "x"}, NAN, {"a": NAN}], [{"a": "x"}, None, {"a": None}]),
    "NaN among arrays": ([np.ones((1, 2)), NAN], [[[1.0, 1.0]], None]),
    "NaN among truth": ([[True], [NAN, False]], [[1.0], [NAN, 0.0]]),
    "NA of a frame among numbers": ([(1.5, pd.NA), [NAN, pd.NaT]], [[1.5, None], [NAN, None]]),
    "NaN alone": ([[NAN], [NAN, NAN]], [[NAN], [NAN, NAN]]),
}


@pytest.mark.parametrize("name", LISTS)
def test_nan_is_missing_among_what_is_no_number(tmp_path, name):
    given, expected = LISTS[name]
    store = ph.pack({"x": given, "row": np.arange(len(given))}, tmp_path / "store", progress=False)
    found = [
        value.tolist() if isinstance(value, np.ndarray) else value
        for value in store.read(range(len(given)))["x"]
    ]
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("column", [["x", "\ud800"], [["x"], ["y", "\ud800"]], [{"a": "x"}, {"a": "\ud800"}]])
def test_half_of_a_surrogate_pair_is_refused(tmp_path, column):
    with pytest.raises(ph.DataError) as caught:
        ph.pack({"c": column}, tmp_path / "store", progress=False)
    assert str(caught.value) == (
        "column `c`, row 1: expected text that UTF-8 can hold, got '\\ud800'. "
        'Replace it: text.encode(errors="replace").decode().'
    )


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "25s", "ms"])
def test_times_in_every_unit_are_kept(tmp_path, unit):
    """Arrow lacks some units of NumPy, such as hours."""
    column = np.array([19000, "NaT", -3], f"datetime64[{unit}]")
    rows = {"at": column, "list": list(range(3))}
    if unit not in ("Y", "M"):
        rows["span"] = column - np.datetime64(0, unit if unit.isalpha() else "s")
    found = ph.pack(rows, tmp_path / "store", progress=False).read(range(3))
    for name in rows:
        np.testing.assert_array_equal(found[name], rows[name])


@pytest.mark.parametrize("span", [(0, 7), (-1000, 3000), (-312.7, 294.1), (1e6, 1e6 + 1), (-0.5, -0.25)])
@pytest.mark.parametrize("way", ["packed", "cached"])
def test_resized_images_in_a_range_differ_by_the_rounding_of_float32(tmp_path, span, way):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    low, high = span
    images = low + np.random.default_rng(0).random((12, 16, 16, 1)) * (high - low)
    data = {"image": images, "y": np.zeros(12)}
    inputs, heads = {"image": ph.Image(9, 11, range=span)}, {"y": ph.Regression()}
    feed = ph.Feed(data, inputs=inputs, heads=heads, batch_size=12, workers=0)
    expected = next(feed.batches()).inputs["image"]
    if way == "packed":
        kept = feed.on(ph.pack(feed, tmp_path / "store", progress=False))
    else:
        kept = feed.on(data, cache=tmp_path / "cache")
        next(kept.batches())
    found = next(kept.batches()).inputs["image"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.2e-7)


class Turning(ph.Source):
    """Rows of which those from the 40th on have another type."""

    def __init__(self, first, later):
        self.first, self.later = first, later

    def __len__(self):
        return 50

    def read(self, ids):
        early, found = ids < 40, ids / 10
        found[early] = found[early].astype(self.first)
        return {"x": found.astype(self.first if early.all() else self.later), "row": ids}


@pytest.mark.parametrize(
    ("first", "later", "wrong"),
    [
        ("float32", "float64", "numbers that fit float32, got 4.1"),
        ("int64", "float64", "numbers that fit int64, got 4.1"),
    ],
)
def test_numbers_that_do_not_fit_the_type_of_the_first_rows_are_refused(tmp_path, first, later, wrong):
    with pytest.raises(ph.DataError) as caught:
        ph.pack(Turning(first, later).select(range(49, -1, -1)).select(range(49, -1, -1)), tmp_path / "s")
    assert str(caught.value) == f"column `x`, row 41: expected {wrong}. Convert the column."


def test_numbers_of_another_type_that_fit_are_kept(tmp_path):
    store = ph.pack(Turning("float64", "float32"), tmp_path / "store", progress=False)
    assert store.read([41])["x"].tolist() == [float(np.float32(4.1))]
