"""What a kind learned from its column: no argument, not in its repr, and kept by every copy."""

import inspect
import pickle

import numpy as np
import pytest

import polyhead as ph

KINDS = [
    ph.Array,
    ph.Image,
    ph.Binary,
    ph.Categorical,
    ph.MultiLabel,
    ph.Regression,
    ph.Embedding,
    ph.Mask,
    ph.Map,
    ph.Boxes,
    ph.Keypoints,
]
DATA = {
    "image": np.zeros((4, 12, 12, 3), np.uint8),
    "word": ["yes", "no", "no", "yes"],
    "mask": np.eye(8, dtype=np.uint8)[None].repeat(4, 0),
    "depth": np.ones((4, 8, 8), np.uint8),
    "x": np.zeros((4, 2)),
    "weight": np.ones((4, 8, 8)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_no_argument(kind):
    arguments = inspect.signature(kind).parameters
    assert "column" in arguments
    assert [name for name in arguments if name.startswith("_") or name in ("late", "files")] == []


@pytest.mark.parametrize(
    ("kind", "word"), [(ph.Image, "late"), (ph.Image, "files"), (ph.Binary, "_met"), (ph.Mask, "_open")]
)
def test_it_cannot_be_said(kind, word):
    with pytest.raises(TypeError, match=word):
        kind(**{word: True})


def learned():
    heads = {
        "word": ph.Binary(positive="yes"),
        "mask": ph.Mask(sample_weight="weight"),
        "depth": ph.Map(sample_weight="weight"),
    }
    return ph.Feed(DATA, inputs={"x": ph.Array()}, heads=heads, batch_size=4)


def resized():
    return ph.Feed(DATA, inputs={"image": ph.Image(8, 8)}, heads={"word": ph.Binary(positive="yes")})


def test_it_goes_to_feeds_of_other_rows():
    no_yes = {**DATA, "word": ["no"] * 4}  # that there are some was learned from other rows
    other = learned().on(no_yes)
    assert other.peek()[1]["word"].tolist() == [[0]] * 4
    assert other.heads["mask"].weight_shape == (8, 8)
    assert resized().on(no_yes).inputs["image"].late


def test_it_is_pickled():
    for kind in (*resized().inputs.values(), *learned().heads.values()):
        assert vars(pickle.loads(pickle.dumps(kind))) == vars(kind)


def test_it_is_neither_shown_nor_compared():
    image, word, mask = resized().inputs["image"], learned().heads["word"], learned().heads["mask"]
    assert repr(image) == "Image(8, 8, 3)"
    assert image == ph.Image(8, 8, 3)
    assert repr(word) == "Binary(positive='yes')"
    assert repr(mask) == "Mask(sample_weight='weight', size=(8, 8))"
    assert mask == ph.Mask(sample_weight="weight", size=(8, 8))
