"""A cache decodes once: the batches are the same, whoever reads them, and what is left half-way is gone on with."""

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import ContractError
from polyhead.pipeline.cache import CachedRows

PIL = pytest.importorskip("PIL.Image")
cv2 = pytest.importorskip("cv2")
ROWS = 60
HEADS = {
    "box": ph.Boxes(3, format="xywh"),
    "kind": ph.Categorical(each="box"),
    "mask": ph.Mask(2),
    "eye": ph.Keypoints(1),
    "sick": ph.Binary(class_weight="balanced"),
}
AUGMENT = [ph.Flip(), ph.Rotate(15), ph.Scale(0.3), ph.Translate(0.1), ph.Color(0.2)]


@pytest.fixture(scope="module")
def photographs():
    """Pixels and JPEG files of photographs, as far as a random field that was smoothed is one."""
    rng, found = np.random.default_rng(0), []
    for i in range(ROWS):
        size = 150 + i % 24, 200 - i % 24
        pixels = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), dtype=np.uint8), (0, 0), 6)
        pixels = cv2.normalize(pixels, None, 0, 255, cv2.NORM_MINMAX)
        file = io.BytesIO()
        PIL.fromarray(pixels).save(file, "JPEG", quality=95)
        found.append((pixels, file.getvalue()))
    return found


@pytest.fixture
def rows(tmp_path, photographs):
    """Photographs in files, with what lies in them."""
    (tmp_path / "images").mkdir()
    found = {name: [] for name in ("image", "box", "kind", "mask", "eye", "sick", "note")}
    for i, (pixels, data) in enumerate(photographs):
        path = tmp_path / "images" / f"{i}.jpg"
        path.write_bytes(data)
        found["image"].append(str(path))
        found["box"].append([[10.0 + i, 20, 50, 60 + k] for k in range(i % 4)] if i != 7 else None)
        found["kind"].append([["cat", "dog"][k % 2] for k in range(i % 4)])
        found["mask"].append((pixels[..., 0] > 128).astype(np.uint8) if i != 5 else None)
        found["eye"].append([[60.0, 70.0 + i]] if i != 3 else None)
        found["sick"].append([0, 1, None][i % 3])
        found["note"].append(i)
    return found


def feed_of(rows, **options):
    inputs = {"image": ph.Image(48, 48)}
    return ph.Feed(rows, inputs=inputs, heads=HEADS, batch_size=5, shuffle=True, **options)


def epochs(feed, count):
    found = []
    for _ in range(count):
        found += [(batch.ids, batch.inputs, batch.labels, batch.weights) for batch in feed.batches()]
        feed.epoch += 1
    return found


def same(ours, theirs, images=True):
    for (ids, x, y, w), (ids2, x2, y2, w2) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(ids, ids2)
        if images:
            np.testing.assert_array_equal(x["image"], x2["image"])
        for name in y:
            np.testing.assert_allclose(
                y[name], y2[name], rtol=0, atol=1e-5 if name == "box" else 0, err_msg=name
            )
            np.testing.assert_array_equal(w[name], w2[name], err_msg=name)


def cache_of(feed):
    cache = feed._assembler.source
    assert isinstance(cache, CachedRows)
    return cache


@pytest.mark.parametrize("workers", [0, 3])
def test_without_augmentation_batches_are_the_same(tmp_path, rows, workers):
    feed = feed_of(rows, cache=tmp_path / "cache", workers=workers)
    assert not cache_of(feed).complete
    plain = feed_of(rows)
    same(epochs(feed, 2), epochs(plain, 2))
    assert cache_of(feed).complete
    for one in (feed, plain):  # as `fit` goes on to the next epoch
        assert len(list(one)) == ROWS / 5
    same(epochs(feed, 1), epochs(plain, 1))


def test_a_later_run_opens_no_image(tmp_path, rows):
    expected = epochs(feed_of(rows), 1)
    epochs(feed_of(rows, cache=tmp_path / "cache"), 1)
    again = feed_of(rows, cache=tmp_path / "cache")
    assert cache_of(again).complete
    for path in rows["image"]:
        stat = Path(path).stat()
        Path(path).write_bytes(b"\0" * stat.st_size)
    same(epochs(again, 1), expected)


@pytest.mark.parametrize(("workers", "count"), [(0, 10), (3, 3)])
def test_with_augmentation_labels_are_the_same_and_pixels_nearly(tmp_path, rows, workers, count):
    feed, plain = (
        feed_of(rows, augment=AUGMENT, **o) for o in ({"cache": tmp_path / "cache", "workers": workers}, {})
    )
    ours, theirs = epochs(feed, count), epochs(plain, count)
    same(ours, theirs, images=False)
    assert cache_of(feed).complete
    apart = [np.abs(a[1]["image"] - b[1]["image"]).mean((1, 2, 3)) for a, b in zip(ours, theirs, strict=True)]
    assert np.concatenate(apart).mean() < 0.003
    assert np.concatenate(apart).max() < 0.02
    assert max((a[1]["image"] != 0).mean() for a in ours) > 0.9


