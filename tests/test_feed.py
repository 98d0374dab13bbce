"""The feed: batches, epochs, state, threads. What Keras makes of it is in tests/keras_bridge."""

import copy
import dataclasses
import gc
import hashlib
import json
import operator
import pickle
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import polyhead as ph
from polyhead.keras_bridge.structure import Structure
from polyhead.pipeline.gather import Gather
from running import until

GOLDEN = "0157579174aac0f60d021383b736eb905d4d8a4fac132cbcaa578f8061ded28a"
ROWS = 1003


def columns(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    value = rng.random((rows, 2))
    value[::5] = np.nan
    return {
        "x": rng.random((rows, 4), dtype=np.float32),
        "image": rng.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8),
        "present": rng.integers(0, 2, rows),
        "kind": [["cat", "dog", "eel", None][i] for i in rng.integers(0, 4, rows)],
        "value": value,
        "mask": rng.integers(0, 2, (rows, 8, 8), dtype=np.uint8),
    }


def make(data=None, **changes):
    return ph.Feed(
        columns() if data is None else data,
        **{
            "inputs": {"x": ph.Array(), "image": ph.Image()},
            "heads": {
                "present": ph.Binary(),
                "kind": ph.Categorical(class_weight="balanced"),
                "value": ph.Regression(2, given="present"),
                "mask": ph.Mask(),
            },
            "batch_size": 32,
            "shuffle": True,
            "seed": 7,
            **changes,
        },
    )


