"""The declaration that ends a report runs, and its feed gives the same rows."""

import keras
import numpy as np
import pytest
from doctor_checks import (
    KIND,
    MASK,
    ROWS,
    SIZE,
    VALUE,
    YES,
    Items,
    X,
    classes,
    good,
    mask_head,
    stream,
    two_heads,
)

import polyhead as ph
from polyhead.kinds import CLASS_A_STEP

pytestmark = pytest.mark.once


def run(report, **names):
    """The feed of a declaration, in row order."""
    exec(report.declaration.replace("shuffle=True", "shuffle=False"), names)
    return names["feed"]


def rows(feed):
    """All rows of a feed, as dicts of arrays."""
    batches = [batch[:2] for batch in feed]
    return [
        {name: np.concatenate([batch[part][name] for batch in batches]) for name in batches[0][part]}
        for part in (0, 1)
    ]


def test_of_arrays():
    report = ph.examine((X, (YES, VALUE)), two_heads())
    assert report.declaration == (
        "import polyhead as ph\n"
        "\n"
        "data = {\n"
        '    "x": arrays[0],\n'
        '    "yes": arrays[1][0],\n'
        '    "value": arrays[1][1],\n'
        "}\n"
        "feed = ph.Feed(\n"
        "    data,\n"
        "    inputs={\n"
        '        "x": ph.Array(),\n'
        "    },\n"
        "    heads={\n"
        '        "yes": ph.Binary(),\n'
        '        "value": ph.Regression(),\n'
        "    },\n"
        "    batch_size=32,\n"
        "    shuffle=True,\n"
        ")"
    )
    feed = run(report, arrays=(X, (YES, VALUE)))
    (x, y), steps = rows(feed), len(feed)
    assert steps == 2
    assert np.array_equal(x["x"], X)
    assert np.array_equal(y["yes"], YES)
    assert np.array_equal(y["value"], VALUE)
    assert feed.check(two_heads()).ok


def test_of_a_pydataset_batch_by_batch():
    dataset = Items(shuffle=False)
    feed = run(ph.examine(dataset, two_heads(dict)), dataset=dataset)
    assert len(feed) == len(dataset)
    for i, (x, y) in enumerate(feed):
        theirs, (yes, value) = dataset[i]
        assert np.array_equal(x["x"], theirs)
        assert np.array_equal(y["yes"], yes)
        assert np.array_equal(y["value"], value)


def of_tf(tf):
    return tf.data.Dataset.from_tensor_slices((X, {"yes": YES, "value": VALUE})).batch(SIZE)


def of_endless_tf(tf):
    return of_tf(tf).repeat()


def of_torch(torch):
    pairs = [(X[i], {"yes": YES[i], "value": VALUE[i]}) for i in range(ROWS)]
    return torch.utils.data.DataLoader(pairs, SIZE)


def of_grain(grain):
    pairs = [(X[i], {"yes": YES[i], "value": VALUE[i]}) for i in range(ROWS)]
    return grain.MapDataset.source(pairs).batch(SIZE)


@pytest.mark.parametrize(
    ("framework", "make", "kind"),
    [
        ("tensorflow", of_tf, "tf.data dataset"),
        ("tensorflow", of_endless_tf, "tf.data dataset"),
        ("torch", of_torch, "torch DataLoader"),
        ("grain", of_grain, "grain dataset"),
    ],
    ids=["tf", "tf endless", "torch", "grain"],
)
@pytest.mark.filterwarnings("ignore")  # frameworks warn about each other when they are imported
def test_of_a_dataset(framework, make, kind):
    dataset = make(pytest.importorskip(framework, reason=f"it examines a {kind}"))
    report = ph.examine(dataset, two_heads(dict), 20, steps_per_epoch=6)
    assert report.kind == kind
    assert [p.code for p in report.problems] == ["not-shuffled"]
    feed = run(report, dataset=dataset, loader=dataset)
    x, y = rows(feed)
    assert np.array_equal(x["x"], X)
    assert np.array_equal(y["yes"], YES)
    assert np.array_equal(y["value"], VALUE)


def test_of_a_generator_function():
    generator = stream(good)
    report = ph.examine(generator, two_heads(), steps_per_epoch=6)
    lines = report.declaration.splitlines()
    assert lines[2] == "data = ph.from_generator(generator, length=60, names=('x', ('yes', 'value')))"
    assert "shuffle" not in report.declaration  # a generator has its own order
    feed = run(report, generator=generator)
    assert len(feed) == ROWS // SIZE
    assert feed.check(two_heads()).ok
    assert np.array_equal(np.sort(rows(feed)[0]["x"], axis=0), np.sort(X, axis=0))