def test_cached_pixels_do_not_depend_on_workers(tmp_path, rows):
    one, other = (feed_of(rows, augment=AUGMENT, cache=tmp_path / str(w), workers=w) for w in (0, 4))
    same(epochs(one, 2), epochs(other, 2))


def test_rows_that_are_mixed(tmp_path, rows):
    heads = {"sick": ph.Binary()}
    options = {
        "inputs": {"image": ph.Image(48, 48)},
        "heads": heads,
        "batch_size": 5,
        "augment": [ph.MixUp()],
    }
    ours = epochs(ph.Feed(rows, cache=tmp_path / "cache", **options), 2)
    same(ours, epochs(ph.Feed(rows, **options), 2))


def test_what_is_left_half_way_is_gone_on_with(tmp_path, rows, monkeypatch):
    monkeypatch.setattr("polyhead.pipeline.cache.FILE_BYTES", 60_000)  # a file for every few rows
    feed = feed_of(rows, cache=tmp_path / "cache", workers=0)
    batches = feed.batches()
    for _ in range(4):
        next(batches)
    batches.close()
    (folder,) = (tmp_path / "cache").iterdir()
    held = [json.loads(line)["rows"] for line in (folder / "journal.jsonl").read_text().splitlines()[1:]]
    assert 0 < sum(held) < ROWS
    del feed, batches
    again = feed_of(rows, cache=tmp_path / "cache")
    assert (cache_of(again)._stored_at >= 0).sum() == sum(held)
    same(epochs(again, 2), epochs(feed_of(rows), 2))
    assert cache_of(again).complete


@pytest.mark.parametrize("finished", [True, False])
def test_what_is_damaged_is_made_anew(tmp_path, rows, monkeypatch, finished):
    monkeypatch.setattr("polyhead.pipeline.cache.FILE_BYTES", 60_000)
    feed = feed_of(rows, cache=tmp_path / "cache")
    if finished:
        epochs(feed, 1)
    else:
        feed.peek()
    del feed
    (folder,) = (tmp_path / "cache").iterdir()
    path = sorted(folder.glob("*.arrow"))[0]
    path.write_bytes(path.read_bytes()[:-100])
    again = feed_of(rows, cache=tmp_path / "cache")
    assert not cache_of(again).complete
    same(epochs(again, 2), epochs(feed_of(rows), 2))


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("damage", ["numbers", "end"])
def test_what_is_damaged_within_a_file_is_made_anew(tmp_path, rows, monkeypatch, finished, damage):
    """Files of their length, with the numbers of rows outside of the data, or with other bytes at their end."""
    monkeypatch.setattr("polyhead.pipeline.cache.FILE_BYTES", 60_000)
    feed = feed_of(rows, cache=tmp_path / "cache", workers=0)
    if finished:
        epochs(feed, 1)
    else:
        batches = feed.batches()
        for _ in range(4):
            next(batches)
        batches.close()
    held = cache_of(feed)._stored_at.copy()
    del feed
    (folder,) = (tmp_path / "cache").iterdir()
    path = sorted(folder.glob("*.arrow"))[0]
    data = path.read_bytes()
    first = np.array([np.flatnonzero(held == place)[0] for place in range(4)], np.int64).tobytes()
    if damage == "numbers":
        assert data.count(first) == 1
        data = data.replace(first, np.array([1 << 40, 1, 2, 3], np.int64).tobytes())
    else:
        data = data[:-200] + bytes(200)
    path.write_bytes(data)
    again = feed_of(rows, cache=tmp_path / "cache")
    assert not cache_of(again).complete
    same(epochs(again, 2), epochs(feed_of(rows), 2))


@pytest.mark.parametrize("augment", [(), [ph.Flip()]], ids=["plain", "augmented"])
def test_a_complete_cache_is_opened_without_its_images(tmp_path, augment):
    PIL.fromarray(np.zeros((128, 128, 3), np.uint8)).save(tmp_path / "a.png")
    data = {"image": [str(tmp_path / "a.png")] * 200, "y": [0, 1] * 100}

    def feed():
        options = {"augment": augment, "cache": tmp_path / "cache", "workers": 0}
        return ph.Feed(data, inputs={"image": ph.Image(128, 128)}, heads={"y": ph.Binary()}, **options)

    for _ in feed().batches():
        pass
    tracemalloc.start()
    again = feed()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cache_of(again).complete
    assert most < 4 << 20  # of 10 MB


