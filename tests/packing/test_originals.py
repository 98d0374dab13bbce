"""What was predicted of the images in a store lies in the original images, and has their files."""

import json
import warnings

import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import DataError, StoreError
from polyhead.packing import packed_rows
from polyhead.pipeline.way_back import WayBack, files_of
from scenes import FORMATS, in_format, scene

pytest.importorskip("cv2")
PIL = pytest.importorskip("PIL.Image")

SIZES = ((90, 120), (64, 50))


def photographs(folder, exif, turns=range(1, 9)):
    """Rows of files in all orientations with labels in their middle, in pixels."""
    data = {name: [] for name in ("image", "mask", "points", *FORMATS)}
    for turn in turns:
        for height, width in SIZES:
            shown = (width, height) if turn > 4 and exif == "applied" else (height, width)
            _, mask, boxes, points = scene(*shown)
            pixels = np.random.default_rng(turn).integers(0, 256, (height, width, 3), dtype=np.uint8)
            picture, path = PIL.fromarray(pixels), folder / f"{turn}_{height}.png"
            tag = picture.getexif()
            tag[274] = turn
            picture.save(path, exif=tag)
            data["image"].append(str(path))
            data["mask"].append(mask)
            data["points"].append(points)
            for form in FORMATS:
                data[form].append(in_format(boxes, form))
    return data


def heads_of(**options):
    found = {
        "mask": ph.Mask(["background", "square", "disc"], missing=255),
        "points": ph.Keypoints(3),
        "shares": ph.Keypoints(3, column="points", normalized=True, column_normalized=False),
    }
    for form in FORMATS:
        found[form] = ph.Boxes(2, format=form)
        unit = {"normalized": True, "column_normalized": False}
        found[f"share of {form}"] = ph.Boxes(2, column=form, format=form, **unit)
    return {name: head for name, head in found.items() if options.get(name, True)}


def split_columns(data):
    """Each head with a column of its own, as a store needs it."""
    more = {"shares": data["points"], **{f"share of {form}": data[form] for form in FORMATS}}
    return {**data, **more}


def declared(data, fit, exif, size=(48, 64)):
    heads = {name: head.fixed(column=None) for name, head in heads_of().items()}
    image = ph.Image(*size, fit=fit, exif=exif)
    return ph.Feed(split_columns(data), inputs={"image": image}, heads=heads, batch_size=16)


def views_of(feed):
    back = WayBack(feed.source, feed.inputs, feed.heads)
    return back.views(np.arange(feed.num_samples))


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("exif", ["applied", "ignored"])
@pytest.mark.parametrize("stored", [None, (70, 80)])
def test_labels_of_a_store_come_back_to_the_photographs(tmp_path, fit, exif, stored):
    data = photographs(tmp_path, exif)
    files = declared(data, fit, exif)
    feed = files.on(ph.pack(files, tmp_path / "s", image_size=stored))
    assert files_of(feed.source, "image", np.arange(16)) == data["image"]
    views, of_files = views_of(feed), views_of(files)
    batch = next(feed.batches())
    for name, head in feed.heads.items():
        if name == "mask":
            continue
        found = head.decode(batch.labels[name], False, views[name])[""].values
        assert np.abs(found - np.stack(split_columns(data)[name])).max() < 0.01, name
    one = np.eye(3, dtype=np.float32)[np.where(batch.labels["mask"] == 255, 0, batch.labels["mask"])]
    masks = feed.heads["mask"].decode(one, False, views["mask"])[""].values
    wrong = []
    for mask, true in zip(masks, data["mask"], strict=True):
        assert mask.shape == true.shape
        wrong.append((mask != true).mean())
    assert np.mean(wrong) < 0.04  # made twice smaller, and larger again
    if stored is None:  # the model gets the same image, and so gives the same answer
        same = files.heads["mask"].decode(one, False, of_files["mask"])[""].values
        assert max((mask != other).mean() for mask, other in zip(masks, same, strict=True)) < 0.001


def test_what_a_cropped_store_does_not_hold_was_not_seen(tmp_path):
    PIL.new("RGB", (100, 40)).save(tmp_path / "a.png")
    rows = {"image": [str(tmp_path / "a.png")], "depth": [np.full((40, 100), 7.0, np.float32)]}
    feed = ph.Feed(rows, inputs={"image": ph.Image(32, 32, fit="cover")}, heads={"depth": ph.Map()})
    store = ph.pack(feed, tmp_path / "s")
    again = ph.Feed(store, inputs={"image": ph.Image(32, 64, fit="contain")}, heads={"depth": ph.Map()})
    (view,) = views_of(again)["depth"]
    found = view.pixels(np.full((32, 64), 7, np.float32), np.nan)
    assert found.shape == (40, 100)
    assert np.isnan(found[:, :29]).all()
    assert np.isnan(found[:, 71:]).all()
    assert (found[:, 31:69] == 7).all()