def weighted(ids):
    return *good(ids), tuple(np.full(len(ids), i + 0.5, "float32") for i in range(2))


def test_weights_of_rows_become_columns():
    report = ph.examine(stream(weighted), two_heads(), steps_per_epoch=6)
    lines = report.declaration.splitlines()
    assert lines[2] == (
        "data = ph.from_generator(generator, length=60, names=('x', ('yes', 'value'), ('weight_yes', "
        "'weight_value')))"
    )
    assert '        "yes": ph.Binary(sample_weight="weight_yes"),' in lines
    feed = run(report, generator=stream(weighted))
    _, _, weights = feed.peek()
    assert set(weights["yes"].tolist()) == {0.5}
    assert set(weights["value"].tolist()) == {1.5}


def test_of_a_generator_function_whose_epoch_was_not_seen():
    lines = ph.examine(stream(good), batches=3).declaration.splitlines()
    assert lines[2:7] == [
        "data = ph.from_generator(",
        "    generator,",
        "    length=30,  # as many rows as were read: say how many an epoch has",
        "    names=('x', ('y0', 'y1')),",
        ")",
    ]


def batches():
    yield from (good(np.arange(start, start + SIZE)) for start in range(0, ROWS, SIZE))


def test_of_a_started_generator_it_gives_the_function_that_made_it():
    report = ph.examine(batches(), two_heads())
    assert "data = ph.from_generator(batches, length=60, names=('x', ('yes', 'value')))" in report.declaration
    assert np.array_equal(rows(run(report, batches=batches))[0]["x"], X)


@pytest.mark.parametrize(
    ("given", "kind"), [(stream(good), "a generator"), (lambda: iter([good(np.arange(4))]), "an iterator")]
)
def test_what_code_cannot_read_again_has_no_declaration(given, kind):
    report = ph.examine(given(), batches=2)
    assert report.declaration == ""
    why = f"the same data as a feed: {kind} is read only once; give the function that makes it"
    assert why in report.unseen


def test_of_an_endless_dataset_whose_epoch_was_not_seen():
    class Endless:
        def __iter__(self):
            for start in range(0, ROWS - SIZE, 3):
                yield good(np.arange(start, start + SIZE))

    report = ph.examine(Endless(), batches=3)
    assert (
        "batches = list(itertools.islice(dataset, 3))  # as many batches as were read: say how many an epoch has"
    ) in report.declaration
    assert run(report, dataset=Endless()).num_samples == 3 * SIZE


@pytest.mark.parametrize("nested", [lambda y: [*y], lambda y: (*y,), lambda y: {"yes": y[0], "value": y[1]}])
@pytest.mark.parametrize("inputs", [lambda x: x, lambda x: [x, x], lambda x: (x, x)])
def test_of_generators_of_any_nesting(nested, inputs):
    def generator():
        for x, y in batches():
            yield inputs(x), nested(y)

    feed = run(ph.examine(generator), generator=generator)
    x, y = rows(feed)
    assert all(np.array_equal(values, X) for values in x.values())
    assert np.array_equal(y[next(iter(feed.heads))], YES)


def test_an_input_and_a_head_of_one_name_have_columns_of_their_own():
    given = ({"image": MASK}, {"image": 1 - MASK})
    report = ph.examine(given)
    assert '"image": ph.Mask(size=(8, 8), column="image_label"),' in report.declaration
    x, y = rows(run(report, arrays=given))
    assert np.array_equal(x["image"], MASK)
    assert np.array_equal(y["image"], 1 - MASK)


def steps(activation="softmax"):
    x = keras.Input((5,), name="x", dtype="int32")
    tag = keras.layers.Dense(3, activation=activation, name="tag")(keras.layers.Embedding(9, 4)(x))
    return keras.Model(x, {"tag": tag})


WORDS = np.arange(ROWS * 5).reshape(ROWS, 5) % 9
TAGS = WORDS % 3


@pytest.mark.parametrize("tags", [TAGS, TAGS[..., None], np.where(WORDS > 6, -100, TAGS)])
def test_a_class_for_each_step_is_no_head_of_the_declaration(tags):
    report = ph.examine((WORDS, {"tag": tags}), steps())
    assert report.declaration == ""
    assert f"output `tag`: {CLASS_A_STEP}" in report.notes


