"""Labels of rows that are mixed, in words and as what a filter finds."""

import numpy as np
import pytest

import polyhead as ph
from polyhead.report.drawn_views import VIEWS
from polyhead.report.samples import Label

COUNTS = np.ones((), bool)
CATS = ph.Categorical(["cat", "dog", "cow"], one_hot=True)


@pytest.mark.parametrize(
    ("head", "value", "words", "held"),
    [
        (ph.Binary(), [1], "1", (1,)),
        (ph.Binary(), [0], "0", (0,)),
        (ph.Binary(), [0.25], "1 (25%)", (0, 1)),
        (ph.Binary(positive="yes"), [0.75], "1 (yes) (75%)", (0, 1)),
        (CATS, [0, 1, 0], "dog", [1]),
        (CATS, [0.3, 0, 0.7], "cow (70%), cat (30%)", [2, 0]),
        (ph.Categorical(["cat", "dog"]), 1, "dog", (1,)),
        (ph.MultiLabel(["red", "round"]), [1, 0.5], "red, round (50%)", [0, 1]),
    ],
)
def test_what_a_label_holds(head, value, words, held):
    view = VIEWS[head.view]("name", head, 0, (0, 0, 0))
    label = Label(np.array(value, "float32" if head.dtype == "float32" else "int32"), COUNTS)
    assert view.words(label) == words
    assert view.class_ids(label) == held


def test_a_page_of_rows_that_are_mixed(tmp_path):
    rng = np.random.default_rng(0)
    data = {
        "image": rng.integers(0, 256, (12, 16, 16, 3), dtype="uint8"),
        "kind": ["cat", "dog", "cow"] * 4,
        "mask": rng.integers(0, 3, (12, 16, 16)),
        "box": [[[1, 1, 9, 9]]] * 12,
    }
    heads = {"kind": CATS, "mask": ph.Mask(3), "box": ph.Boxes(4, overflow="first")}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, augment=[ph.Mosaic(p=1.0)])
    feed.preview(tmp_path / "page.html", 4)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    batch = next(feed.batches())
    label = batch.labels["kind"][0]
    order = [i for i in np.argsort(-label, kind="stable") if label[i] > 0]
    assert len(order) > 1
    assert ", ".join(f"{CATS.names[i]} ({label[i]:.0%})" for i in order) in page
    assert "augmented" in page
    assert "original" in page