@pytest.fixture
def packed(tmp_path):
    """Photographs, and the same in a store."""
    files = declared(photographs(tmp_path, "applied", (1, 6)), "contain", "applied")
    return files, ph.pack(files, tmp_path / "s")


def places_of(source, ids):
    return source.origins("image", np.asarray(ids)).places.tolist()


def test_parts_of_stores_and_several_of_them_keep_the_originals(packed, tmp_path):
    files, store = packed
    names = files.source.column("image")
    more = photographs(tmp_path, "applied", (3,))
    other = ph.pack(files.on(split_columns(more)), tmp_path / "t", encoding="png")
    assert files_of(store.select([2, 0]), "image", np.arange(2)) == [names[2], names[0]]
    assert places_of(store.select([2, 0]), [1, 0]) == places_of(store, [0, 2])
    first, second = store.split((0.5, 0.5), seed=0)
    assert {*files_of(first, "image", np.arange(2)), *files_of(second, "image", np.arange(2))} == {*names}
    both = store.only(["image", "points"]).concat(store.select([1]).only(["image"]), join="outer")
    assert files_of(both, "image", np.array([4, 3])) == [names[1], names[3]]
    mixed = store.only(["image"]).mix(store.select([3]).only(["image"]), weights=(1, 1))
    assert files_of(mixed, "image", np.arange(4)) == [names[0], names[3], names[1], names[3]]
    added = ph.pack(files.on(split_columns(more)), store.path, append=True)
    assert files_of(added, "image", np.arange(6)) == [*names, *more["image"]]
    assert places_of(added, [5, 4]) == places_of(other, [1, 0])
    again = ph.pack(added, tmp_path / "u")
    assert again.columns == store.columns
    assert places_of(again, range(6)) == places_of(added, range(6))
    smaller = ph.pack(files.on(added), tmp_path / "v", image_size=(24, 32))
    view, half = (views_of(files.on(one))["xyxy"][4] for one in (added, smaller))
    assert half.size == view.size == (90, 120)
    assert np.allclose(half.to_stored, np.diag([0.5, 0.5, 1]) @ view.to_stored)


def test_rows_of_which_nothing_is_known_do_not_hide_the_originals_of_others(packed, tmp_path):
    _, store = packed
    store = store.only(["image"])
    plain = ph.read_table({"image": np.zeros((1, 48, 64, 3), np.uint8)})
    for number, both in enumerate((plain.concat(store), store.concat(plain))):
        again = ph.pack(both, tmp_path / str(number))
        for i in range(5):
            files = [files_of(one, "image", np.array([i])) for one in (again, both)]
            assert files[0] == files[1]
        assert np.array_equal(
            *(one.origins("image", np.arange(5)).places for one in (again, both)), equal_nan=True
        )
        assert again.manifest["polyhead_store"] == 3


def test_files_packed_as_they_are_keep_their_names(tmp_path):
    data = photographs(tmp_path, "applied", (6,))
    store = ph.pack({name: data[name] for name in ("image", "xyxy")}, tmp_path / "s")
    assert store.columns == ("image", "xyxy")
    feed = ph.Feed(store, inputs={"image": ph.Image(30, 30)}, heads={"xyxy": ph.Boxes(2)})
    assert files_of(feed.source, "image", np.arange(2)) == data["image"]
    assert [view.size for view in views_of(feed)["xyxy"]] == [(120, 90), (50, 64)]


def test_a_generator_is_packed_with_its_sizes(tmp_path):
    def batches():
        yield {"image": np.zeros((3, 20, 40, 3), np.uint8)}, {"box": np.ones((3, 1, 4), np.float32)}
        yield {"image": np.zeros((2, 20, 40, 3), np.uint8)}, {"box": np.ones((2, 1, 4), np.float32)}

    rows = ph.from_generator(batches, length=5)
    feed = ph.Feed(rows, inputs={"image": ph.Image(10, 10)}, heads={"box": ph.Boxes(1)}, batch_size=5)
    store = ph.pack(feed, tmp_path / "s")
    assert places_of(store, [4]) == [[20, 40, 0.25, 0, 0, 0, 0.5, 0]]


