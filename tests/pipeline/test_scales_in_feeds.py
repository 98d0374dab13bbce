"""Scales in whole feeds: which rows they are fitted on, and what moves, is mixed, stored and shown."""

import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds.conversion import Conversion
from polyhead.pipeline.gather import MemoryColumn

ROWS = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 2)).astype(np.float32)
SOLD = np.where(np.arange(ROWS) % 3 == 0, 0.0, 1.0)
PRICE = np.where(SOLD == 1, 250_000 + 60_000 * X[:, 0], 0.0)  # 0 where nothing was sold
DATA = {"x": X, "sold": SOLD, "price": PRICE}


class Rows(ph.Source):
    """Rows of which none is in memory; each piece that is read of a column is counted."""

    def __init__(self, data):
        self.data, self.reads = data, []

    @property
    def columns(self):
        return tuple(self.data)

    def __len__(self):
        return len(self.data["x"])

    def read(self, ids):
        self.reads.append(ids)
        return {
            name: v[ids] if isinstance(v, np.ndarray) else [v[i] for i in ids]
            for name, v in self.data.items()
        }


def labels_of(feed, name):
    return np.concatenate([batch.labels[name] for batch in feed.batches()])


@pytest.mark.parametrize("source", [dict, Rows], ids=["in memory", "read"])
@pytest.mark.parametrize("name", ["standard", "log"])
def test_a_scale_is_fitted_where_the_head_counts(source, name):
    heads = {"sold": ph.Binary(), "price": ph.Regression(given="sold", scale=name)}
    feed = ph.Feed(source(DATA), inputs="x", heads=heads)
    asked = np.log1p(PRICE[SOLD == 1]) if name == "log" else PRICE[SOLD == 1]
    assert feed.heads["price"].scale.center == (pytest.approx(asked.mean()),)
    labels = labels_of(feed, "price")[:, 0]
    assert labels[SOLD == 1].std() == pytest.approx(1, rel=1e-5)
    assert f"{PRICE[SOLD == 1].min():.4g} to {PRICE.max():.4g}" in str(feed.describe())


def test_a_minimum_of_zero_is_described_without_rounding():
    data = {"x": np.ones((50, 2)), "y": np.array([0.0, 1, 2, 3, 23] * 10)}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Regression(scale="standard")})
    assert feed.describe().heads[0].distribution == "0 to 23, mean 5.8"


def test_a_chain_of_given_heads_is_followed():
    data = {**DATA, "seen": np.where(np.arange(ROWS) % 2, 1.0, 0.0)}
    heads = {
        "price": ph.Regression(given="sold", scale="minmax"),
        "sold": ph.Binary(given="seen"),
        "seen": ph.Binary(),
    }
    there = PRICE[(SOLD == 1) & (data["seen"] == 1)]
    scale = ph.Feed(data, inputs="x", heads=heads).heads["price"].scale
    assert scale.center == (there.min(),)
    assert scale.width == (pytest.approx(there.max() - there.min()),)


