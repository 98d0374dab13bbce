"""A new kind of head is one class in one file: everything else takes it as it takes the kinds that are there."""

import importlib
import sys

import numpy as np
import pytest

import polyhead as ph
import polyhead.kinds

ANGLE = '''
"""A head of directions."""

from dataclasses import dataclass

import keras
import numpy as np

from polyhead.kinds import Head
from polyhead.kinds.missing import collapse, numbers, require_finite


@dataclass(frozen=True, repr=False)
class Angle(Head):
    """A direction in degrees, as float32 ``(B, 2)``: its sine and its cosine, counted from ``north``."""

    north: float = 0.0

    shape = (2,)
    dtype = "float32"

    def resolve(self, column):
        self.encode(column.probe())
        return self

    def encode(self, values, check=True):
        degrees, there = numbers(values, self.missing, (1,), "an angle in degrees")
        if check:
            require_finite(degrees, "an angle in degrees", "Put NaN where there is none.")
        turn = np.deg2rad(degrees[:, 0] - self.north)
        return np.stack([np.sin(turn), np.cos(turn)], 1).astype(np.float32), collapse(there)

    def mixable(self, way):
        return self.weight_shape

    def describe(self, labels, valid):
        return f"{len(labels[valid])} directions"

    def default_loss(self, logits):
        return AngleLoss()

    def default_metrics(self, logits):
        return [DegreesApart(name="degrees")]

    def output(self, features, name):
        flat = features if len(features.shape) == 2 else keras.layers.Flatten()(features)
        return keras.layers.UnitNormalization(name=name)(keras.layers.Dense(2)(flat))


@keras.saving.register_keras_serializable(package="angle")
class AngleLoss(keras.losses.Loss):
    """1 less the cosine between label and prediction."""

    def call(self, y_true, y_pred):
        return 1 - keras.ops.sum(y_true * y_pred, -1)


@keras.saving.register_keras_serializable(package="angle")
class DegreesApart(keras.metrics.Mean):
    """The mean of the degrees between label and prediction."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        cosine = keras.ops.clip(keras.ops.sum(y_true * y_pred, -1), -1, 1)
        super().update_state(keras.ops.arccos(cosine) * 180 / np.pi, sample_weight)
'''

PLACE = '''
"""A head of one place in the image."""

from dataclasses import dataclass

import keras
import numpy as np

from polyhead.kinds import Head
from polyhead.kinds.missing import collapse, numbers, plain


@dataclass(frozen=True, repr=False)
class Place(Head):
    """Where something is in the image, as float32 ``(B, 1, 2)`` of (x, y) in pixels."""

    shape = (1, 2)
    dtype = "float32"
    layer = "points"
    weight_shape = (1,)
    column_in_pixels = labels_in_pixels = True

    def resolve(self, column):
        self.encode(column.probe())
        return self

    def to_pixels(self, value, size):
        return np.asarray(value, np.float64).reshape(1, 2)

    def from_pixels(self, found, kept, size):
        return found if kept is None else np.where(kept[:, None], found, np.nan)

    def encode(self, values, check=True):
        rows = [None if v is None else np.reshape(v, (1, 2)) for v in plain(values)]
        array, there = numbers(rows, self.missing, (1, 2), "a place (x, y)")
        there = collapse(there)
        return array.astype(np.float32), None if there is None else there[:, None]

    def default_loss(self, logits):
        return keras.losses.Huber()

    def default_metrics(self, logits):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def output(self, features, name):
        flat = keras.layers.Flatten()(features)
        return keras.layers.Reshape((1, 2), name=name)(keras.layers.Dense(2)(flat))
'''

ROWS = 24


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """The classes, from a package of two files."""
    folder = tmp_path_factory.mktemp("packages")
    package = folder / "own_heads"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "angle.py").write_text(ANGLE)
    (package / "spot.py").write_text(PLACE)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("own_heads.angle").Angle, importlib.import_module("own_heads.spot").Place
    sys.path.remove(str(folder))


def rows():
    """Bars that point somewhere, and where they point, in degrees; of some rows nobody knows it."""
    degrees = np.arange(ROWS) * 360.0 / ROWS
    x, y = np.meshgrid(np.arange(16) - 7.5, np.arange(16) - 7.5)
    along = x * np.cos(np.deg2rad(degrees))[:, None, None] + y * np.sin(np.deg2rad(degrees))[:, None, None]
    image = np.where(along > 3, 255, 0).astype(np.uint8)[..., None].repeat(3, -1)
    known = np.where(np.arange(ROWS) % 8 == 7, np.nan, degrees)
    boxes = [[[0, 0, 4 + i % 4, 4]] * (1 + i % 2) for i in range(ROWS)]
    return {
        "image": image,
        "turn": known,
        "seen": (np.arange(ROWS) % 3 > 0).astype(int),
        "box": boxes,
        "each": [[degrees[i]] * len(box) for i, box in enumerate(boxes)],
        "spot": [[2.0 + i % 3, 5.0] for i in range(ROWS)],
    }


