"""Which rows a preview shows: by id, by what labels hold, several draws of one row."""

import numpy as np
import pytest

import polyhead as ph


@pytest.fixture(scope="module")
def feed():
    rng = np.random.default_rng(0)
    data = {
        "image": rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8),
        "box": [[[1, 1, 5, 5]] * (i % 3) if i != 7 else None for i in range(8)],
        "kind": [["kite", "cat"][: i % 3] if i != 7 else None for i in range(8)],
        "age": [float(i) if i != 2 else None for i in range(8)],
        "tame": [i % 2 == 0 for i in range(8)],
        "pet": ["cat" if i % 4 else f"{'dog ' * 20}{i}" for i in range(8)],
        "is_cat": ["cat" if i % 4 else "dog" for i in range(8)],
    }
    heads = {
        "box": ph.Boxes(2),
        "kind": ph.Categorical(["cat", "kite"], each="box"),
        "age": ph.Regression(),
        "tame": ph.Binary(),
        "pet": ph.Categorical(),
        "is_cat": ph.Binary(positive="cat"),
    }
    augment = [ph.Flip(p=0.5), ph.Rotate(20)]
    return ph.Feed(
        data, inputs={"image": ph.Image()}, heads=heads, augment=augment, batch_size=4, shuffle=True
    )


def rows(seen):
    return [sample.row for sample in seen.samples]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([5, 2], [5, 2]),
        (3, [3]),
        (np.array([1, 1]), [1, 1]),
        (range(2), [0, 1]),
        ({"kind": "cat"}, [2, 5]),
        ({"kind": ["cat", "kite"]}, [1, 2, 4, 5]),
        ({"kind": "kite", "tame": True}, [2, 4]),
        ({"age": None}, [2]),
        ({"box": None}, [7]),
        ({"age": 4}, [4]),
        ({"age": lambda age: age > 5}, [6, 7]),
        ({"box": lambda boxes: len(boxes) == 0}, [0, 3, 6]),
        ({"kind": lambda kinds: sorted(kinds) == ["cat", "kite"]}, [2, 5]),
        ({"tame": lambda tame: not tame}, [1, 3, 5, 7]),
        ({"pet": lambda pet: pet.endswith("4")}, [4]),  # the whole name, which the page shortens
        ({"is_cat": "cat", "tame": True}, [2, 6]),
        ({"is_cat": False}, [0, 4]),
    ],
)
def test_rows(feed, wanted, expected):
    assert rows(feed.preview(rows=wanted)) == expected


def test_a_condition_takes_the_first_n(feed):
    assert rows(feed.preview(rows={"tame": False}, n=2)) == [1, 3]
    assert rows(feed.preview(rows={"tame": "False"}, n=2)) == [1, 3]  # as the command line gives it


def test_rows_of_a_part_keep_their_ids(feed):
    part = feed.on(feed.source.select([6, 2, 5]))
    assert rows(part.preview(rows=[5, 6])) == [5, 6]
    assert rows(part.preview(rows={"kind": "cat"})) == [2, 5]


def test_a_row_is_drawn_as_in_the_epochs_to_come(feed):
    seen = feed.preview(rows=[5], draws=3)
    first, *drawn = seen.samples
    assert (first.applied, [sample.epoch for sample in drawn]) == (("original",), [0, 1, 2])
    for sample in drawn:
        again = feed.on(feed.source, augment=feed.augment, seed=feed.seed)
        again.epoch = sample.epoch
        batch = next(batch for batch in again.batches() if 5 in batch.ids)
        i = batch.ids.tolist().index(5)
        np.testing.assert_array_equal(sample.inputs["image"], batch.inputs["image"][i])
        np.testing.assert_array_equal(sample.labels["box"].value, batch.labels["box"][i])
    assert len({sample.applied for sample in drawn}) == 3
    assert feed.epoch == 0
    # the original stands on the page once
    assert seen.html.count('<figure class="shot">') == 4
    assert "augmented as in 3 epochs" in seen.html


def test_augmentations_are_named_as_they_happened():
    image = np.zeros((1, 40, 40, 3), np.uint8)
    image[:, :, :20] = 255
    data = {"image": image, "y": [1]}
    augment = [
        ph.Flip(p=0.5),
        ph.Scale(0.1, p=0.5),
        ph.Translate(0.05, p=0.5),
        ph.Blur(2),
        ph.MixUp(0.5, p=0.5),
    ]
    heads = {"y": ph.Binary()}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, augment=augment)
    _, *drawn = feed.preview(rows=[0], draws=12).samples
    flipped = [sample.inputs["image"][20, 10, 0] < 0.5 for sample in drawn]
    assert flipped == ["Flip left-right" in sample.applied for sample in drawn]
    assert 0 < sum(flipped) < 12
    named = {words.split()[0] for sample in drawn for words in sample.applied}
    assert named == {"Flip", "Scale", "Translate", "Blur", "MixUp"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rows": [3, 8]}, "preview(rows=): expected ids of the 8 rows of this feed, got row 8."),
        (
            {"rows": "kite"},
            "preview(rows=): expected ids of rows, as [3, 17], or what a head holds, "
            """as {"kind": "cat"}, got 'kite'.""",
        ),
        (
            {"rows": {"kinds": "kite"}},
            "preview(rows=): expected one of the heads `box`, `kind`, `age`, `tame`, `pet`, `is_cat`, got 'kinds'. "
            "Did you mean `kind`?",
        ),
        (
            {"rows": {"kind": "kit"}},
            "preview(rows=): expected a class of head `kind` (cat, kite), got 'kit'. Did you mean `kite`?",
        ),
        (
            {"rows": {"age": 99}},
            "preview(rows=): expected a condition that some row fulfills, got no row with age=99.",
        ),
        (
            {"draws": 9},
            "preview(draws=): expected rows= beside it, got 9. Say which rows, as rows=[7], draws=9.",
        ),
        ({"draws": 0}, "preview(draws=): expected an integer of at least 1, got 0."),
    ],
)
def test_what_there_is_not_is_an_error(feed, options, words):
    with pytest.raises(ph.ContractError) as error:
        feed.preview(**options)
    assert str(error.value) == words


def test_a_generator_has_no_rows_to_choose():
    source = ph.from_generator(
        lambda: iter([(np.zeros((4, 2), np.float32), np.ones(4, np.float32))]), length=4, names=("x", "y")
    )
    feed = ph.Feed(source, inputs="x", heads={"y": ph.Binary()}, batch_size=4)
    with pytest.raises(
        ph.ContractError, match=r"preview\(rows=\): expected rows that can be read in any order"
    ):
        feed.preview(rows=[1])
