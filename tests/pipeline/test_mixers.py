"""Feeds that mix rows: images, masks, boxes and labels agree to the pixel, and batches are those of seed and epoch."""

import itertools

import numpy as np
import pytest

import polyhead as ph
from polyhead.sources.source import Source

ROWS, HEIGHT, WIDTH = 60, 20, 28
RNG = np.random.default_rng(5)
AT = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1)
CORNER = RNG.integers(0, (WIDTH - 8, HEIGHT - 6), (ROWS, 2, 2))
BOXES = np.concatenate([CORNER, CORNER + RNG.integers(3, (9, 7), (ROWS, 2, 2))], 2)
ONE_BOX = np.arange(ROWS) % 4 == 0  # and two in all others
UNLABELED = np.arange(ROWS) % 5 == 0
CLASSES = [f"class {i % 4}" for i in range(ROWS)]


def ids_of(x, y, row):
    """The class id that the mask of a row has at a place."""
    return (x + 3 * y + 5 * row) % 7


def drawn():
    """Images whose pixels hold where they are, and of which row; masks and boxes that follow from that."""
    row = np.broadcast_to(np.arange(ROWS)[:, None, None], (ROWS, HEIGHT, WIDTH))
    x, y = np.broadcast_to(AT[..., 0], row.shape), np.broadcast_to(AT[..., 1], row.shape)
    ids = ids_of(x, y, row)
    return {
        "image": np.stack([x, y, row], -1).astype("uint8"),
        "ids": [None if gone else mask for gone, mask in zip(UNLABELED, ids, strict=True)],
        "marked": np.where(ids == 6, 255, ids),
        "layers": (ids[..., None] > [1, 3]).astype("uint8"),
        "box": [boxes[: 2 - one] for boxes, one in zip(BOXES, ONE_BOX, strict=True)],
        "kind": CLASSES,
        "odd": np.arange(ROWS) % 2,
    }


DATA = drawn()
SPATIAL = {
    "ids": ph.Mask(7),
    "marked": ph.Mask(7, missing=255),
    "layers": ph.Mask(2, multi=True),
    "box": ph.Boxes(8, overflow="first", min_visible=0.2),
    "kind": ph.Categorical(one_hot=True),
    "odd": ph.Binary(),
}


def make(augment, heads=None, **more):
    options = {"batch_size": 8, "seed": 1, **more}
    kinds = {"image": ph.Image(dtype="uint8")}
    return ph.Feed(DATA, inputs=kinds, heads=SPATIAL if heads is None else heads, augment=augment, **options)


def around(there):
    """The exact box round the pixels that are there."""
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def expected_boxes(x, y, row, order):
    """The boxes seen in an image of pixels with coordinates, in the order of its components."""
    found = []
    for i in order:
        for left, top, right, bottom in DATA["box"][i].tolist():
            seen = (row == i) & (x >= left) & (x < right) & (y >= top) & (y < bottom)
            if 5 * seen.sum() >= (right - left) * (bottom - top):
                found.append(around(seen))
    return found


@pytest.mark.parametrize(
    "augment",
    [
        [ph.CutMix(p=1.0)],
        [ph.Mosaic(p=1.0)],
        [ph.Flip(vertical=True), ph.CutMix(p=0.7)],
        [ph.Flip(), ph.Mosaic(p=0.7)],
    ],
    ids=str,
)
def test_each_pixel_mask_box_and_label_is_of_the_same_row(augment):
    feed, compared, dropped = make(augment), 0, 0
    one, whole = augment[-1], HEIGHT * WIDTH
    for batch in itertools.chain(feed.batches(), again(feed)):
        for i in range(len(batch.ids)):
            x, y, row = np.moveaxis(batch.inputs["image"][i].astype(int), -1, 0)
            ids = ids_of(x, y, row)
            labels = {name: array[i] for name, array in batch.labels.items()}
            weights = {name: array[i] for name, array in batch.weights.items()}
            assert np.array_equal(weights["ids"], ~UNLABELED[row])
            assert np.array_equal(labels["ids"], np.where(UNLABELED[row], 0, ids))
            assert np.array_equal(weights["marked"], ids != 6)
            assert np.array_equal(labels["marked"][ids != 6], ids[ids != 6])
            assert np.array_equal(labels["layers"], ids[..., None] > [1, 3])
            share = np.bincount(row.reshape(-1), minlength=ROWS) / whole
            np.testing.assert_allclose(labels["kind"], [share[k::4].sum() for k in range(4)], atol=1e-6)
            np.testing.assert_allclose(labels["odd"], share[1::2].sum(), atol=1e-6)
            order = [int(batch.ids[i]), *(r for r in np.unique(row).tolist() if r != batch.ids[i])]
            places = [tuple(np.argwhere(row == r)[0]) for r in order if share[r]]
            if len(order) < one.components or (len(augment) == 1 and repeated(x, y, row)):
                continue  # a row that is there twice, or nothing happened
            if one.components == 4:  # the quarters stand in rows
                order = [r for _, r in sorted(zip(places, order, strict=True))]
            boxes = expected_boxes(x, y, row, order)
            dropped += sum(len(DATA["box"][r]) for r in order) - len(boxes)
            assert labels["box"][: len(boxes)].tolist() == boxes
            assert weights["box"].tolist() == [1] * len(boxes) + [0] * (8 - len(boxes))
            assert not labels["box"][len(boxes) :].any()
            compared += 1
    assert compared > 30
    assert dropped > 5