class Slow(ph.Source):
    """A source that is not in memory."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data["x"])

    def read(self, ids):
        return {
            name: [values[i] for i in ids] if isinstance(values, list) else values[ids]
            for name, values in self.data.items()
        }


def digest(feed, epochs=3):
    found = hashlib.sha256()
    for _ in range(epochs):
        for batch in feed.batches():
            found.update(batch.ids.astype("<i8").tobytes())
            for part in (batch.inputs, batch.labels, batch.weights or {}):
                for name, array in sorted(part.items()):
                    found.update(f"{name}{array.dtype}{array.shape}".encode())
                    found.update(np.ascontiguousarray(array).tobytes())
        list(feed)
    return found.hexdigest()


@pytest.mark.parametrize("workers", [0, 1, 2, 8, "auto"])
def test_batches_are_identical_for_any_number_of_threads_on_every_backend(workers):
    # one constant for all: the suite runs once on each backend
    assert digest(make(workers=workers)) == GOLDEN


def test_batches_are_identical_for_data_in_memory_and_read_on_the_way():
    heads = {**make().heads}
    assert digest(make(Slow(columns()), heads=heads), 1) == digest(make(heads=heads), 1)


def test_batches_are_what_the_rows_say():
    data = columns()
    feed = make(data)
    seen = []
    for batch in feed.batches():
        seen += batch.ids.tolist()
        ids = batch.ids
        assert np.array_equal(batch.inputs["x"], data["x"][ids])
        assert np.array_equal(
            batch.inputs["image"], (data["image"][ids] / np.float32(255)).astype(np.float32)
        )
        assert np.array_equal(batch.labels["present"], data["present"][ids][:, None].astype(np.float32))
        names = [data["kind"][i] for i in ids]
        assert [
            feed.heads["kind"].names[k] if n else None
            for k, n in zip(batch.labels["kind"], names, strict=True)
        ] == names
        assert np.array_equal(batch.labels["value"], np.nan_to_num(data["value"][ids]).astype(np.float32))
        assert np.array_equal(batch.labels["mask"][..., 0], data["mask"][ids])
        there = ~np.isnan(data["value"][ids, 0]) & (data["present"][ids] == 1)
        assert np.array_equal(batch.weights["value"], there.astype(np.float32))
        weight = {**feed.heads["kind"].class_weight, None: 0.0}
        assert batch.weights["kind"].tolist() == [np.float32(weight[n]) for n in names]
        assert (batch.weights["mask"] == 1).all()
        assert batch.weights["mask"].shape == (len(ids), 1, 1)
    assert sorted(seen) == list(range(ROWS))


def test_an_epoch_is_counted_when_its_last_batch_is_handed_out():
    feed = make()
    assert feed.epoch == 0
    batches = iter(feed)
    for _ in range(len(feed) - 1):
        next(batches)
    assert feed.epoch == 0
    next(batches)
    assert feed.epoch == 1
    next(iter(feed))
    assert feed.epoch == 1


def test_peek_consumes_nothing():
    feed = make()
    peeked = feed.peek()
    first = next(iter(make()))
    assert np.array_equal(peeked[0]["x"], first[0]["x"])
    assert np.array_equal(next(iter(feed))[0]["x"], first[0]["x"])
    assert feed.state()["step"] == 1


def test_a_restored_feed_goes_on_to_the_sample():
    feed = make()
    whole = [x["x"] for _ in range(3) for x, *_ in feed]
    for stop in (0, 1, 40, len(feed) - 1, len(feed), len(feed) + 7):
        first = make()
        batches = (b for _ in range(3) for b in first)
        before = [next(batches)[0]["x"] for _ in range(stop)]
        state = json.loads(json.dumps(first.state()))
        second = make(workers=2).restore(state)
        after = []
        while second.epoch < 3:
            after += [x["x"] for x, *_ in second]
        together = before + after
        assert len(together) == len(whole)
        assert all(np.array_equal(a, b) for a, b in zip(together, whole, strict=True))


def bound_to(feed, outputs):
    feed._bound = Structure({"x": "x"}, outputs)
    return feed


@pytest.mark.parametrize(
    "outputs", [["kind", "present"], ("kind", "present"), {"a": ["kind"], "b": {"c": "present"}}]
)
def test_a_restored_feed_gives_batches_in_the_structure_that_they_had(outputs):
    make = two_heads
    feed = bound_to(make(), outputs)
    expected = next(iter(feed))
    state = json.loads(json.dumps(feed.state()))
    again = make().restore({**state, "step": 0})
    (x, y), (one, other) = expected[:2], next(iter(again))[:2]
    assert np.array_equal(x["x"], one["x"])
    assert_same_nesting(y, other)
    copy = pickle.loads(pickle.dumps(feed))
    assert_same_nesting(next(iter(bound_to(make(), outputs).restore(state)))[1], next(iter(copy))[1])
    # a feed that is bound keeps its own
    mine = bound_to(make(), {"other": "kind", "names": "present"}).restore(state)
    assert set(next(iter(mine))[1]) == {"other", "names"}
    # one that was not bound stays so
    assert set(next(iter(make().restore(make().state())))[1]) == {"kind", "present"}


@pytest.mark.parametrize("structure", [None, 3, {}, {"inputs": {"x": "x"}, "outputs": ["kind"]}])
def test_a_state_with_another_structure_leaves_batches_as_they_are(structure):
    feed = two_heads()
    assert set(next(iter(two_heads().restore({**feed.state(), "structure": structure})))[1]) == {
        "kind",
        "present",
    }


def two_heads():
    rows = {"x": np.arange(12.0), "kind": ["cat", "dog"] * 6, "present": [0, 1, 1] * 4}
    heads = {"kind": ph.Categorical(), "present": ph.Binary()}
    return ph.Feed(rows, inputs="x", heads=heads, batch_size=4, shuffle=True)


def assert_same_nesting(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (list, tuple)):
        for a, b in zip(one, other, strict=True):
            assert_same_nesting(a, b)
    else:
        assert np.array_equal(one, other)


def test_a_state_of_another_feed_is_refused_with_every_difference():
    state = make().state()
    with pytest.raises(ph.ContractError) as error:
        make(batch_size=16, seed=8).restore({**state, "step": -1})
    assert str(error.value).splitlines()[0] == "3 problems:"
    assert "state, `batch_size`: expected 16, got 32. It is the state of another feed." in str(error.value)
    assert "state, `step`: expected an integer of at least 0 and below 63, got -1." in str(error.value)


def test_a_state_of_other_rows_or_another_declaration_is_refused():
    state = json.loads(json.dumps(make(drop_remainder=True).state()))
    assert make(drop_remainder=True).restore(state).state() == state
    of_numpy = {**state, "epoch": np.int64(state["epoch"]), "step": np.int64(state["step"])}
    assert json.loads(json.dumps(make(drop_remainder=True).restore(of_numpy).state())) == state
    other = columns(seed=1)
    for changes, expected in [
        (
            {"data": other, "heads": make().heads},
            "state, `data`: expected the rows that it was taken with, got other values in image, kind, mask, present, "
            "value, … (6 in all). Continuing",
        ),
        (
            {"inputs": "x"},
            "state, input `image`: expected what it was taken with, got none",
        ),
        (
            {"drop_remainder": False},
            "state, `drop_remainder`: expected False, got True. It is the state of another",
        ),
    ]:
        with pytest.raises(ph.ContractError) as error:
            make(**{"drop_remainder": True, **changes}).restore(state)
        assert expected in str(error.value)
    for name in ("data", "declaration"):
        with pytest.raises(ph.ContractError, match=f"state, `{name}`: expected fingerprints, got none"):
            make(drop_remainder=True).restore({k: v for k, v in state.items() if k != name})


def weighed(**kind):
    rows = {"x": np.zeros((4, 2)), "there": [0, 1, 1, 1], "kind": ["a", "b", "a", "b"]}
    heads = {"there": ph.Binary(class_weight="balanced"), "kind": ph.Categorical(["a", "b"], **kind)}
    return ph.Feed(rows, inputs="x", heads=heads, batch_size=2)


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({}, {"class_weight": {"a": 1.0, "b": 3.0}}, "class_weight="),
        ({"class_weight": {"a": 1.0, "b": 3.0}}, {"class_weight": {"a": 1.0, "b": 2.0}}, "class_weight="),
        (
            {"class_weight": "balanced", "given": "there"},
            {"missing": "c"},
            "class_weight= and given= and missing=",
        ),
    ],
)
def test_a_state_from_before_weights_were_changed_continues_with_a_warning(then, now, told):
    feed = weighed(**then)
    next(iter(feed))
    state = json.loads(json.dumps(feed.state()))
    with pytest.warns(ph.PolyheadWarning) as caught:
        other = weighed(**now).restore(state)
    assert [str(one.message) for one in caught] == [
        f"head `kind`: expected {told} as when the state was taken, got another value. Training continues at "
        "the same row. From there on, labels are weighted by the new declaration."
    ]
    assert (other.epoch, other.state()["step"]) == (0, 1)
    weighed(**now).restore(json.loads(json.dumps(other.state())))  # and no word of it again


def test_a_state_continues_without_a_warning_where_labels_count_as_before():
    masks = {"image": np.zeros((4, 6, 6, 3), np.uint8), "mask": np.zeros((4, 6, 6), np.uint8)}

    def of_masks(**more):
        heads = {"mask": ph.Mask(2, weight=1.0 + len(more))}
        return ph.Feed(masks, inputs={"image": ph.Image()}, heads=heads, batch_size=2, **more)

    of_masks(augment=[ph.Rotate(20)]).restore(
        of_masks().state()
    )  # pixels without a label, and another weight=
    weighed(class_weight="balanced").restore(weighed(class_weight="balanced").state())
    state = weighed(class_weight={"a": 1.0, "b": 3.0}).state()
    weighed(class_weight=[1.0, 3.0]).restore(state)
    weighed().restore(
        {key: value for key, value in state.items() if key != "weighing"}
    )  # of an older version


def test_a_declaration_is_told_by_kinds_columns_shapes_and_classes_alone():
    rows = {"x": np.zeros((4, 2)), "z": np.zeros((4, 2)), "k": ["a", "b", "a", "b"], "y": [0, 1, 0, 1]}

    def told(inputs="x", **heads):
        return json.dumps(ph.Feed(rows, inputs=inputs, heads=heads).state()["declaration"])

    def loss(y_true, y_pred):
        return y_pred

    one = told(k=ph.Categorical(), y=ph.Binary())
    assert told(k=ph.Categorical(), y=ph.Binary()) == one
    assert told(k=ph.Categorical(weight=2.0, metrics=[]), y=ph.Binary(loss=loss)) == one
    others = [
        told({"x": ph.Array(column="z")}, k=ph.Categorical(), y=ph.Binary()),
        told({"x": ph.Array(column=["x", "z"])}, k=ph.Categorical(), y=ph.Binary()),
        told(k=ph.Categorical(["b", "a"]), y=ph.Binary()),
        told(k=ph.Categorical(), y=ph.Regression()),
        told(y=ph.Binary()),
    ]
    assert len({one, *others}) == 6


@pytest.mark.parametrize(
    "state", [{"epoch": True}, {"step": 0.0}, {"epoch": -1}, {"step": 63}, {"step": None}]
)
def test_epoch_and_step_of_a_state_are_integers_within_an_epoch(state):
    with pytest.raises(
        ph.ContractError, match=rf"^state, `{next(iter(state))}`: expected an integer of at least 0"
    ):
        make().restore({**make().state(), **state})


def test_two_feeds_at_once_do_not_disturb_each_other():
    alone = [b[0]["x"] for b in make(seed=1)], [b[0]["x"] for b in make(seed=2)]
    both = list(zip(make(seed=1), make(seed=2), strict=True))
    assert all(np.array_equal(a[0]["x"], x) for (a, _), x in zip(both, alone[0], strict=True))
    assert all(np.array_equal(b[0]["x"], x) for (_, b), x in zip(both, alone[1], strict=True))


def test_the_structure_never_changes_though_early_batches_miss_nothing():
    data = columns()
    data["value"] = np.ones((ROWS, 2))
    data["value"][-1] = np.nan
    for source in (data, Slow(data)):
        feed = ph.Feed(source, inputs="x", heads={"value": ph.Regression(2)}, batch_size=10)
        assert {len(batch) for batch in feed} == {3}


def test_augment_may_be_none():
    with_none, without = make(augment=None), make()
    assert (with_none.augment, with_none.state()) == ((), without.state())


def test_no_weights_where_nothing_needs_them():
    feed = ph.Feed(
        {"x": np.ones((9, 2)), "y": np.arange(9) % 2}, inputs="x", heads={"y": ph.Binary()}, batch_size=4
    )
    assert [len(batch) for batch in feed] == [2, 2, 2]


def test_on_keeps_what_was_learned():
    data = columns()
    feed = make(data)
    few = {name: values[:5] for name, values in data.items()}
    val = feed.on(few)
    assert val.heads == feed.heads
    assert not val.shuffle
    assert [b.ids.tolist() for b in val.batches()] == [[0, 1, 2, 3, 4]]


def test_shards_share_the_rows():
    feeds = [make(shard=(rank, 3)) for rank in range(3)]
    ids = np.concatenate([b.ids for feed in feeds for b in feed.batches()])
    assert sorted(ids.tolist()) == list(range(ROWS))
    assert len({len(feed) for feed in feeds}) == 1


def test_on_keeps_a_shard_that_was_said():
    feed = make(shard=(1, 3), heads={"present": ph.Binary()})
    assert feed.on(columns(seed=2)).shard == (1, 3)
    assert feed.on(columns()).on(columns()).shard == (1, 3)
    assert feed.on(columns(), shard=(0, 1)).shard == (0, 1)
    assert feed.on(columns(), shard="auto").shard == (0, 1)
    seen = [b.ids for rank in range(3) for b in make(shard=(rank, 3)).on(columns()).batches()]
    assert sorted(np.concatenate(seen).tolist()) == list(range(ROWS))


@pytest.mark.parametrize(("module", "evaluated"), [("torch.distributed", (0, 1)), ("jax", (1, 2))])
def test_processes_of_pytorch_evaluate_all_rows(monkeypatch, module, evaluated):
    states = dict.fromkeys(("is_available", "is_initialized"), lambda: module == "torch.distributed")
    ranks = {"get_rank": lambda: 1, "get_world_size": lambda: 2}
    monkeypatch.setitem(sys.modules, "torch.distributed", SimpleNamespace(**states, **ranks))
    met = SimpleNamespace(is_initialized=lambda: True)
    jax = SimpleNamespace(distributed=met, process_index=lambda: 1, process_count=lambda: 2)
    monkeypatch.setitem(sys.modules, "jax", jax)
    feed = make(shuffle=True)
    assert feed.shard == (1, 2)
    for rows in (feed, feed.on(columns())):
        assert rows._iterator.orders["evaluate"].shard == evaluated
    assert feed.on(columns(), shard=(0, 2))._iterator.orders["evaluate"].shard == (0, 2)


def test_threads_end_with_the_feed():
    before = set(threading.enumerate())  # TensorFlow keeps feeds of other tests

    def own():
        return [t for t in threading.enumerate() if t.name.startswith("polyhead-") and t not in before]

    feed = make(workers=3)
    batches = iter(feed)
    next(batches)
    assert len(own()) == 3
    del feed, batches
    gc.collect()
    assert until(lambda: not own())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_value_is_named_with_its_row(workers):
    data = columns()
    data["x"][777, 1] = np.inf
    feed = ph.Feed(Slow(data), inputs="x", heads={"present": ph.Binary()}, shuffle=True, workers=workers)
    with pytest.raises(ph.DataError) as error:
        list(feed)
    assert str(error.value) == (
        "input `x`, row 777: expected finite numbers, got inf. "
        "Fix the row, or say Array(fill=0.0) to fill in for NaN, but not for infinity."
    )


def test_every_row_is_looked_at_though_a_shard_gets_others_in_each_epoch():
    data = columns()
    data["x"][777, 1] = np.inf
    for seed in range(4):
        feed = ph.Feed(
            data, inputs="x", heads={"present": ph.Binary()}, shuffle=True, seed=seed, shard=(0, 2)
        )
        for _ in range(4):
            try:
                assert all(np.isfinite(x["x"]).all() for x, _ in feed)
            except ph.DataError:
                break


def test_an_epoch_says_that_fit_takes_the_feed():
    assert repr(iter(make())) == "one epoch of a feed (fit takes the feed itself: model.fit(feed))"


def test_a_bad_label_in_memory_is_named_before_the_first_batch():
    data = columns()
    data["present"][500] = -1
    with pytest.raises(ph.DataError) as error:
        make(data)
    assert str(error.value) == (
        "head `present`, row 500: expected 0, 1, True or False, got -1. "
        'If -1 means no, say Binary(positive=1); if it means "no label", Binary(missing=-1).'
    )


def test_every_problem_of_a_declaration_comes_at_once():
    with pytest.raises(ph.DataError) as error:
        ph.Feed(
            columns(),
            inputs={"x": ph.Array(5), "image": ph.Image(9, 9, 1)},
            heads={"kind": ph.Regression(), "mask": ph.Mask(size=(4, 4)), "other": ph.Mask(column="x")},
        )
    places = [problem.place for problem in error.value.problems]
    assert places == ["input `x`", "input `image`", "head `kind`, row 0", "head `other`"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"heads": {"present": ph.Binary}},
            "head `present`: expected a head kind, as ph.Binary(), got <class 'polyhead.kinds.binary.Binary'>. "
            "Write Binary() with parentheses.",
        ),
        (
            {"heads": {"present": "binary"}},
            "head `present`: expected a head kind, as ph.Binary(), got 'binary'. Say ph.Binary().",
        ),
        ({"heads": {"x": "each"}}, "head `x`: expected a head kind, as ph.Binary(), got 'each'."),
        ({"inputs": {"x": ""}}, "input `x`: expected an input kind, as ph.Array(), got ''."),
        (
            {"heads": {"x": ph.Array()}},
            "head `x`: expected a head kind, as ph.Binary(), got Array(). Move it to inputs=.",
        ),
        (
            {"inputs": {"x": ["a", "b"]}},
            "input `x`: expected an input kind, as ph.Array(), got ['a', 'b']. Say ph.Array(column=['a', 'b']).",
        ),
        ({"inputs": []}, "inputs: expected at least one input, got none."),
        (
            {"heads": {"value": ph.Regression(2, given="prezent")}},
            "head `value`, given='prezent': expected the name of a binary head, "
            "got no head of that name. Declare it among the heads: 'prezent': ph.Binary().",
        ),
        (
            {
                "heads": {
                    "present": ph.Binary(given="more"),
                    "more": ph.Binary(given="present", column="present"),
                }
            },
            "2 problems:\n"
            "  1. head `present`, given='more': expected no circle of given=, got present -> more -> present.\n"
            "  2. head `more`, given='present': expected no circle of given=, got more -> present -> more.",
        ),
        ({"workers": -1}, 'Feed(workers=): expected "auto" or an integer of at least 0, got -1.'),
    ],
)
def test_what_cannot_be_declared_is_refused(arguments, message):
    with pytest.raises(ph.ContractError) as error:
        make(**arguments)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "data: expected at least one column, got an empty mapping."),
        ({"x": np.zeros((0, 2)), "y": []}, "data: expected at least one row, got an empty source."),
        (
            [1, 2],
            "data: expected a mapping of arrays, a Source, a table or a path, got 'list'. "
            'Give names: {"image": images, "label": labels}.',
        ),
        (
            {"z": np.zeros(3), "y": [0, 1, 0]},
            "input `x`: expected a column `x` among z, y, got no such column. "
            'Say Array(column="...") for a column of another name.',
        ),
        (
            {"x": np.zeros(3)},
            "head `y`: expected a column `y` among x, got no such column. "
            'Say Binary(column="...") for a column of another name. '
            "Rows without labels can only be predicted: ph.predict(model, data).",
        ),
        (
            {"x": np.zeros(3), "y": [0, 1]},
            "data: expected columns of one length, got `x` 3, `y` 2. "
            "Every column needs one entry per row; None or NaN stands for a missing label.",
        ),
    ],
)
def test_data_that_cannot_be_is_refused(data, message):
    with pytest.raises(ph.DataError) as error:
        ph.Feed(data, inputs="x", heads={"y": ph.Binary()})
    assert str(error.value) == message


def test_given_chains_multiply():
    data = {
        "x": np.zeros(4),
        "a": [1, 1, 0, None],
        "b": [1, 0, 1, 1],
        "c": [0.5, 0.5, 0.5, 0.5],
    }
    heads = {"c": ph.Regression(given="b"), "b": ph.Binary(given="a"), "a": ph.Binary()}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
    _, _, weights = feed.peek()
    assert list(weights) == ["c", "b", "a"]
    assert weights["a"].tolist() == [1, 1, 1, 0]
    assert weights["b"].tolist() == [1, 1, 0, 0]
    assert weights["c"].tolist() == [1, 0, 0, 0]


def test_describe_says_what_is_there():
    text = str(make().describe())
    assert text.splitlines()[0] == "1,003 rows"
    assert "input image        float32 (8, 8, 3)" in text
    assert "head  mask         100.0% labeled (1,003)" in text


def test_rows_handed_out_are_the_caller_s_to_change():
    data = columns()
    before = {
        name: np.array(values, dtype=object if name == "kind" else None) for name, values in data.items()
    }
    feed = make(data, shuffle=False)
    for x, y, w in feed:
        x["x"][:] = -1
        x["image"][:] = -1
        y["value"][:] = -1
        w["value"][:] = -1
    second = next(iter(feed))
    assert np.array_equal(second[0]["x"], before["x"][:32])
    assert all(
        np.array_equal(np.array(data[n], dtype=object if n == "kind" else None), before[n]) or n == "value"
        for n in data
    )


def test_a_chain_of_given_may_be_long():
    ones = {name: [1, 1, 0, 1] for name in "abcd"}
    heads = {
        "d": ph.Binary(given="c"),
        "c": ph.Binary(given="b"),
        "b": ph.Binary(given="a"),
        "a": ph.Binary(),
    }
    _, _, weights = ph.Feed({"x": np.zeros(4), **ones}, inputs="x", heads=heads, batch_size=4).peek()
    assert weights["d"].tolist() == [1, 1, 0, 1]


def test_class_weights_for_a_class_that_is_not_learned_name_the_head():
    with pytest.raises(ph.DataError) as error:
        make(heads={"kind": ph.Categorical(class_weight={"owl": 2.0})})
    assert str(error.value).startswith("head `kind`, Categorical(class_weight=)")


def test_rows_are_looked_at_in_the_first_whole_epoch_and_not_again(monkeypatch):
    asked = []
    gather = Gather.__call__

    def spy(self, ids, check=False, *laps):
        asked.append(check)
        return gather(self, ids, check, *laps)

    monkeypatch.setattr(Gather, "__call__", spy)
    feed = make(heads={"present": ph.Binary()}, workers=0)
    batches = iter(feed)
    for _ in range(len(feed)):
        next(batches)
    assert set(asked) == {True}
    asked.clear()
    list(feed)
    assert True not in asked
    asked.clear()
    restored = make(heads={"present": ph.Binary()}, workers=0).restore({**feed.state(), "step": 5})
    list(restored)
    asked.clear()
    list(restored)
    assert set(asked) == {True}


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("take", "Select rows: feed.on(feed.source.select(range(n)))."),
        ("skip", "Select rows: feed.on(feed.source.select(range(n, len(feed.source))))."),
        (
            "split",
            "Split the rows: train, val = feed.source.split((0.8, 0.2)); then feed.on(train), feed.on(val).",
        ),
        ("batch", "Say ph.Feed(batch_size=...)."),
        ("repeat", "A feed starts again in each epoch."),
        ("prefetch", "A feed prepares batches ahead by itself."),
        ("class_names", "The names of the classes, in the order of their ids: feed.heads[name].names."),
        ("class_indices", "The names of the classes, in the order of their ids: feed.heads[name].names."),
    ],
)
def test_methods_of_other_datasets_name_what_a_feed_has_instead(name, fix):
    feed = ph.Feed({"x": np.ones((10, 2)), "y": [0, 1] * 5}, inputs="x", heads={"y": ph.Binary()})
    with pytest.raises(AttributeError) as caught:
        getattr(feed, name)
    assert str(caught.value) == f"A feed has no {name}. {fix}"
    assert feed.on(feed.source.select(range(4, len(feed.source)))).num_samples == 6
    assert [feed.on(rows).num_samples for rows in feed.source.split((0.8, 0.2))] == [8, 2]
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        feed.no_such  # noqa: B018


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("batch_size", "feed.source, batch_size=..., shuffle=feed.shuffle, augment=feed.augment"),
        ("shuffle", "feed.source, shuffle=..., augment=feed.augment"),
        ("augment", "feed.source, augment=..., shuffle=feed.shuffle"),
        ("heads", "feed.source, heads=..., shuffle=feed.shuffle, augment=feed.augment"),
        ("source", "rows, shuffle=feed.shuffle, augment=feed.augment"),
    ],
)
def test_an_attribute_that_batches_would_not_follow_cannot_be_set(name, fix):
    feed = make(augment=[ph.Flip()])
    with pytest.raises(AttributeError) as caught:
        setattr(feed, name, 16)
    assert str(caught.value) == f"feed.{name} can't be changed. Make another feed: feed.on({fix})."
    other = feed.on(feed.source, batch_size=16, shuffle=feed.shuffle, augment=feed.augment)
    assert (other.batch_size, other.shuffle, len(other.augment)) == (16, True, 1)
    assert len(next(other.batches()).ids) == 16
    feed.epoch = 3
    assert feed.epoch == 3


CHANGES = {
    "set": lambda kinds: kinds.__setitem__("z", ph.Binary()),
    "delete": lambda kinds: kinds.__delitem__("y"),
    "update": lambda kinds: kinds.update(z=ph.Binary()),
    "setdefault": lambda kinds: kinds.setdefault("z", ph.Binary()),
    "pop": lambda kinds: kinds.pop("y"),
    "popitem": lambda kinds: kinds.popitem(),
    "clear": lambda kinds: kinds.clear(),
    "or": lambda kinds: operator.ior(kinds, {"z": ph.Binary()}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_heads_and_inputs_that_batches_would_not_follow_cannot_be_changed(change):
    inputs = {"y": ph.Array(column="x"), "x": ph.Array()}
    feed = ph.Feed({"x": [1.0, 2.0], "y": [0, 1]}, inputs=inputs, heads={"y": ph.Binary()})
    other = "Make another feed: feed.on(feed.source, {0}={{**feed.{0}, ...}})."
    made = "Make another: ph.Declaration({0}={{**declaration.{0}, ...}}, {1}=declaration.{1})."
    parts = [
        (feed.heads, f"feed.heads can't be changed. {other.format('heads')}"),
        (feed.inputs, f"feed.inputs can't be changed. {other.format('inputs')}"),
        (feed.declaration.heads, f"declaration.heads can't be changed. {made.format('heads', 'inputs')}"),
        (feed.declaration.inputs, f"declaration.inputs can't be changed. {made.format('inputs', 'heads')}"),
    ]
    for kinds, words in parts:
        before = dict(kinds)
        with pytest.raises(TypeError) as caught:
            CHANGES[change](kinds)
        assert str(caught.value) == words
        assert list(kinds) == list(before)
        assert kinds == before == copy.deepcopy(kinds) == pickle.loads(pickle.dumps(kinds))
        for own in (dict(kinds), {**kinds}, kinds | {}, kinds.copy()):
            CHANGES[change](own)  # copies can be changed
    both = feed.on(feed.source, heads={**feed.heads, "z": ph.Binary(column="y")})
    assert list(both.heads) == ["y", "z"]
    assert both.declaration == ph.Declaration(both.inputs, both.heads)
    assert dataclasses.asdict(both.declaration)["heads"]["z"]["column"] == "y"


def test_attributes_of_users_and_of_subclasses_can_be_set_again():
    class Named(ph.Feed):
        def __init__(self, *args, **kwargs):
            self.name = "rows"
            super().__init__(*args, **kwargs)
            self.name = "train"

    feed = Named({"x": [1.0, 2.0], "y": [0, 1]}, inputs="x", heads={"y": ph.Binary()})
    feed.name += "ing"
    feed.warn_if_slow = False  # `fit` reads it when it begins
    assert (feed.name, feed.warn_if_slow) == ("training", False)