def test_numbers_for_each_place_are_no_mask():
    x = keras.Input((5,), name="x")
    model = keras.Model(x, keras.layers.Reshape((2, 3), name="grid")(keras.layers.Dense(6)(x)))
    grid = np.arange(ROWS * 6).reshape(ROWS, 2, 3) % 7
    report = ph.examine((WORDS.astype("float32"), grid), model)
    assert '"grid": ph.Regression((2, 3)),' in report.declaration
    feed = run(report, arrays=(WORDS.astype("float32"), grid))
    assert np.array_equal(rows(feed)[1]["grid"], grid)
    assert feed.check(model).ok


ONE_HOT = np.eye(3, dtype="float32")[KIND]
IDS = (MASK[..., 0] + 1).astype("int32")


@pytest.mark.parametrize(
    ("labels", "model", "kind", "change"),
    [
        (YES, None, "ph.Binary()", lambda a: a),
        (YES[:, 0] > 0, None, "ph.Binary()", lambda a: a[:, None].astype("float32")),
        (VALUE[:, 0], None, "ph.Regression()", lambda a: a[:, None]),
        (X, None, "ph.Regression(4)", lambda a: a),
        (X.reshape(-1, 2, 2)[:, :, None], None, "ph.Regression((2, 1, 2))", lambda a: a),
        (KIND, classes, "ph.Categorical(3)", lambda a: a),
        (KIND[:, None], classes, "ph.Categorical(3)", lambda a: a[:, 0]),
        (KIND, None, "ph.Categorical(3)", lambda a: a),
        (KIND - 1, classes, "ph.Categorical(3, missing=-1)", lambda a: np.maximum(a, 0)),
        (ONE_HOT, classes, "ph.Categorical(3)", lambda a: a.argmax(-1)),
        ((X > 0).astype("float32"), None, "ph.MultiLabel(4)", lambda a: a),
        (MASK, mask_head, "ph.Mask(size=(8, 8))", lambda a: a),
        (255 * MASK, None, "ph.Mask(values=(0, 255), size=(8, 8))", lambda a: a / 255),
        (
            np.concatenate([255 * MASK, 255 - 255 * MASK], 3),
            None,
            "ph.Mask(2, multi=True, values=(0, 255), size=(8, 8))",
            lambda a: a / 255,
        ),
        (np.where(KIND == 0, 255, KIND), classes, "ph.Categorical(3, missing=255)", lambda a: a % 255),
        (
            np.where(KIND == 0, -100, KIND),
            classes,
            "ph.Categorical(3, missing=-100)",
            lambda a: np.maximum(a, 0),
        ),
        (KIND + 2, classes, "ph.Categorical(5)", lambda a: a),
        (np.arange(ROWS) + 10, lambda: classes(100), "ph.Categorical(100)", lambda a: a),
        (MASK[..., 0], None, "ph.Mask(size=(8, 8))", lambda a: a[..., None]),
        (np.concatenate([MASK, 1 - MASK], 3), None, "ph.Mask(2, multi=True, size=(8, 8))", lambda a: a),
        (IDS, None, "ph.Mask(3, size=(8, 8))", lambda a: a),
        (np.where(KIND == 0, 255, KIND), None, "ph.Categorical(3, missing=255)", lambda a: a % 255),
        (np.arange(ROWS, dtype="int32"), None, "ph.Regression()", lambda a: a[:, None]),
    ],
)
def test_the_head_for_labels(labels, model, kind, change):
    x = MASK if model is mask_head else X
    report = ph.examine((x, labels), model() if model is not None else None)
    assert f": {kind}," in report.declaration
    feed = run(report, arrays=(x, labels))
    (name,) = feed.heads
    assert np.array_equal(rows(feed)[1][name], change(labels))


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (MASK, "ph.Image(8, 8, 1)"),
        ((255 * MASK).astype("uint8"), 'ph.Image(8, 8, 1, dtype="uint8")'),
        (10 * MASK, "ph.Array()"),
        (KIND[:, None], "ph.Array()"),
        (np.where(X > 2, np.nan, X), "ph.Array(fill=0.0)"),
    ],
)
def test_the_kind_of_inputs(inputs, kind):
    report = ph.examine((inputs, YES))
    assert f'"x": {kind},' in report.declaration
    x, _ = rows(run(report, arrays=(inputs, YES)))
    assert np.array_equal(x["x"], np.nan_to_num(inputs))