def test_other_rows_have_the_scale_of_the_rows_of_training():
    feed = ph.Feed(
        DATA, inputs={"x": ph.Array(scale="standard")}, heads={"price": ph.Regression(scale="minmax")}
    )
    other = feed.on({"x": X[:5] * 2, "price": PRICE[:5] * 2})
    assert other.heads == feed.heads
    np.testing.assert_allclose(labels_of(other, "price")[:, 0], PRICE[:5] * 2 / PRICE.max(), rtol=1e-6)
    batch = next(iter(feed.on(DATA, batch_size=ROWS).batches()))
    np.testing.assert_allclose(batch.inputs["x"].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(
        next(iter(other.batches())).inputs["x"], (X[:5] * 2 - X.mean(0)) / X.std(0), rtol=1e-4, atol=1e-6
    )
    new = feed.on({"x": X[:3]}, batch_size=3)  # only to predict
    np.testing.assert_allclose(next(iter(new.batches())).inputs["x"], batch.inputs["x"][:3])


def test_labels_in_memory_are_scaled_once():
    calls = []

    def root(values):
        calls.append(len(values))
        return np.sqrt(values)

    feed = ph.Feed(DATA, inputs="x", heads={"price": ph.Regression(scale=(root, np.square))}, batch_size=8)
    made = len(calls)
    for _ in range(3):
        assert len(list(feed.batches())) == 5
    assert len(calls) == made
    whole = feed._assembler.labels["price"].gatherable()["labels"]
    assert isinstance(whole, MemoryColumn)
    assert whole.conversion == Conversion(whole.array.dtype.str)  # copied as it was scaled


def test_a_column_is_read_once_to_fit_its_scale():
    data = {"x": np.zeros((20_000, 1), np.float32), "y": RNG.normal(size=20_000)}
    plain, scaled = Rows(data), Rows(data)
    ph.Feed(plain, inputs="x", heads={"y": ph.Regression()})
    ph.Feed(scaled, inputs="x", heads={"y": ph.Regression(scale="robust")})
    more = sum(map(len, scaled.reads)) - sum(map(len, plain.reads))
    assert more <= 20_000 + 64


def test_every_row_that_a_scale_cannot_take_is_named():
    data = {"x": X, "price": np.where(np.arange(ROWS) % 20 == 7, -5.0, 3.0)}
    with pytest.raises(ph.DataError) as error:
        ph.Feed(data, inputs="x", heads={"price": ph.Regression(scale="log")})
    words = 'numbers above -1, as scale="log" takes log(1 + number), got -5.0. Say scale="standard", or leave the row'
    assert str(error.value) == f"head `price`, row 7: expected {words} out. Likewise row 27."
    late = {**data, "price": np.where(np.arange(ROWS) == 37, -5.0, 3.0)}  # behind the first rows
    feed = ph.Feed(Rows(late), inputs="x", heads={"price": ph.Regression(scale="log")}, batch_size=ROWS)
    with pytest.raises(ph.DataError, match="head `price`, row 37: expected numbers above -1"):
        next(iter(feed.batches()))


@pytest.mark.parametrize("bad", ["dear", float("inf")])
def test_a_row_that_is_no_number_is_named_as_without_a_scale(bad):
    price = [float(v) for v in PRICE]
    price[38] = bad
    said = []
    for scale in (None, "standard"):
        for given in (None, "sold"):
            heads = {"sold": ph.Binary(), "price": ph.Regression(scale=scale, given=given)}
            with pytest.raises(ph.DataError) as error:
                ph.Feed({**DATA, "price": price}, inputs="x", heads=heads)
            said.append(str(error.value))
    assert len(set(said)) == 1
    assert said[0].startswith("head `price`, row 38: expected")
    rows = Rows({**DATA, "price": price})
    feed = ph.Feed(rows, inputs="x", heads={"price": ph.Regression(scale="standard")}, batch_size=ROWS)
    rest = np.delete(PRICE, 38)
    assert feed.heads["price"].scale.center == (pytest.approx(rest.mean()),)
    with pytest.raises(ph.DataError, match="head `price`, row 38: expected"):
        next(iter(feed.batches()))


# Boxes, pixels, mixing ------------------------------------------------------------------------------


def test_each_box_has_a_scaled_number():
    heights = [[[1000.0, 3000.0]], [[]], [None], [[5000.0]]]
    data = {
        "x": np.zeros((4, 1), np.float32),
        "box": [[[0, 0, 4, 4], [1, 1, 3, 3]], [], None, [[2, 2, 9, 9]]],
        "height": [one[0] for one in heights],
    }
    heads = {"box": ph.Boxes(2), "height": ph.Regression(each="box", scale="minmax")}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
    batch = next(iter(feed.batches()))
    assert batch.labels["height"][..., 0].tolist() == [[0, 0.5], [0, 0], [0, 0], [1, 0]]
    assert batch.weights["height"].tolist() == [[1, 1], [0, 0], [0, 0], [1, 0]]
    assert feed.heads["height"].unscaled(batch.labels["height"])[0, 1].tolist() == [3000]
    assert ph.Declaration.from_dict(feed.declaration.to_dict()) == feed.declaration


def test_mixed_rows_are_the_mean_of_scaled_numbers():
    heads = {"price": ph.Regression(scale="standard"), "raw": ph.Regression(column="price")}
    feed = ph.Feed(DATA, inputs="x", heads=heads, augment=[ph.MixUp()], shuffle=True)
    for batch in feed.batches():
        np.testing.assert_allclose(
            feed.heads["price"].unscaled(batch.labels["price"]), batch.labels["raw"], rtol=1e-4, atol=0.1
        )


def images():
    depth = RNG.uniform(1, 80, (6, 8, 8)).astype(np.float32)
    depth[:, :2] = np.nan
    return {"image": RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8), "depth": depth}


