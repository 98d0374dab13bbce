"""Weights of the user's own, beside those that presence and classes make."""

import numpy as np
import pytest

import polyhead as ph

ROWS = 12
ROW = np.arange(ROWS)
DATA = {
    "x": ROW.astype("float32"),
    "w": np.linspace(0, 2, ROWS),
    "kind": ROW % 3,
    "size": np.where(ROW % 4, ROW, np.nan),
    "mask": np.repeat((ROW % 2)[:, None, None], 4, axis=1).repeat(4, axis=2),
    "here": ROW % 2,
}


class Read(ph.Source):
    """The same rows, none of them in memory."""

    def __len__(self):
        return ROWS

    def read(self, ids):
        return {name: values[ids] for name, values in DATA.items()}


@pytest.mark.parametrize("source", [DATA, Read()])
def test_weights_of_the_user_s_own_multiply_with_the_others(source):
    heads = {
        "kind": ph.Categorical(3, class_weight={0: 1.0, 1: 2.0, 2: 3.0}, sample_weight="w"),
        "here": ph.Binary(),
        "size": ph.Regression(given="here", sample_weight="w"),
        "mask": ph.Mask(sample_weight="w"),
    }
    feed = ph.Feed(source, inputs="x", heads=heads, batch_size=5, shuffle=True)
    for batch in feed.batches():
        w = DATA["w"][batch.ids]
        assert np.allclose(batch.weights["kind"], w * (1 + batch.ids % 3))
        assert np.allclose(batch.weights["size"], w * (batch.ids % 2) * (batch.ids % 4 > 0))
        assert np.allclose(batch.weights["mask"], w[:, None, None])
        assert batch.weights["mask"].shape == (len(w), 1, 1)
        assert (batch.weights["here"] == 1).all()
        assert all(values.dtype == np.float32 for values in batch.weights.values())


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, 1e39])
def test_a_weight_that_is_none_is_named(bad):
    data = {**DATA, "w": np.where(ROW == 7, bad, 1.0)}
    shown = "None" if bad != bad else repr(bad)
    with pytest.raises(ph.DataError) as error:
        ph.Feed(data, inputs="x", heads={"kind": ph.Categorical(3, sample_weight="w")})
    assert str(error.value) == (
        f"head `kind`, column `w`, row 7: expected a finite weight of at least 0, got {shown}. Put 0 where a row "
        "does not count."
    )


def test_a_column_of_weights_that_does_not_exist():
    with pytest.raises(ph.DataError) as error:
        ph.Feed(DATA, inputs="x", heads={"kind": ph.Categorical(3, sample_weight="ww")})
    assert "head `kind`: expected a column `ww` among x, w, kind, size, mask, here" in str(error.value)
    with pytest.raises(ph.ContractError, match=r"Binary\(sample_weight=\): expected the name of a column"):
        ph.Binary(sample_weight=np.ones(3))


def test_large_labels_are_counted_a_few_rows_at_a_time():
    most = []

    class Large(ph.Source):
        def __len__(self):
            return 90

        def read(self, ids):
            most.append(len(ids))
            masks = np.zeros((len(ids), 1024, 1024), np.uint8)
            masks[:, : 512 + 256] = 1
            return {"x": ids.astype("float32"), "mask": masks}

    heads = {"mask": ph.Mask(2, class_weight="balanced")}
    feed = ph.Feed(Large(), inputs="x", heads=heads, batch_size=4)
    assert feed.heads["mask"].class_weight == {0: 2.0, 1: 2 / 3}
    assert max(most) <= 64


@pytest.mark.parametrize("head", [ph.Binary(), ph.Categorical(2), ph.Regression()])
def test_a_label_that_is_missing_although_the_first_rows_are_integers_is_named(head):
    class Late(ph.Source):
        def __len__(self):
            return 40

        def read(self, ids):
            labels = [None if row == 31 else int(row % 2) for row in ids]
            return {"x": ids.astype("float32"), "y": np.array(labels)}

    with pytest.raises(ph.DataError) as error:
        list(ph.Feed(Late(), inputs="x", heads={"y": head}, batch_size=8, workers=0).batches())
    assert str(error.value) == (
        "head `y`, row 31: expected a label, as the first rows have integers, which can't be missing, got none. If "
        "labels can be missing, return lists or floats from every read, not arrays of integers."
    )