def test_other_rows_and_other_images_have_other_caches(tmp_path, rows):
    folder = tmp_path / "cache"
    feeds = [feed_of(rows, cache=folder), feed_of(rows, cache=folder, augment=AUGMENT)]
    fewer = {name: values[:-1] for name, values in rows.items()}
    feeds.append(feed_of(fewer, cache=folder))
    feeds.append(ph.Feed(rows, inputs={"image": ph.Image(40, 48)}, heads=HEADS, cache=folder))
    moved = {**rows, "eye": [None] * ROWS}
    feeds.append(feed_of(moved, cache=folder))
    assert len({cache_of(feed)._folder for feed in feeds}) == 5
    pixels = np.zeros((160, 200, 3), np.uint8)
    PIL.fromarray(pixels).save(rows["image"][4])
    assert cache_of(feed_of(rows, cache=folder))._folder != cache_of(feeds[0])._folder


@pytest.mark.parametrize("each", [False, True])
def test_heads_that_differ_late_in_a_long_argument_have_other_caches(tmp_path, each):
    data = {
        "image": [np.zeros((9, 9, 3), np.uint8)],
        "mask": [np.zeros((9, 9), np.uint8)],
        "box": [[[0, 0, 9, 9]]],
    }
    heads = {"box": ph.Boxes(1)} if each else {}
    data["mask"] = [data["mask"]] if each else data["mask"]
    folders = set()
    for last in (98, 99, 98):
        values = [*range(0, 80, 2), last]
        mask = ph.Mask(len(values), values=values, missing=255, each="box" if each else None)
        inputs = {"image": ph.Image(8, 8)}
        feed = ph.Feed(data, inputs=inputs, heads={**heads, "mask": mask}, cache=tmp_path / "cache")
        folders.add(cache_of(feed)._folder)
    assert len(folders) == 2


def test_a_second_process_decodes_by_itself(tmp_path, rows):
    first = feed_of(rows, cache=tmp_path / "cache")
    second = feed_of(rows, cache=tmp_path / "cache")
    same(epochs(second, 1), epochs(feed_of(rows), 1))
    assert not cache_of(second).complete
    epochs(first, 1)
    assert cache_of(first).complete


def test_each_of_several_processes_has_its_own(tmp_path, rows):
    feeds = [feed_of(rows, cache=tmp_path / "cache", shard=(rank, 2)) for rank in range(2)]
    assert [path.name[-7:] for path in sorted((tmp_path / "cache").iterdir())] == ["-0-of-2", "-1-of-2"]
    for rank, feed in enumerate(feeds):
        same(epochs(feed, 2), epochs(feed_of(rows, shard=(rank, 2)), 2))


def test_validation_rows_may_have_one_too(tmp_path, rows):
    feed = feed_of(rows, cache=tmp_path / "cache")
    val = feed.on(rows, cache=tmp_path / "cache")
    assert isinstance(feed.on(rows)._assembler.source, ph.Source)
    assert not isinstance(feed.on(rows)._assembler.source, CachedRows)
    same(epochs(val, 1), epochs(feed_of(rows).on(rows), 1))


def test_nothing_to_decode(tmp_path):
    with pytest.raises(ContractError) as caught:
        ph.Feed({"x": [1.0], "y": [1]}, inputs="x", heads={"y": ph.Binary()}, cache=tmp_path)
    assert str(caught.value) == (
        "Feed(cache=): expected images that are decoded or resized, got none. Leave it out: these rows are read as "
        "they are."
    )


def test_a_store_keeps_what_a_cache_of_it_need_not(tmp_path, rows):
    store = ph.pack(feed_of(rows), tmp_path / "s")
    with pytest.raises(ContractError, match="got none"):
        feed_of(store, cache=tmp_path / "cache")


# Masks -----------------------------------------------------------------------------------------------

COLORS = [(0, 0, 0), (255, 0, 0), (0, 255, 0)]
IDS = np.arange(12 * 40 * 60).reshape(12, 40, 60) // 7 % 3
SMALL = ph.Image(32, 32)


def first_and_cached(folder, heads, image=SMALL, **columns):
    """The labels and weights of a feed, and of one that has a cache."""
    data = {"image": [np.full((40, 60, 3), i, np.uint8) for i in range(12)], **columns}
    found = []
    for cache in (None, folder / "cache"):
        feed = ph.Feed(data, inputs={"image": image}, heads=heads, batch_size=12, cache=cache)
        batch = next(iter(feed.batches()))
        found.append((batch.labels, batch.weights))
    return found