def declared(kinds):
    angle, place = kinds
    return {
        "turn": angle(90.0),
        "seen": ph.Binary(),
        "box": ph.Boxes(2),
        "each": angle(each="box", given="seen"),
        "spot": place(),
    }


def feed(kinds, data, **more):
    return ph.Feed(
        data, inputs={"image": ph.Image(12, 12)}, heads=declared(kinds), batch_size=8, seed=1, **more
    )


def test_it_is_encoded_and_moves_as_it_says(kinds):
    labels = feed(kinds, rows()).peek()[1]
    weights = feed(kinds, rows()).peek()[2]
    turn = np.deg2rad(np.arange(8) * 360 / ROWS - 90)
    assert np.allclose(labels["turn"][:7], np.stack([np.sin(turn), np.cos(turn)], 1)[:7], atol=1e-6)
    assert weights["turn"].tolist() == [1] * 7 + [0]
    assert labels["each"].shape == (8, 2, 2)
    assert weights["each"][:4].tolist() == [[0, 0], [1, 1], [1, 0], [0, 0]]
    assert np.allclose(labels["spot"][:3, 0, 0], np.array([2.0, 3.0, 4.0]) * 12 / 16)
    flipped = feed(kinds, rows(), augment=[ph.Flip(p=1.0)]).peek()[1]
    assert np.allclose(flipped["spot"][..., 0], 12 - labels["spot"][..., 0])


def test_a_store_holds_it(kinds, tmp_path):
    whole = feed(kinds, rows())
    ph.pack(whole, tmp_path / "store", progress=False)
    stored = feed(kinds, ph.open_store(tmp_path / "store"))
    for mine, theirs in zip(whole.batches(), stored.batches(), strict=True):
        for name, labels in mine.labels.items():
            assert np.allclose(labels, theirs.labels[name], atol=1e-4), name


def test_it_is_shown(kinds, tmp_path):
    made = feed(kinds, rows())
    made.preview(tmp_path / "page.html")
    made.preview(tmp_path / "sheet.png")
    page = (tmp_path / "page.html").read_text()
    assert all(name in page for name in declared(kinds))
    assert "directions" in str(made.describe())


@pytest.mark.once
def test_it_trains_is_checked_saved_and_loaded(kinds, tmp_path):
    import keras

    keras.utils.set_random_seed(3)
    ph.pack(rows(), tmp_path / "store", progress=False)
    moved = [ph.Rotate(5), ph.Color(0.1)]
    made = feed(kinds, ph.open_store(tmp_path / "store"), shuffle=True, augment=moved)
    image = keras.Input((12, 12, 3), name="image")
    features = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(image))
    model = keras.Model(image, ph.outputs(features, made))
    ph.compile(model, made, optimizer=keras.optimizers.Adam(0.01))
    assert made.check(model).ok
    history = model.fit(made, epochs=8, verbose=0).history
    assert history["turn_loss"][-1] < 0.7 * history["turn_loss"][0]
    assert "turn_degrees" in history
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before, after = (one.evaluate(made.on(rows()), return_dict=True, verbose=0) for one in (model, loaded))
    assert before == pytest.approx(after, rel=1e-4)


def test_a_wrong_value_is_told_as_that_of_any_head(kinds):
    data = {**rows(), "turn": [*range(ROWS - 1), np.inf]}
    with pytest.raises(ph.DataError) as error:
        list(feed(kinds, data).batches())
    assert str(error.value).startswith("head `turn`, row 23: expected an angle in degrees, got inf")


def test_it_is_mixed_as_it_says(kinds):
    angle, place = kinds
    data, inputs, mosaic = rows(), {"image": ph.Image()}, [ph.Mosaic()]
    mixed = ph.Feed(data, inputs=inputs, heads={"turn": angle()}, augment=mosaic, batch_size=8).peek()
    assert mixed[1]["turn"].shape == (8, 2)
    with pytest.raises(ph.ContractError, match="a Place, which does not say how"):
        ph.Feed(data, inputs=inputs, heads={"spot": place()}, augment=mosaic)
