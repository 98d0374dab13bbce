"""A cache of rows of which some are wrong, or unlike the first: the feed says, and gives, what it does without one."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.sources.anything import as_source

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
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


def said(feed):
    """What a check of all rows names, and the words with which drawing ends."""
    x = keras.Input((8, 8, 3), name="image")
    y = keras.layers.Dense(1, "sigmoid", name="y")(keras.layers.Flatten()(x))
    outputs = {"mask": keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x), "y": y}
    model = keras.Model(x, {name: outputs[name] for name in feed.heads})
    errors = feed.check(model, rows="all").errors
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
