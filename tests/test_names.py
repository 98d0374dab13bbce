"""A misspelled name meets the one that was meant, wherever a name can be given."""

import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image as Picture

import polyhead as ph

X = np.zeros((8, 4), np.float32)
DATA = {"x": X, "presence": [0, 1] * 4, "kind": ["cat", "dog"] * 4, "weight": np.ones(8)}
ROWS = ph.read_table({**DATA, "boxes": [[[0, 0, 1, 1]]] * 8})
IMAGES = {
    "photo": np.zeros((4, 8, 8, 3), np.uint8),
    "box": [[[0, 0, 1, 1]]] * 4,
    "mask": np.zeros((4, 8, 8), int),
}


def feed(inputs="x", **heads):
    return ph.Feed(DATA, inputs=inputs, heads=heads, batch_size=4)


def placed(**heads):
    return ph.Feed(IMAGES, inputs={"photo": ph.Image()}, heads={"box": ph.Boxes(1), **heads})


def model(*names, kind=keras.Model):
    x = keras.Input((4,), name="x")
    return kind(x, {name: keras.layers.Dense(1, name=name, activation="sigmoid")(x) for name in names})


class Distiller(keras.Model):
    def compile(self, optimizer, teacher):
        raise AssertionError("its arguments were not looked at")


def compiled(optimizer="adam", **head):
    made = feed(presence=ph.Binary(**head))
    return ph.compile(model("presence"), made, optimizer=optimizer)


def fitted(**arguments):
    net = model("presence", "weight")
    net.compile(**{"loss": {"presence": "binary_crossentropy", "weight": "mse"}, **arguments})
    net.fit(feed(presence=ph.Binary(), weight=ph.Regression()), verbose=0)