def test_a_mask_in_colors_for_each_box(tmp_path):
    masks = np.array(COLORS, np.uint8)[IDS]
    boxes = [[[5.0, 5, 30, 30], [10, 10, 40, 35]][: i % 3] for i in range(12)]
    columns = {"box": boxes, "mask": [[mask] * len(row) for mask, row in zip(masks, boxes, strict=True)]}
    heads = {"box": ph.Boxes(2), "mask": ph.Mask(3, values=COLORS, each="box")}
    (labels, weights), (others, more) = first_and_cached(tmp_path, heads, **columns)
    assert set(np.unique(labels["mask"])) == {0, 1, 2}
    np.testing.assert_array_equal(others["mask"], labels["mask"])
    np.testing.assert_array_equal(more["mask"], weights["mask"])


@pytest.mark.parametrize("each", [None, "box"])
@pytest.mark.parametrize(("colors", "missing"), [(None, 255), (COLORS, (9, 9, 9))], ids=["ids", "colors"])
def test_borders_without_a_label_need_a_value_in_a_cache(tmp_path, each, colors, missing):
    masks = IDS.astype(np.uint8) if colors is None else np.array(COLORS, np.uint8)[IDS]
    columns = {"box": [[[5.0, 5, 30, 30]]] * 12, "mask": [[mask] for mask in masks] if each else list(masks)}
    heads = {"box": ph.Boxes(1), "mask": ph.Mask(["sky", "road", "car"], values=colors, each=each)}
    image = ph.Image(32, 32, fit="contain")
    with pytest.raises(ContractError) as caught:
        first_and_cached(tmp_path, heads, image, **columns)
    value = "missing=255" if colors is None else "missing=(r, g, b), a color that no class has"
    assert str(caught.value) == (
        "head `mask`: expected a value for pixels from outside of the image, which have no label, got none. "
        f"Say {value}, or outside=0 to make them class 0."
    )
    refused = heads["mask"]
    for n, more in enumerate(({"missing": missing}, {"outside": 0})):
        heads["mask"] = refused.fixed(**more)
        (labels, weights), (others, beside) = first_and_cached(tmp_path / str(n), heads, image, **columns)
        np.testing.assert_array_equal(others["mask"], labels["mask"])
        np.testing.assert_array_equal(beside["mask"], weights["mask"])
        assert weights["mask"].all() == (n == 1)


@pytest.mark.parametrize(
    ("head", "mask"),
    [
        (ph.Map(), IDS[0] / np.float32(2)),
        (ph.Map(3), np.stack([IDS[0] / np.float32(2)] * 3, 2)),
        (ph.Mask(), IDS[0] % 2),
        (ph.Mask(), IDS[0, ..., None] % 2),
        (ph.Mask(2, multi=True), np.stack([IDS[0] % 2] * 2, 2)),
        (ph.Mask(3), IDS[0]),
        (ph.Mask(3), IDS[0, ..., None]),
        (ph.Mask(3, values=COLORS), np.array(COLORS, np.uint8)[IDS[0]]),
        (ph.Mask(2, multi=True, each="box"), np.stack([IDS[0] % 2] * 2, 2)),
    ],
    ids=str,
)
def test_labels_of_which_the_first_rows_have_none(tmp_path, head, mask):
    column = [None] * 9 + [[mask] if head.each else mask] * 3
    columns, heads = {"box": [[[5.0, 5, 30, 30]]] * 12, "m": column}, {"box": ph.Boxes(1), "m": head}
    (labels, weights), (others, more) = first_and_cached(tmp_path, heads, **columns)
    assert labels["m"].any()
    np.testing.assert_array_equal(others["m"], labels["m"])
    np.testing.assert_array_equal(more["m"], weights["m"])


def test_a_column_that_is_decoded_in_two_ways(tmp_path):
    pages = [PIL.fromarray(np.full((10, 20, 3), value, np.uint8)) for value in (50, 200)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    data = {"image": [str(tmp_path / "a.tif")] * 2, "y": [0, 1]}

    def means(augment, **other):
        inputs = {
            "one": ph.Image(8, 8, page=0, column="image"),
            "two": ph.Image(4, 6, column="image", **other),
        }
        heads = {"y": ph.Binary()}
        options = {"batch_size": 2, "workers": 0, "augment": augment, "cache": tmp_path / "cache"}
        x = next(ph.Feed(data, inputs=inputs, heads=heads, **options).batches()).inputs
        return [round(float(x[name].mean() * 255)) for name in inputs]

    assert means([ph.Flip()], page=0) == [50, 50]
    for other, words in (({"page": 1}, "page="), ({"page": 0, "channels": 1}, "channels=")):
        with pytest.raises(ContractError) as caught:
            means([ph.Flip()], **other)
        assert str(caught.value) == (
            f"column `image`: expected the same {words} in all inputs that read it, got `one`, `two`. Give one of them "
            "a column of its own, as the cache holds each image once."
        )