@pytest.mark.parametrize("name", ["standard", "minmax", "robust", "log"])
def test_maps_are_scaled_after_they_were_moved(name):
    pytest.importorskip("cv2", reason="opencv is not installed")
    data = images()
    heads = {"depth": ph.Map(scale=name), "raw": ph.Map(column="depth")}
    moves = [ph.Flip(), ph.Rotate(20)]
    for augment in ([], moves):
        feed = ph.Feed(data, inputs={"image": ph.Image(6, 6)}, heads=heads, augment=augment, batch_size=6)
        batch = next(iter(feed.batches()))
        there = batch.weights["depth"] > 0
        np.testing.assert_array_equal(batch.weights["depth"], batch.weights["raw"])
        back = feed.heads["depth"].unscaled(batch.labels["depth"])
        np.testing.assert_allclose(back[there], batch.labels["raw"][there], rtol=1e-4)
        assert (batch.labels["depth"][~there] == 0).all()
    still = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, batch_size=6)
    if name == "standard":
        assert still.heads["depth"].scale.center == (pytest.approx(np.nanmean(data["depth"])),)


def test_stores_and_caches_hold_the_numbers_of_the_data(tmp_path):
    pytest.importorskip("cv2", reason="opencv is not installed")
    data = {**images(), "price": 1000 * np.arange(6.0)}
    heads = {"depth": ph.Map(scale="standard"), "price": ph.Regression(scale="standard")}
    feed = ph.Feed(data, inputs={"image": ph.Image(6, 6)}, heads=heads, batch_size=6)
    expected = next(iter(feed.batches()))
    ph.pack(feed, tmp_path / "store")
    stored = ph.open_store(tmp_path / "store")
    assert stored.read(np.arange(6))["price"].tolist() == data["price"].tolist()
    for found in (
        feed.on(stored),
        ph.Feed(data, inputs={"image": ph.Image(6, 6)}, heads=heads, batch_size=6, cache=tmp_path / "cache"),
    ):
        batch = next(iter(found.batches()))
        for name in heads:
            np.testing.assert_allclose(batch.labels[name], expected.labels[name], rtol=1e-5, atol=1e-5)


def test_a_preview_shows_the_units_of_the_data(tmp_path):
    feed = ph.Feed(DATA, inputs="x", heads={"price": ph.Regression(scale="log")}, batch_size=8)
    feed.preview(tmp_path / "page.html", 4)
    page = (tmp_path / "page.html").read_text()
    assert f"{PRICE[1]:.4g}" in page
    assert f"{feed.peek()[1]['price'][1, 0]:.4g}" not in page


def test_a_state_is_taken_up_by_a_feed_of_the_same_scale():
    heads = {"price": ph.Regression(scale="standard")}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=8, shuffle=True)
    batches = iter(feed)
    next(batches)
    again = ph.Feed(dict(DATA), inputs="x", heads=heads, batch_size=8, shuffle=True)
    assert again.restore(feed.state()).state()["step"] == 1