DECLARED = {
    "column=": (
        lambda: feed(presence=ph.Binary(column="presense")),
        "head `presence`: expected a column `presense` among x, presence, kind, weight, got no such column. Did you "
        'mean `presence`? Say Binary(column="...") for a column of another name.',
    ),
    "sample_weight=": (
        lambda: feed(presence=ph.Binary(sample_weight="wieght")),
        "head `presence`: expected a column `wieght` among x, presence, kind, weight, got no such column. Did you "
        'mean `weight`? Say Binary(sample_weight="...") for a column of another name.',
    ),
    "column= of an input": (
        lambda: feed({"x": ph.Array(column=["X"])}, presence=ph.Binary()),
        "input `x`: expected a column `X` among x, presence, kind, weight, got no such column. Did you mean `x`? Say "
        'Array(column="...") for a column of another name.',
    ),
    "inputs=": (
        lambda: feed(["wheight"], presence=ph.Binary()),
        "input `wheight`: expected a column `wheight` among x, presence, kind, weight, got no such column. Did you "
        'mean `weight`? Say Array(column="...") for a column of another name.',
    ),
    "given=": (
        lambda: feed(presence=ph.Binary(), weight=ph.Regression(given="Presence")),
        "head `weight`, given='Presence': expected the name of a binary head (presence), got no head of that name. Did "
        "you mean `presence`?",
    ),
    "each=": (
        lambda: placed(kind=ph.Categorical(each="boxs")),
        "head `kind`, each='boxs': expected the name of a head of boxes (box), got no head of that name. Did you mean "
        "`box`?",
    ),
    "column= of a head for each box": (
        lambda: ph.Feed(
            {**IMAGES, "kind": [["cat"]] * 4},
            inputs={"photo": ph.Image()},
            heads={"box": ph.Boxes(1), "kinds": ph.Categorical(each="box")},
        ),
        "head `kinds`: expected a column `kinds` among photo, box, mask, kind, got no such column. Did you mean "
        '`kind`? Say Categorical(column="...") for a column of another name.',
    ),
    "column= of the boxes of another head": (
        lambda: ph.Feed(
            {**IMAGES, "kind": [["cat"]] * 4},
            inputs={"photo": ph.Image()},
            heads={"box": ph.Boxes(1, column="boxs"), "kind": ph.Categorical(each="box")},
        ),
        "head `box`: expected a column `boxs` among photo, box, mask, kind, got no such column. Did you mean `box`? "
        'Say Boxes(column="...") for a column of another name.',
    ),
    "of=": (
        lambda: placed(mask=ph.Mask(of="foto")),
        "head `mask`, of='foto': expected the name of an image input (photo), got no image of that name. Did you mean "
        "`photo`?",
    ),
    "class_weight=, a name": (
        lambda: ph.Categorical(["cat", "dog"], class_weight={"dogs": 2}),
        "Categorical(class_weight=): expected classes among ['cat', 'dog'], got 'dogs'. Did you mean `dog`?",
    ),
    "class_weight=, learned classes": (
        lambda: feed(kind=ph.Categorical(class_weight={"Cat": 2})),
        "head `kind`, Categorical(class_weight=): expected classes among ['cat', 'dog'], got 'Cat'. Did you mean "
        "`cat`?",
    ),
    "class_weight=, of JSON": (
        lambda: ph.Binary(class_weight={"1": 2}),
        "Binary(class_weight=): expected classes among [0, 1], got '1'. Did you mean 1, not '1'?",
    ),
    "class_weight=, of several": (
        lambda: ph.MultiLabel(["red", "round"], class_weight={"rund": 2}),
        "MultiLabel(class_weight=): expected classes among ['red', 'round'], got 'rund'. Did you mean `round`?",
    ),
    "class_weight=, of pixels": (
        lambda: ph.Mask(["sky", "road"], class_weight={"rode": 2}),
        "Mask(class_weight=): expected classes among ['sky', 'road'], got 'rode'. Did you mean `road`?",
    ),
    "class_weight=, the word": (
        lambda: ph.Binary(class_weight="balance"),
        "Binary(class_weight=): expected \"balanced\" or a dict, got 'balance'. Did you mean `balanced`?",
    ),
    "outside=": (
        lambda: ph.Mask(["sky", "road"], outside="skyy"),
        "Mask(outside=): expected \"missing\" for no label, or a class among ['sky', 'road'], got 'skyy'. Did you "
        "mean `sky`?",
    ),
    "positive=": (
        lambda: feed(kind=ph.Binary(positive="Dog")),
        "head `kind`: expected 'Dog' in some row, as positive= says, got only other values, such as 'cat'. Did you "
        "mean `dog`? Write it as the column does.",
    ),
    "a label": (
        lambda: ph.Feed({"x": X[:1], "y": ["dgo"]}, inputs="x", heads={"y": ph.Categorical(["cat", "dog"])}),
        "head `y`, row 0: expected one of ['cat', 'dog'], got 'dgo'. Did you mean `dog`? Name it among the classes, or "
        "say Categorical(missing='dgo') if it means \"no label\".",
    ),
    "one of several labels": (
        lambda: ph.Feed(
            {"x": X[:1], "y": [["rond"]]}, inputs="x", heads={"y": ph.MultiLabel(["red", "round"])}
        ),
        "head `y`, row 0: expected one of ['red', 'round'], got 'rond'. Did you mean `round`? Name it among the "
        "classes.",
    ),
    "feed.on()": (
        lambda: feed(presence=ph.Binary()).on(DATA, bach_size=2),
        "feed.on(bach_size=): expected an argument of ph.Feed (inputs, heads, batch_size, shuffle, seed, augment, "
        "workers, drop_remainder, shard, warn_if_slow, cache), got none of that name. Did you mean `batch_size`?",
    ),
    "shuffle=": (
        lambda: ph.Feed(DATA, inputs="x", heads={"presence": ph.Binary()}, shuffle="block"),
        "Feed(shuffle=): expected True, False or \"blocks\", got 'block'. Did you mean `blocks`?",
    ),
    "check(rows=)": (
        lambda: feed(presence=ph.Binary()).check(None, rows="alle"),
        "check(rows=): expected \"all\" or an integer of at least 1, got 'alle'. Did you mean `all`?",
    ),
}
SOURCES = {
    "select()": (
        lambda: ROWS.select(lambda columns: columns["kinds"] == "cat"),
        "column `kinds`: expected a column of the data (x, presence, kind, weight, boxes), got no such column. Did you "
        "mean `kind`?",
    ),
    "only()": (
        lambda: ROWS.only(["kind", "wight"]),
        "column `wight`: expected a column of the data (x, presence, kind, weight, boxes), got no such column. Did you "
        "mean `weight`?",
    ),
    "split(stratify=)": (
        lambda: ROWS.split((0.5, 0.5), stratify="kin"),
        "column `kin`: expected a column of the data (x, presence, kind, weight, boxes), got no such column. Did you "
        "mean `kind`?",
    ),
    "split(group=)": (
        lambda: ROWS.split((0.5, 0.5), group="Kind"),
        "column `Kind`: expected a column of the data (x, presence, kind, weight, boxes), got no such column. Did you "
        "mean `kind`?",
    ),
    "concat(join=)": (
        lambda: ROWS.concat(ROWS, join="outr"),
        'concat(join=): expected one of "exact", "outer", "inner", got \'outr\'. Did you mean `outer`?',
    ),
    "concat()": (
        lambda: ph.read_table({"kind": [1]}).concat(ph.read_table({"kinds": [1]})),
        "source 1: expected the columns of source 0 (kind), got no `kind` and `kinds` in addition. Did you mean "
        '`kinds`? Use concat(other, join="outer") to have missing labels where a source lacks a column, or '
        'join="inner" to keep only the columns that all sources have.',
    ),
    "read_table(columns=)": (
        lambda: ph.read_table({"kind": [1], "age": [2]}, columns=["aeg"]),
        "column `aeg`: expected a column of the data (kind, age), got no such column. Did you mean `age`?",
    ),
    "largest(boxes)": (
        lambda: ph.largest(ROWS, "box"),
        "column `box`: expected a column of the data (x, presence, kind, weight, boxes), got no such column. Did you "
        "mean `boxes`?",
    ),
    "largest(along=)": (
        lambda: ph.largest(ROWS, along=["kinde"]),
        "column `kinde`: expected a column of the data (x, presence, kind, weight, boxes), got no such column. Did you "
        "mean `kind`?",
    ),
}
COMPILED = {
    "loss=": (
        lambda: compiled(loss="binary_crossentropie"),
        "head `presence`: expected the name of a loss of Keras, got 'binary_crossentropie'. Did you mean "
        "`binary_crossentropy`?",
    ),
    "loss=, a part of a name": (
        lambda: compiled(loss="focal"),
        "head `presence`: expected the name of a loss of Keras, got 'focal'. Did you mean `binary_focal_crossentropy` "
        "or `categorical_focal_crossentropy`?",
    ),
    "loss=, near to a name that is no loss": (
        lambda: compiled(loss="dice_loss"),
        "head `presence`: expected the name of a loss of Keras, got 'dice_loss'. Did you mean `Dice`?",
    ),
    "loss=, several": (
        lambda: compiled(loss=["mse", "mae"]),
        "head `presence`: expected one loss, got ['mse', 'mae']. To add several, write a function of (y_true, y_pred) "
        "that returns their sum for each row.",
    ),
    "metrics=, a part of a name": (
        lambda: compiled(metrics=["r2"]),
        "head `presence`: expected the name of a metric of Keras, got 'r2'. Did you mean `r2_score`?",
    ),
    "metrics=": (
        lambda: compiled(metrics=["acuracy"]),
        "head `presence`: expected the name of a metric of Keras, got 'acuracy'. Did you mean `accuracy`?",
    ),
    "metrics=, a common name that Keras lacks": (
        lambda: compiled(metrics=["rmse"]),
        "head `presence`: expected the name of a metric of Keras, got 'rmse'. Say "
        'keras.metrics.RootMeanSquaredError(name="rmse").',
    ),
    "metrics=, which needs an argument": (
        lambda: compiled(metrics=["PrecisionAtRecall"]),
        "head `presence`: expected a metric that needs no arguments, or an object, got 'PrecisionAtRecall'. Say "
        "keras.metrics.PrecisionAtRecall(recall=...).",
    ),
    "a metric as loss=": (
        lambda: compiled(loss="accuracy"),
        "head `presence`: expected the name of a loss of Keras, got 'accuracy'.",
    ),
    "optimizer=": (
        lambda: compiled(optimizer="adm"),
        "compile(optimizer=): expected the name of an optimizer of Keras, got 'adm'. Did you mean `adam`?",
    ),
    "optimizer=, a class": (
        lambda: compiled(optimizer=keras.optimizers.Adam),
        "compile(optimizer=): expected an optimizer, or its name, got <class 'keras.src.optimizers.adam.Adam'>. Write "
        "Adam() with parentheses.",
    ),
    "optimizer=, a learning rate": (
        lambda: compiled(optimizer=0.1),
        "compile(optimizer=): expected an optimizer, or its name, got 0.1. Make one of Keras, as "
        "keras.optimizers.Adam(learning_rate=0.001).",
    ),
    "an argument of compile": (
        lambda: ph.compile(model("presence"), feed(presence=ph.Binary()), optimizer="adam", jit_compil=True),
        "compile(jit_compil=): expected an argument of model.compile, got none of that name. Did you mean "
        "`jit_compile`?",
    ),
    "a compile method without the arguments of heads": (
        lambda: ph.compile(
            model("presence", kind=Distiller), feed(presence=ph.Binary()), optimizer="adam", teacher=None
        ),
        "compile(model): expected a compile method that takes loss, loss_weights, weighted_metrics, got "
        "Distiller.compile(optimizer, teacher). Give it **kwargs, and pass them to super().compile. If the model makes "
        "its own loss, call model.compile, not ph.compile.",
    ),
    "outputs(features)": (
        lambda: ph.outputs({"presense": keras.Input((4,))}, feed(presence=ph.Binary())),
        "outputs(), head `presence`: expected features for it among ['presense'], got none. Did you mean `presense`?",
    ),
    "a head of the model": (
        lambda: feed(presence=ph.Binary(), weight=ph.Regression()).bind(model("presense", "weight")),
        "2 problems:\n  1. head `presence`: expected a model with an output `presence` (1,), got outputs `presense` "
        '(1,), `weight` (1,). Did you mean `presense`? Name the layer: name="presence", or give the head the name that '
        "the model has.\n  2. model, output `presense` (1,): expected a head for it, got heads `presence`, `weight`. "
        "Declare a head for it, or leave the output out of the model.",
    ),
    "model.compile(loss=)": (
        lambda: fitted(loss={"presense": "binary_crossentropy", "weight": "mse"}),
        "2 problems:\n  1. model.compile(loss=), `presense`: expected the name of an output (presence, weight), got no "
        "such output. Did you mean `presence`?\n  2. head `presence`: expected a loss for it in model.compile, got "
        "loss={'presense': 'binary_crossentropy', 'weight': 'mse'}. Without one it learns nothing: give it one, or "
        "leave the head out.",
    ),
    "model.compile(loss=), its name": (
        lambda: fitted(loss={"presence": "binary_crosentropy", "weight": "mse"}),
        "head `presence`: expected the name of a loss of Keras, got 'binary_crosentropy'. Did you mean "
        "`binary_crossentropy`?",
    ),
    "model.compile(loss_weights=)": (
        lambda: fitted(loss_weights={"presence": 1.0, "wait": 2.0}),
        "model.compile(loss_weights=): expected the keys of loss (presence, weight), got presence, wait. Did you mean "
        "`weight`? Keras would match them with the losses by sorted key. Use the same keys, or say Head(weight=...) "
        "and use ph.compile.",
    ),
    "model.compile(metrics=)": (
        lambda: fitted(metrics={"wieght": "mae"}),
        "model.compile(metrics=), `wieght`: expected the name of an output (presence, weight), got no such output. Did "
        "you mean `weight`?",
    ),
    "model.compile(weighted_metrics=)": (
        lambda: fitted(weighted_metrics={"wieght": ["mae"]}),
        "model.compile(weighted_metrics=), `wieght`: expected the name of an output (presence, weight), got no such "
        "output. Did you mean `weight`?",
    ),
}
PLACES = {**DECLARED, **SOURCES, **COMPILED}