EACH = {
    "box": ph.Boxes(8, overflow="largest", min_visible=0.2),
    "number": ph.Regression(each="box"),
    "which": ph.Categorical(2, each="box"),
    "ends": ph.Keypoints(2, each="box"),
    "shape": ph.Mask(each="box"),
}


def with_entries():
    """For each box of a row its number, its place, the middles of two of its pixels, and its mask."""
    found = {name: [] for name in EACH if name != "box"}
    for row, boxes in enumerate(DATA["box"]):
        corners = boxes.tolist()
        found["number"].append([float(2 * row + k) for k in range(len(boxes))])
        found["which"].append(list(range(len(boxes))))
        found["ends"].append([[[x0 + 0.5, y0 + 0.5], [x1 - 0.5, y1 - 0.5]] for x0, y0, x1, y1 in corners])
        found["shape"].append([inside(AT[..., 0], AT[..., 1], box) for box in corners])
    return {"image": DATA["image"], "box": DATA["box"], **found}


def inside(x, y, box):
    return ((x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])).astype("uint8")


@pytest.mark.parametrize(
    "augment",
    [[ph.CutMix(p=1.0)], [ph.Mosaic(p=1.0)], [ph.Flip(), ph.Mosaic(p=1.0)], [ph.Mosaic(), ph.CutMix()]],
    ids=str,
)
def test_what_belongs_to_a_box_goes_where_the_box_goes(augment):
    kinds = {"image": ph.Image(dtype="uint8")}
    feed = ph.Feed(with_entries(), inputs=kinds, heads=EACH, augment=augment, batch_size=8, seed=1)
    points = []
    for batch in feed.batches():
        for i in range(len(batch.ids)):
            x, y, row = np.moveaxis(batch.inputs["image"][i].astype(int), -1, 0)
            labels = {name: array[i] for name, array in batch.labels.items()}
            weights = {name: array[i] for name, array in batch.weights.items()}
            there = weights["box"] > 0
            numbers = labels["number"][there, 0].astype(int)
            if len(np.unique(numbers)) < len(numbers) or (
                "Flip()" not in str(augment) and repeated(x, y, row)
            ):
                continue  # a row that is there twice
            assert np.array_equal(weights["number"].reshape(8), there)
            assert np.array_equal(weights["shape"].reshape(8), there)
            assert labels["which"][there].tolist() == (numbers % 2).tolist()
            for place, number in enumerate(numbers.tolist()):
                box, own = DATA["box"][number // 2][number % 2].tolist(), row == number // 2
                seen = own & (inside(x, y, box) > 0)
                assert np.array_equal(labels["shape"][place, ..., 0], seen)
                assert labels["box"][place].tolist() == around(seen)
                for (left, top), k in zip((box[:2], [box[2] - 1, box[3] - 1]), (0, 1), strict=True):
                    at = np.argwhere(own & (x == left) & (y == top))
                    points.append(len(at))
                    assert weights["ends"][place, k] == len(at)
                    wanted = at[0, ::-1] + 0.5 if len(at) else [0, 0]
                    assert labels["ends"][place, k].tolist() == list(wanted)
            for array in (labels["number"], labels["shape"], labels["ends"], weights["ends"]):
                assert not array[~there].any()
    assert len(points) > 60
    assert 0.5 < np.mean(points) < 0.99


def test_what_belongs_to_a_box_weighs_as_much_as_its_row():
    kinds = {"image": ph.Image(dtype="uint8")}
    feed = ph.Feed(with_entries(), inputs=kinds, heads=EACH, augment=[ph.MixUp(0.5)], batch_size=8, seed=1)
    for batch in feed.batches():
        for name, axes in (("number", ()), ("which", ()), ("ends", (2,)), ("shape", (2, 3))):
            weight = np.expand_dims(batch.weights["box"], axes)
            wanted = np.broadcast_to(weight, batch.weights[name].shape)
            np.testing.assert_array_equal(batch.weights[name], wanted)
        there = batch.weights["box"] > 0
        assert 8 <= there.sum() < 40
        number = batch.labels["number"][..., 0].astype(int)[there]
        wanted = np.array([DATA["box"][n // 2][n % 2] for n in number])
        np.testing.assert_array_equal(batch.labels["box"][there], wanted)


def again(feed):
    feed.epoch += 1
    yield from feed.batches()


def repeated(x, y, row):
    """Whether two components are of one row: its pixels then lie at several distances from where they were."""
    moves = np.stack([row, AT[..., 0] - x, AT[..., 1] - y], -1).reshape(-1, 3)
    return len(np.unique(moves, axis=0)) > len(np.unique(row))


def test_masks_and_images_of_other_sizes_are_cut_at_the_nearest_edges():
    data = {
        "image": DATA["image"],
        "small": DATA["image"][:, ::2, ::2],
        "mask": np.broadcast_to(np.arange(ROWS)[:, None, None], (ROWS, HEIGHT * 3, WIDTH * 3)),
    }
    kinds = {"image": ph.Image(dtype="uint8"), "small": ph.Image(dtype="uint8")}
    heads = {"mask": ph.Mask(ROWS)}
    for one in (ph.CutMix(p=1.0), ph.Mosaic(p=1.0)):
        for batch in ph.Feed(data, inputs=kinds, heads=heads, augment=[one]).batches():
            rows = batch.inputs["image"][..., 2]
            assert np.array_equal(batch.labels["mask"], rows.repeat(3, 1).repeat(3, 2))
            near = batch.inputs["small"][..., 2]
            sides = np.stack([rows[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
            inner = (sides == sides[0]).all(0)
            assert inner.mean() > 0.8
            assert np.array_equal(near[inner], sides[0][inner])


def test_images_and_numbers_are_laid_over_each_other():
    data = {
        "pixels": RNG.integers(0, 256, (ROWS, 4, 4, 3), dtype="uint8"),
        "bytes": RNG.integers(0, 256, (ROWS, 4, 4, 3), dtype="uint8"),
        "facts": RNG.normal(size=(ROWS, 5)),
        "row": np.arange(ROWS, dtype="float32"),
        "y": RNG.normal(size=ROWS),
    }
    kinds = {"pixels": ph.Image(), "bytes": ph.Image(dtype="uint8"), "facts": ph.Array(), "row": ph.Array()}
    feed = ph.Feed(data, inputs=kinds, heads={"y": ph.Regression()}, augment=[ph.MixUp(0.5)], seed=3)
    shares = []
    for batch in feed.batches():
        assert batch.weights is None
        for i, own in enumerate(batch.ids.tolist()):
            share, other = mixed_of(batch, i, own, data)
            shares.append(share)
            for name, scale in (("pixels", 255), ("facts", 1)):
                wanted = (share * data[name][own] + (1 - share) * data[name][other]) / scale
                np.testing.assert_allclose(batch.inputs[name][i], wanted, rtol=1e-4, atol=1e-5)
            wanted = share * data["bytes"][own].astype(float) + (1 - share) * data["bytes"][other]
            assert abs(batch.inputs["bytes"][i] - wanted).max() <= 0.5 + 1e-3, "rounded to the nearest"
            assert batch.inputs["bytes"].dtype == np.uint8
            label = share * data["y"][own] + (1 - share) * data["y"][other]
            assert np.isclose(batch.labels["y"][i, 0], label, rtol=1e-4, atol=1e-5)
    assert len(shares) == ROWS
    assert np.std(shares) > 0.2


def mixed_of(batch, i, own, data):
    """The share of a row in the mean of two, and the other row, as the feed's chance has it."""
    from polyhead.hashing import stream

    ids, mixing = ph.MixUp(0.5).draw(3, 0, np.array([own]), stream("Mixup"), ROWS, (4, 4))
    share, other = float(mixing.shares[0, 0]), int(ids[1, 0])
    assert np.isclose(batch.inputs["row"][i, 0], share * own + (1 - share) * other, rtol=1e-5, atol=1e-5)
    return share, other


def by_row(feed):
    return {
        int(row): {
            **{name: array[i].copy() for name, array in batch.inputs.items()},
            **{f"{name} label": array[i].copy() for name, array in batch.labels.items()},
            **{f"{name} weight": array[i].copy() for name, array in batch.weights.items()},
        }
        for batch in feed.batches()
        for i, row in enumerate(batch.ids)
    }


def same(one, two):
    assert one.keys() == two.keys()
    for row, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, two[row][name], err_msg=f"{name}, row {row}")


@pytest.mark.parametrize(
    "augment",
    [[ph.CutMix()], [ph.Mosaic()], [ph.Flip(), ph.Color(0.2), ph.Mosaic(), ph.CutMix()]],
    ids=str,
)
def test_rows_are_the_same_in_any_batch_for_any_number_of_workers_and_after_a_restore(augment):
    one = by_row(make(augment, workers=0, shuffle=True))
    for more in ({"workers": 2, "shuffle": True}, {"batch_size": 60}, {"batch_size": 7}, {"batch_size": 1}):
        same(one, by_row(make(augment, **more)))
    feed = make(augment, workers=2, shuffle=True)
    batches = iter(feed)
    for _ in range(3):
        next(batches)
    state = feed.state()
    rest = list(batches)
    restored = list(iter(make(augment, shuffle=True).restore(state)))
    assert len(rest) == len(restored) == 5
    for (x, y, w), (u, v, z) in zip(rest, restored, strict=True):
        for first, second in ((x, u), (y, v), (w, z)):
            assert all(np.array_equal(first[name], second[name]) for name in first)
    other = by_row(make(augment, seed=2))
    assert any(not np.array_equal(one[i]["image"], other[i]["image"]) for i in range(ROWS))


def test_a_partner_is_augmented_as_itself():
    alone = by_row(make([ph.Flip()]))
    mixed = make([ph.Flip(), ph.CutMix(p=1.0)])
    for batch in mixed.batches():
        for image in batch.inputs["image"]:
            for row in np.unique(image[..., 2]):
                there = image[..., 2] == row
                assert np.array_equal(image[there], alone[int(row)]["image"][there])


def test_several_mix_what_those_before_them_gave():
    """A CutMix of Mosaics: what is pasted into a row's own mosaic is the other row's mosaic."""
    from polyhead.hashing import stream

    cutmix = ph.CutMix(p=1.0)
    mosaics, both = by_row(make([ph.Mosaic(p=1.0)])), by_row(make([ph.Mosaic(p=1.0), cutmix]))
    ids, mixing = cutmix.draw(1, 0, np.arange(ROWS), stream("Cutmix"), ROWS, (HEIGHT, WIDTH))
    for row in range(ROWS):
        left, top, right, bottom = mixing.patches[1, row].tolist()
        for name in ("image", "ids label", "ids weight", "layers label", "marked weight"):
            wanted = mosaics[row][name].copy()
            wanted[top:bottom, left:right] = mosaics[ids[1, row]][name][top:bottom, left:right]
            np.testing.assert_array_equal(both[row][name], wanted)
        share = mixing.shares[:, row]
        kinds = share[0] * mosaics[row]["kind label"] + share[1] * mosaics[ids[1, row]]["kind label"]
        np.testing.assert_allclose(both[row]["kind label"], kinds, atol=1e-6)


def test_training_alone_is_mixed():
    feed = make([ph.Mosaic(p=1.0)])
    val = feed.on(DATA)
    assert val.augment == ()
    for batch in val.batches():
        assert np.array_equal(batch.inputs["image"], DATA["image"][batch.ids])
        assert batch.weights["ids"].shape == (len(batch.ids), 1, 1)
    own = feed._assembler.block(feed._iterator.orders["evaluate"], 0, 0, 1, augment=False)
    assert np.array_equal(own.inputs["image"], DATA["image"][own.ids])
    assert own.weights["ids"].shape == (len(own.ids), HEIGHT, WIDTH), "the structure of a feed never changes"
    assert np.array_equal(own.weights["ids"][:, 0, 0], ~UNLABELED[own.ids])


def test_weights_of_masks_are_of_pixels_where_they_are_cut_and_there_are_any():
    whole = {"layers": ph.Mask(2, multi=True)}
    assert next(make([ph.CutMix()], heads=whole).batches()).weights is None
    some = {"layers": ph.Mask(2, multi=True), "ids": ph.Mask(7)}
    batch = next(make([ph.CutMix()], heads=some).batches())
    assert {n: w.shape for n, w in batch.weights.items()} == dict.fromkeys(some, (8, HEIGHT, WIDTH))
    batch = next(make([ph.MixUp()], heads={"layers": some["layers"], "box": SPATIAL["box"]}).batches())
    assert batch.weights["layers"].shape == (8, 1, 1)


def test_boxes_of_both_rows_weigh_as_much_as_their_rows():
    heads = {"box": SPATIAL["box"]}
    feed, plain = make([ph.MixUp(0.5)], heads=heads), by_row(make((), heads=heads))
    from polyhead.hashing import stream

    ids, mixing = ph.MixUp(0.5).draw(1, 0, np.arange(ROWS), stream("Mixup"), ROWS, (HEIGHT, WIDTH))
    for row, found in by_row(feed).items():
        boxes, weights = [], []
        for k in (0, 1):
            there = plain[ids[k, row]]["box weight"] > 0
            share = np.float32(mixing.shares[k, row])
            boxes += plain[ids[k, row]]["box label"][there].tolist() * bool(share)
            weights += [share] * int(there.sum()) * bool(share)
        assert found["box label"][: len(boxes)].tolist() == boxes
        assert found["box weight"].tolist() == [*weights, *[0] * (8 - len(boxes))]


def test_a_head_that_is_given_takes_part_in_the_rows_where_it_counts():
    present = np.arange(ROWS) % 3 > 0
    data = {
        "x": np.arange(ROWS, dtype="float32"),
        "present": present.astype(int),
        "value": np.where(present, np.arange(ROWS) * 10.0, np.nan),
    }
    heads = {"present": ph.Binary(class_weight={1: 2.0}), "value": ph.Regression(given="present")}
    feed = ph.Feed(data, inputs="x", heads=heads, augment=[ph.MixUp(1.0)], seed=1)
    from polyhead.hashing import stream

    ids, mixing = ph.MixUp(1.0).draw(1, 0, np.arange(ROWS), stream("Mixup"), ROWS, (1, 1))
    kinds = set()
    for row, found in by_row(feed).items():
        pair, share = ids[:, row], mixing.shares[:, row]
        here = present[pair]
        kinds.add(tuple(here))
        weight = share @ np.where(here, 2.0, 1.0)
        np.testing.assert_allclose(found["present weight"], weight, rtol=1e-6)
        np.testing.assert_allclose(found["present label"], share @ (here * 2.0) / weight, rtol=1e-6)
        np.testing.assert_allclose(found["value weight"], share @ here, rtol=1e-6)
        value = (share * here) @ (pair * 10.0) / (share @ here) if here.any() else 0
        np.testing.assert_allclose(found["value label"], value, rtol=1e-5)
    assert len(kinds) == 4


class Counted(Source):
    """Rows of `DATA`, and how many are read at once."""

    def __init__(self):
        self.most = 0

    def __len__(self):
        return ROWS

    columns = ("image", "kind")

    def read(self, ids):
        self.most = max(self.most, len(ids))
        return {"image": DATA["image"][ids], "kind": [CLASSES[i] for i in ids]}


@pytest.mark.parametrize("augment", [[ph.Mosaic(p=1.0)], [ph.Mosaic(p=1.0), ph.MixUp(p=1.0)]], ids=str)
def test_no_more_rows_are_in_memory_than_a_batch_has(augment):
    source = Counted()
    heads = {"kind": ph.Categorical(sorted(set(CLASSES)), one_hot=True)}
    feed = ph.Feed(
        source, inputs={"image": ph.Image()}, heads=heads, batch_size=32, augment=augment, workers=0
    )
    source.most = 0
    feed._assembler.block(feed._iterator.order, 0, 0, 1)
    assert 8 <= source.most <= 32