def test_the_ids_of_the_data_stay_with_its_rows(tmp_path):
    data = split_columns(photographs(tmp_path, "applied", (1,)))
    with_ids = {**data, "id": ["a", "b"]}
    without, files = (declared(one, "stretch", "applied") for one in (data, with_ids))
    store = ph.pack(files, tmp_path / "s")
    assert store.column("id") == ["a", "b"]
    assert len(ph.pack(without, tmp_path / "s")) == 2  # the same rows, which are packed already
    ph.pack(without, tmp_path / "t")
    assert "id" not in ph.pack(files, tmp_path / "t", append=True).columns
    odd = declared({**data, "id": [1, "b"]}, "stretch", "applied")
    assert "id" not in ph.pack(odd, tmp_path / "u").columns  # a store cannot hold them


# Of other versions, and damaged --------------------------------------------------------------------------


def older(path):
    """Turn a store that was packed without originals into one of the version before."""
    manifest = path / "manifest.json"
    found = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**found, "polyhead_store": 2}))
    return ph.open_store(path)


def test_a_store_of_the_version_before_opens_and_stays_what_it_is(tmp_path, monkeypatch):
    files = declared(photographs(tmp_path, "applied", (6,)), "stretch", "applied")
    with monkeypatch.context() as patch:
        patch.setattr(packed_rows, "origin_specs", lambda *_: [])
        ph.pack(files, tmp_path / "s")
    store = older(tmp_path / "s")
    assert store.origins("image", np.arange(1)).lost == str(tmp_path / "s")
    assert [view.size for view in views_of(files.on(store))["xyxy"]] == [(48, 64)] * 2
    appended = ph.pack(files, tmp_path / "s", append=True)
    assert (len(appended), appended.manifest["polyhead_store"]) == (4, 2)
    again = ph.pack(appended, tmp_path / "t")  # nor does a copy know
    assert again.select([3]).origins("image", np.arange(1)).lost == str(tmp_path / "t")
    # nor does a store to which they are added, but it keeps what it knows
    newer = ph.pack(files, tmp_path / "u")
    for number, both in enumerate(
        (newer.concat(store), ph.pack(files.on(store), tmp_path / "u", append=True))
    ):
        found = both if number else ph.pack(both, tmp_path / "v")
        assert found.origins("image", np.arange(1)).lost == str(found.path)
        assert files_of(found, "image", np.arange(2)) == files.source.column("image")
        assert found.origins("image", np.arange(1)).places[0, :2].tolist() == [120, 90]


def test_a_column_of_the_name_that_a_store_needs_is_refused(tmp_path):
    data = photographs(tmp_path, "applied", (1,))
    with pytest.raises(DataError) as caught:
        ph.pack({"image": data["image"], "image: file": [1, 2]}, tmp_path / "s")
    assert str(caught.value) == (
        "column `image: file`: expected another name, as a store keeps under this one where its images come from, "
        "got a column of the data. Rename the column, or leave it out."
    )


def test_sizes_are_looked_at_before_they_are_believed(packed):
    _, store = packed
    path = store.path / store.manifest["shards"][0]["file"]
    content, place = path.read_bytes(), np.array([90, 120], np.float64).tobytes()
    assert content.count(place)
    path.write_bytes(content.replace(place, np.array([1e9, 1e9]).tobytes()))
    with pytest.raises(StoreError) as caught:
        places_of(ph.open_store(store.path), [0])
    words = "column `image: place`: expected the sizes of images and how they were resized, got [1000000000.0, 10000"
    assert str(caught.value).startswith(f"store {store.path}, {words}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origin": "image"}, 'origin: expected [column, "file" or "place"], got \'image\''),
        ({"origin": ["photo", "file"]}, "origin: expected the name of another column, got 'photo'"),
        ({"origin": ["image", "place"]}, "origin: expected text for files, or 8 numbers for places, got {"),
    ],
)
def test_a_manifest_says_which_originals_it_has(packed, change, words):
    _, store = packed
    manifest = json.loads((store.path / "manifest.json").read_text())
    at = next(i for i, spec in enumerate(manifest["columns"]) if spec["name"] == "image: file")
    manifest["columns"][at] |= change
    (store.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError) as caught, warnings.catch_warnings():
        ph.open_store(store.path)
    assert f"columns[{at}].{words}" in str(caught.value)