@pytest.mark.parametrize("place", PLACES)
def test_a_misspelled_name_is_told_with_the_one_that_was_meant(place):
    call, words = PLACES[place]
    with pytest.raises(ph.PolyheadError) as error:
        call()
    assert str(error.value) == words


def test_a_name_unlike_all_others_gets_no_hint():
    with pytest.raises(ph.ContractError) as error:
        feed(presence=ph.Binary(), weight=ph.Regression(given="zebra"))
    assert str(error.value) == (
        "head `weight`, given='zebra': expected the name of a binary head (presence), got no head of that name."
    )


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("given", 'the name of a binary head, got 3. Write it as text, as given="presence".'),
        ("each", 'the name of a head of boxes, got 3. Write it as text, as each="box".'),
        ("of", 'the name of an image input, got 3. Write it as text, as of="image".'),
        (
            "sample_weight",
            "the name of a column, got 3. Put the weights into a column of the data and name it here.",
        ),
        ("column", "the name of a column, or a list of names, got 3. Say '3'."),
    ],
)
def test_what_is_no_name_is_refused(word, expected):
    with pytest.raises(ph.ContractError) as error:
        ph.Mask(**{word: 3})
    assert str(error.value) == f"Mask({word}=): expected {expected}"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: compiled(loss=3),
            "head `presence`: expected a loss of Keras, its name, or a function, got 3.",
        ),
        (
            lambda: compiled(metrics={"presence": "auc"}),
            "head `presence`: expected a metric of Keras, its name, or a function, got {'presence': 'auc'}.",
        ),
        (
            lambda: ph.compile("model", feed(presence=ph.Binary()), optimizer="adam"),
            "compile(model): expected a Keras model, got 'model'. Load it: keras.saving.load_model('model').",
        ),
        (
            lambda: ph.compile(model("presence"), DATA["x"].tolist, optimizer="adam"),
            "compile(feed): expected a ph.Feed, got <built-in method tolist of numpy.ndarray object at",
        ),
        (
            lambda: ph.compile(model("presence"), {"x": 1}, optimizer="adam"),
            "compile(feed): expected a ph.Feed, got {'x': 1}. Make one: feed = ph.Feed(data, inputs=..., heads=...).",
        ),
        (
            lambda: ph.compile(model("presence"), feed(), optimizer="adam"),
            "compile(feed): expected a feed with heads, got heads={}. Say model.compile(optimizer=...), for a model "
            "that makes its loss itself.",
        ),
        (
            lambda: ph.evaluate(model("presence"), feed()),
            "evaluate(data): expected a declaration with heads, got heads={}. Say model.evaluate(feed): without heads, "
            "only the model knows its loss.",
        ),
        (
            lambda: feed(presence=ph.Binary()).bind(None),
            "feed.bind(model): expected a Keras model, got None.",
        ),
        (
            lambda: ph.compile(feed(presence=ph.Binary()), model("presence"), optimizer="adam"),
            "compile(model): expected a Keras model, got Feed(",
        ),
        (
            lambda: ph.predict(feed(presence=ph.Binary()), model("presence")),
            "predict(model): expected a Keras model, got Feed(",
        ),
        (
            lambda: ph.outputs(3, feed(presence=ph.Binary())),
            "outputs(features), head `presence`: expected a tensor of features, or {head: tensor}, got 3.",
        ),
        (
            lambda: ph.outputs(keras.Input((4,)), ["presence"]),
            "outputs(heads): expected heads by name, got ['presence']. Give the feed, or feed.heads.",
        ),
    ],
)
def test_what_is_no_model_or_loss_is_refused(call, words):
    with pytest.raises(ph.ContractError) as error:
        call()
    assert str(error.value).startswith(words)
    assert ("got Feed(" in words) == str(error.value).endswith(". The model comes first, then the feed.")


