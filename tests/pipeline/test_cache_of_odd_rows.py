"""A cache of rows of which some are wrong, or unlike the first: the feed says, and gives, what it does without one."""

from functools import cache

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.pipeline.faults import readable_rows
from polyhead.readers.as_source import as_source

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
pytestmark = pytest.mark.once
ROWS, SIDE = 40, 16
WRONG = {
    "an image among the first": {"image": [2, 3, 37]},
    "the first image": {"image": [0]},
    "the images of the first rows": {"image": range(9)},
    "a mask among the first": {"mask": [2, 3, 37]},
    "the first mask": {"mask": [0]},
    "the masks of the first rows": {"mask": range(9)},
    "images and masks": {"image": [0, 5], "mask": [1, 30]},
}
MOVES = {"still": [], "moved": [ph.Flip()]}


def written(folder, wrong):
    """Images and masks in files, of which some are cut off or hold a word."""
    rng, data = np.random.default_rng(0), {"image": [], "mask": [], "y": np.arange(ROWS) % 2}
    for name, shape, most in (("image", (SIDE, SIDE, 3), 256), ("mask", (SIDE, SIDE), 2)):
        for i in range(ROWS):
            path = folder / f"{name} {i}.png"
            cv2.imwrite(str(path), rng.integers(0, most, shape, dtype=np.uint8))
            if i in wrong.get(name, ()):
                path.write_bytes(path.read_bytes()[:60] if i % 2 else b"none")
            data[name].append(str(path))
    return data


def feed_of(rows, heads=None, **options):
    heads = heads or {"mask": ph.Mask(), "y": ph.Binary()}
    inputs = {"image": ph.Image(8, 8)}
    return ph.Feed(rows, inputs=inputs, heads=heads, batch_size=4, workers=0, **options)


@cache
def model_of(heads):
    x = keras.Input((8, 8, 3), name="image")
    y = keras.layers.Dense(1, "sigmoid", name="y")(keras.layers.Flatten()(x))
    outputs = {"mask": keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x), "y": y}
    return keras.Model(x, {name: outputs[name] for name in heads})


def said(feed):
    """Return the rows that `check(rows="all")` names, and the message of the error that reading batches raises."""
    errors = feed.check(model_of(tuple(feed.heads)), rows="all").errors
    with pytest.raises(ph.DataError) as caught:
        list(feed.batches())
    return [(str(problem), problem.rows) for problem in errors], str(caught.value)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_wrong_is_said_as_without_a_cache(tmp_path, wrong, moves, backwards):
    rows = written(tmp_path, WRONG[wrong])
    if backwards:
        rows = as_source(rows).select(np.arange(ROWS)[::-1])
    plain = said(feed_of(rows, augment=MOVES[moves]))
    cached = said(feed_of(rows, augment=MOVES[moves], cache=tmp_path / "cache"))
    assert cached == plain
    named = [row for _, some in plain[0] for row in some]
    assert sorted(named) == sorted(row for some in WRONG[wrong].values() for row in some)


def test_unreadable_first_rows_are_searched_once_for_each_column(tmp_path, monkeypatch):
    searched = []
    monkeypatch.setattr(
        "polyhead.pipeline.cache.readable_rows",
        lambda source, ids: searched.append(source.columns) or readable_rows(source, ids),
    )
    feed_of(written(tmp_path, WRONG["the first image"]), cache=tmp_path / "cache")
    assert sorted(searched) == [("image",), ("mask",)]


@pytest.mark.parametrize("moves", MOVES)
def test_when_no_image_can_be_read_the_check_names_all(tmp_path, moves):
    rows = written(tmp_path, {"image": range(ROWS)})
    feeds = [
        feed_of(rows, {"y": ph.Binary()}, augment=MOVES[moves], cache=folder)
        for folder in (None, tmp_path / "cache")
    ]
    plain, cached = map(said, feeds)
    assert cached == plain
    assert sorted(row for _, some in plain[0] for row in some) == list(range(ROWS))


def test_a_row_that_was_mended_is_read_by_the_next_run(tmp_path):
    rows = written(tmp_path, {"image": [2]})
    feed = feed_of(rows, cache=tmp_path / "cache")
    with pytest.raises(ph.DataError, match=r"^input `image`, row 2, "):
        list(feed.batches())
    cv2.imwrite(rows["image"][2], np.full((SIDE, SIDE, 3), 7, np.uint8))
    again = feed_of(rows, cache=tmp_path / "cache")
    for ours, theirs in zip(again.batches(), feed_of(rows).batches(), strict=True):
        np.testing.assert_array_equal(ours.inputs["image"], theirs.inputs["image"])
        np.testing.assert_array_equal(ours.labels["mask"], theirs.labels["mask"])


def pixels(value, channels=()):
    return np.full((SIDE, SIDE, *channels), value)


def in_part(value, of):
    found = of.astype(float)
    found[:4, :4] = value
    return found