def test_whole_numbers_that_are_called_an_amount_are_no_classes():
    report = ph.examine((X, {"price": KIND, "kind": KIND}))
    assert '"price": ph.Regression(),' in report.declaration
    assert '"kind": ph.Categorical(3),' in report.declaration


@pytest.mark.parametrize(
    ("labels", "form"),
    [(lambda i: {"yes": YES[i], "value": VALUE[i]}, dict), (lambda i: (YES[i], VALUE[i]), list)],
    ids=["dict", "tuple"],
)
def test_weights_by_name_for_one_head_become_a_column(labels, form):
    weights = np.linspace(1, 2, ROWS, dtype="float32")
    make = stream(lambda i: (X[i], labels(i), {"value": weights[i]}))
    report = ph.examine(make, two_heads(form), steps_per_epoch=6)
    assert [p.code for p in report.problems] == ["weights-structure"]
    assert '        "value": ph.Regression(sample_weight="weight_value"),' in report.declaration
    assert "# weights" not in report.declaration
    feed = run(report, generator=make)
    assert feed.check(two_heads(form)).ok
    _, y, given = feed.peek()
    rows = (y["value"] == VALUE[:, 0]).argmax(1)
    assert np.array_equal(given["value"], weights[rows])
    assert given.keys() == {"yes", "value"}
    assert set(given["yes"].tolist()) == {1.0}


def test_names_and_weights():
    data = ({"a": X, "b": KIND[:, None]}, {"yes": YES}, {"yes": np.full(ROWS, 2.0)})
    declared = ph.examine(data).declaration
    assert '"a": arrays[0]["a"],' in declared
    feed = run(ph.examine(data), arrays=data)
    assert (list(feed.inputs), list(feed.heads)) == (["a", "b"], ["yes"])
    assert set(feed.peek()[2]["yes"].tolist()) == {2.0}
    wide = (X, np.ones((ROWS, 3)), np.ones((ROWS, 3)))
    declared = ph.examine(wide).declaration
    assert declared.endswith("# weights: say class_weight=, given= or missing= on a head, which makes them")


def test_what_has_no_labels_has_no_declaration():
    assert ph.examine(X).declaration == ""
    assert ph.examine(X, keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])).declaration == ""


@pytest.mark.parametrize("form", [list, dict])
def test_one_hot_labels_of_a_generator(form):
    x = keras.Input((4,), name="x")
    outputs = [
        keras.layers.Dense(3, activation="softmax", name="kind")(x),
        keras.layers.Dense(1, name="value")(x),
    ]
    named = dict(zip(("kind", "value"), outputs, strict=True))
    model = keras.Model(x, outputs if form is list else named)
    losses = {"kind": "categorical_crossentropy", "value": "mse"}
    model.compile("sgd", list(losses.values()) if form is list else losses)
    labels = (
        (lambda i: (ONE_HOT[i], VALUE[i]))
        if form is list
        else (lambda i: {"kind": ONE_HOT[i], "value": VALUE[i]})
    )
    make = stream(lambda i: (X[i], labels(i), None))
    report = ph.examine(make, model, steps_per_epoch=6)
    assert report.ok
    assert '"kind": ph.Categorical(3, one_hot=True),  # made one-hot again from ids' in report.declaration
    feed = run(report, generator=make)
    assert feed.check(model).ok
    wanted = [labels(slice(0, 3)), feed.on({"x": X[:3], "kind": KIND[:3], "value": VALUE[:3]}).peek()[1]]
    kinds = [one["kind"] if isinstance(one, dict) else one[0] for one in wanted]
    assert np.array_equal(*kinds)


@pytest.mark.parametrize(
    "batch",
    [
        lambda i: (X[i], np.stack([YES[i, 0], VALUE[i, 0]])),
        lambda i: (X[i], YES[i], VALUE[i]),
        lambda i: (X[i], np.stack([YES[i], VALUE[i]], 1)),
    ],
    ids=["outputs along the rows", "labels in the place of weights", "one array for two outputs"],
)
def test_batches_that_a_feed_would_misread_have_no_declaration(batch):
    report = ph.examine(stream(batch), two_heads(), 12)
    assert "stacked-targets" in {p.code for p in report.problems}
    assert report.declaration == ""