@pytest.mark.once
def test_looking_at_a_name_makes_nothing_of_it():
    # Keras numbers what it makes of one class: the optimizer would be called adam_1, and its variables with it
    keras.backend.clear_session()
    assert compiled(optimizer="adam").optimizer.name == "adam"


# Words that an argument takes: each is found by its default ------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image as YOLO, COCO and VOC have it."""
    for name in ("images/train", "labels/train", "JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("images/train/a.png", "JPEGImages/a.png"):
        Picture.new("RGB", (40, 40)).save(tmp_path / name)
    (tmp_path / "labels/train/a.txt").write_text("1 0.5 0.5 0.5 0.5")
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\n")
    (tmp_path / "Annotations/a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>40</width><height>40</height></size><object>"
        "<name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
        "</annotation>"
    )
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 40}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [entry],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    (tmp_path / "ages.csv").write_text("file,age\na.png,1\n")
    return tmp_path


CALLS = {
    "Feed": lambda folder, **given: ph.Feed(DATA, inputs="x", heads={"presence": ph.Binary()}, **given),
    "pack": lambda folder, **given: ph.pack(DATA, folder / "new.store", **given),
    "compile": lambda folder, **given: ph.compile(
        model("presence"), feed(presence=ph.Binary()), optimizer="adam", **given
    ),
    "read_yolo": lambda folder, **given: ph.read_yolo(folder / "data.yaml", **given),
    "read_coco": lambda folder, **given: ph.read_coco(folder / "coco.json", folder / "JPEGImages", **given),
    "read_voc": lambda folder, **given: ph.read_voc(folder, **given),
    "read_folder": lambda folder, **given: ph.read_folder(folder / "JPEGImages", **given),
    "largest": lambda folder, **given: ph.largest(ROWS, **given),
    "predict": lambda folder, **given: ph.predict(
        model("presence"), feed(presence=ph.Binary()), declaration=feed(presence=ph.Binary()), **given
    ),
}
OTHER_WORDS = {
    ("read_yolo", "categories"): "cat",
    ("read_yolo", "unannotated"): "missing",
    ("read_yolo", "invalid"): "drop",
    ("read_yolo", "exif"): "ignored",
    ("read_coco", "kind"): "instances",
    ("read_coco", "crowds"): "keep",
    ("read_coco", "categories"): "cat",
    ("read_coco", "unannotated"): "empty",
    ("read_coco", "invalid"): "raise",
    ("read_coco", "exif"): "applied",
    ("read_voc", "split"): "train",
    ("read_voc", "images"): "JPEGImages",
    ("read_voc", "annotations"): "Annotations",
    ("read_voc", "categories"): "cat",
    ("read_voc", "unannotated"): "missing",
    ("read_voc", "invalid"): "drop",
    ("read_voc", "exif"): "ignored",
    ("Image", "exif"): "ignored",
    ("Array", "dtype"): "float32",
    ("Binary", "class_weight"): "balanced",
    ("Mask", "outside"): "missing",
}


def defaults():
    """Each argument of what is public that is a word by default, and others that may be one."""
    for name in (*ph.__all__, "compile"):
        found = getattr(ph, name)
        if not callable(found) or (isinstance(found, type) and issubclass(found, (BaseException, Warning))):
            continue
        for argument in inspect.signature(found).parameters.values():
            if isinstance(argument.default, str) and argument.default:
                yield name, argument.name, argument.default
    yield from ((*key, word) for key, word in OTHER_WORDS.items())


NO_WORDS = {("Problem", "fix"), ("Problem", "code"), ("Evaluate", "prefix")}


@pytest.mark.parametrize(
    ("name", "argument", "word"), [one for one in defaults() if one[:2] not in NO_WORDS], ids=str
)
def test_a_misspelled_word_is_told_with_the_right_one(name, argument, word, folder):
    call = CALLS.get(name, lambda folder, **given: getattr(ph, name)(**given))
    wrong = word[:-2] + word[-1]
    call(folder, **({} if name in ("pack", "compile") else {argument: word}))  # the right word is taken
    with pytest.raises(ph.PolyheadError) as error:
        call(folder, **{argument: wrong})
    assert f"Did you mean `{word}`?" in str(error.value)