MASK = (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 5 > 2).astype(np.uint8)
BOX = [[1.0, 1, 8, 8]]
UNLIKE = {
    "half": (MASK, pixels(0.5), ph.Mask()),
    "a half among three classes": (MASK, pixels(0.5), ph.Mask(3)),
    "a number that bytes do not hold": (MASK, pixels(256), ph.Mask(3)),
    "below zero": (MASK, MASK.astype(int) - 2, ph.Mask(3)),
    "beyond its values": (MASK, pixels(256), ph.Mask(values=(0, 1))),
    "floats": (MASK, MASK.astype(float), ph.Mask()),
    "truth": (MASK, MASK.astype(bool), ph.Mask()),
    "lists": (MASK, MASK.tolist(), ph.Mask()),
    "NaN": (MASK, float("nan"), ph.Mask()),
    "pixels of NaN": (MASK, pixels(np.nan), ph.Mask()),
    "pixels of NaN among floats": (MASK.astype(np.float32), pixels(np.nan), ph.Mask()),
    "NaN in part": (MASK, in_part(np.nan, MASK), ph.Mask()),
    "NaN in part, with a marker": (MASK, in_part(np.nan, MASK), ph.Mask(missing=255)),
    "NaN in part of floats": (MASK.astype(np.float32), in_part(np.nan, MASK), ph.Mask(missing=255)),
    "two channels": (MASK, pixels(0, (2,)), ph.Mask(3)),
    "an axis more": (MASK, MASK[..., None], ph.Mask(3)),
    "a channel less": (np.dstack([MASK] * 3), np.dstack([MASK] * 2), ph.Mask(3, multi=True)),
    "half in a channel": (np.dstack([MASK] * 3), pixels(0.5, (3,)), ph.Mask(3, multi=True)),
    "another color": (pixels(0, (3,)), pixels(9, (3,)), ph.Mask(values=[(0, 0, 0), (1, 1, 1)])),
    "a file": (MASK, "none.png", ph.Mask()),
    "a map of integers": (MASK, pixels(300), ph.Map()),
    "a map of two channels": (MASK, pixels(0.0, (2,)), ph.Map()),
    "a map of NaN": (MASK, pixels(np.nan), ph.Map()),
    "an infinite map": (MASK, pixels(np.inf), ph.Map()),
    "more points": ([[1.0, 2]], [[1.0, 2], [3, 4]], ph.Keypoints(1)),
    "points in an array": ([[1.0, 2]], np.array([[1, 2]]), ph.Keypoints(1)),
    "more boxes": (BOX, BOX * 3, ph.Boxes(2)),
    "no box": (BOX, [], ph.Boxes(2)),
    "unknown boxes": (BOX, None, ph.Boxes(2)),
    "boxes in an array": (BOX, np.array([[1, 1, 8, 8]]), ph.Boxes(2)),
    "a single box": (BOX, BOX[0], ph.Boxes(2)),
    "half in the mask of a box": ([MASK], [pixels(0.5)], ph.Mask(each="box")),
    "no mask of a box": ([MASK], [None], ph.Mask(each="box")),
    "NaN in place of the mask of a box": ([MASK], [pixels(np.nan)], ph.Mask(each="box")),
    "a mask too many": ([MASK], [MASK, MASK], ph.Mask(each="box")),
    "NaN for a class": (["cat"], [float("nan")], ph.Categorical(["cat", "dog"], each="box")),
}
LATE = 23


def outcome(first, odd, head, moves, **options):
    """Batches of rows of which a late one is unlike the others, or the error."""
    rows = {
        "image": [np.full((SIDE, SIDE, 3), i, np.uint8) for i in range(ROWS)],
        "box": [BOX] * ROWS,
        "label": [first] * ROWS,
    }
    rows["label"][LATE] = odd
    heads = {"label": head} if head.each is None else {"box": ph.Boxes(2), "label": head}
    inputs = {"image": ph.Image(8, 8)}
    packed = options.pop("packed", None)
    try:
        one = ph.Feed(rows, inputs=inputs, heads=heads, augment=moves, batch_size=ROWS, workers=0, **options)
        if packed:
            one = one.on(ph.pack(one, packed, progress=False), augment=moves)
        return [next(one.batches()) for _ in range(2)]
    except ph.DataError as error:
        return str(error)


@cache
def plainly(unlike, moves):
    return outcome(*UNLIKE[unlike], MOVES[moves])


@pytest.mark.parametrize("unlike", UNLIKE)
@pytest.mark.parametrize(
    ("way", "moves"), [("cached", "still"), ("cached", "moved"), ("packed", "still")]
)  # a store is moved after it was resized
def test_a_late_row_unlike_the_first_is_the_same_as_without(tmp_path, unlike, way, moves):
    options = {"cache": tmp_path / "kept"} if way == "cached" else {"packed": tmp_path / "kept"}
    plain = plainly(unlike, moves)
    kept = outcome(*UNLIKE[unlike], MOVES[moves], **options)
    if isinstance(plain, str):
        assert kept == plain
        assert f"row {LATE}" in plain
        return
    assert not isinstance(kept, str), kept
    for ours, theirs in zip(kept, plain, strict=True):
        np.testing.assert_allclose(ours.labels["label"], theirs.labels["label"], rtol=0, atol=1e-6)
        assert ours.labels["label"].dtype == theirs.labels["label"].dtype
        weights = np.ones(1) if ours.weights is None else ours.weights["label"]  # a store may hold all labels
        expected = np.ones(1) if theirs.weights is None else theirs.weights["label"]
        assert (weights == expected).all()
