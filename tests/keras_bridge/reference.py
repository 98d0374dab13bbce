"""Heads of every kind with their losses and metrics in float64 NumPy, to hold polyhead's numbers against."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

import polyhead as ph

ROWS = 36
SIDE = 3


def clip(p):
    return np.clip(p, 1e-7, 1 - 1e-7)


def crossentropy(t, p):
    return -(t * np.log(clip(p)) + (1 - t) * np.log(1 - clip(p)))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def log_of_class(t, p):
    return -np.log(clip(np.take_along_axis(p, t.astype(int)[..., None], -1)[..., 0]))


def huber(t, p):
    apart = np.abs(t - p)
    return np.where(apart <= 1, apart**2 / 2, apart - 0.5).mean(-1)


def cosine(t, p):
    return (t * p).sum(-1) / np.maximum(np.linalg.norm(t, axis=-1) * np.linalg.norm(p, axis=-1), 1e-12)


def overlap(t, p):
    size = np.maximum(np.minimum(t[..., 2:], p[..., 2:]) - np.maximum(t[..., :2], p[..., :2]), 0).prod(-1)
    area = [np.maximum(b[..., 2:] - b[..., :2], 0).prod(-1) for b in (t, p)]
    return np.divide(size, area[0] + area[1] - size, out=np.zeros_like(size), where=area[0] + area[1] > size)


@dataclass(frozen=True)
class Reference:
    """One head, and what its numbers should be.

    Attributes:
        head: makes it, from what else is said of it.
        labels: makes all of them ``(N, ...)``, from a generator.
        values: of labels and outputs ``(N, ...)``: the loss of each, as fine as weights are.
        metrics: the same for its metrics, by name.
        output: ``(*shape)`` of one row, and its activation.
        lost: makes the labels that are there, bool like the values or ``(N,)``, from a generator.
        missing: makes the column, of labels and of what is there.
        weights: class weights, and what makes of labels the factor of each.
        classes: of labels and outputs, bool ``(N, ..., classes)`` each: whose intersection over union is a metric.
    """

    head: Any
    labels: Any
    values: Any
    output: tuple[tuple[int, ...], str | None]
    metrics: dict[str, Any] = field(default_factory=dict)
    lost: Any = None
    missing: Any = None
    weights: tuple[Any, Any] | None = None
    classes: Any = None


def rows_lost(rng):
    return rng.random(ROWS) > 0.4


def as_nan(labels, there):
    column = labels.astype(float)
    column[~there] = np.nan
    return column


def as_none(labels, there):
    return [label if here else None for label, here in zip(labels, there, strict=True)]


def elements_lost(*shape):
    def lost(rng):
        there = rng.random((ROWS, *shape)) > 0.3
        there[5] = False
        return there

    return lost


def by_table(table):
    return lambda t: np.asarray(table, float)[t.astype(int)]


def ones_weigh(*weights):
    return lambda t: np.where(t == 1, np.asarray(weights, float), 1.0)


def boxes(rng):
    return np.sort(rng.uniform(0, 3, (ROWS, 2, 4)).reshape(ROWS, 2, 2, 2), axis=2).reshape(ROWS, 2, 4)


def boxes_of(labels, there):
    return [box[here] for box, here in zip(labels, there, strict=True)]


def places_lost(rng):
    # boxes come first in their row
    return np.arange(2) < rng.integers(0, 3, ROWS)[:, None]


def ids(classes, *shape):
    return lambda rng: rng.integers(0, classes, (ROWS, *shape))


def void(labels, there):
    spread = there.reshape(*there.shape, *[1] * (labels.ndim - there.ndim))
    return np.where(spread, labels, 255).astype(np.uint8)


def regression(shape, **more):
    return lambda **said: ph.Regression(shape, **more, **said)


REFERENCES = {
    "binary": Reference(
        ph.Binary, ids(2), lambda t, p: crossentropy(t, p[:, 0]), ((1,), "sigmoid"),
        {"accuracy": lambda t, p: (p[:, 0] > 0.5) == t}, rows_lost, as_nan, ({0: 1.0, 1: 4.0}, by_table((1, 4))),
    ),
    "logit": Reference(
        ph.Binary, ids(2), lambda t, p: crossentropy(t, sigmoid(p[:, 0])), ((1,), None),
        {"accuracy": lambda t, p: (p[:, 0] > 0) == t}, rows_lost, as_nan, ({0: 0.5}, by_table((0.5, 1))),
    ),
    "kind": Reference(
        lambda **said: ph.Categorical(3, **said), ids(3), log_of_class, ((3,), "softmax"),
        {"accuracy": lambda t, p: p.argmax(-1) == t}, rows_lost, as_nan, ({0: 1.0, 2: 3.0}, by_table((1, 1, 3))),
    ),
    "hot": Reference(
        lambda **said: ph.Categorical(3, one_hot=True, **said), ids(3), log_of_class, ((3,), "softmax"),
        {"accuracy": lambda t, p: p.argmax(-1) == t}, rows_lost, as_nan, ({0: 2.0}, by_table((2, 1, 1))),
    ),
    "tags": Reference(
        lambda **said: ph.MultiLabel(3, **said), ids(2, 3), lambda t, p: crossentropy(t, p).mean(-1),
        ((3,), "sigmoid"), {"accuracy": lambda t, p: ((p > 0.5) == t).mean(-1)}, rows_lost, as_nan,
    ),
    "each_tag": Reference(
        lambda **said: ph.MultiLabel(3, elementwise=True, **said), ids(2, 3), crossentropy, ((3,), "sigmoid"),
        {"accuracy": lambda t, p: (p > 0.5) == t}, elements_lost(3), as_nan,
        ({0: 2.0, 1: 5.0}, ones_weigh(2, 5, 1)),
    ),
    "number": Reference(
        ph.Regression, lambda rng: rng.normal(size=ROWS), lambda t, p: (t - p[:, 0]) ** 2, ((1,), None),
        {"mae": lambda t, p: np.abs(t - p[:, 0])}, rows_lost, as_nan,
    ),
    "vector": Reference(
        regression(3), lambda rng: rng.normal(size=(ROWS, 3)), lambda t, p: ((t - p) ** 2).mean(-1), ((3,), None),
        {"mae": lambda t, p: np.abs(t - p).mean(-1)}, rows_lost, as_nan,
    ),
    "each_number": Reference(
        regression(3, elementwise=True), lambda rng: rng.normal(size=(ROWS, 3)), lambda t, p: (t - p) ** 2,
        ((3,), None), {"mae": lambda t, p: np.abs(t - p)}, elements_lost(3), as_nan,
    ),
    "matrix": Reference(
        regression((2, 3)), lambda rng: rng.normal(size=(ROWS, 2, 3)), lambda t, p: ((t - p) ** 2).mean(-1),
        ((2, 3), None), {"mae": lambda t, p: np.abs(t - p).mean(-1)}, rows_lost, as_nan,
    ),
    "direction": Reference(
        lambda **said: ph.Embedding(3, **said), lambda rng: rng.normal(size=(ROWS, 3)), lambda t, p: -cosine(t, p),
        ((3,), None), {"cosine": cosine}, rows_lost, as_nan,
    ),
    "mask": Reference(
        ph.Mask, ids(2, SIDE, SIDE), lambda t, p: crossentropy(t, p[..., 0]), ((SIDE, SIDE, 1), "sigmoid"),
        {}, rows_lost, as_nan, ({1: 3.0}, by_table((1, 3))), lambda t, p: (t[..., None] == 1, p > 0.5),
    ),
    "void": Reference(
        lambda **said: ph.Mask(3, missing=255, **said), ids(3, SIDE, SIDE), log_of_class,
        ((SIDE, SIDE, 3), "softmax"), {}, elements_lost(SIDE, SIDE), void, ({1: 3.0}, by_table((1, 3, 1))),
        lambda t, p: (t[..., None] == np.arange(3), p.argmax(-1)[..., None] == np.arange(3)),
    ),
    "layers": Reference(
        lambda **said: ph.Mask(2, multi=True, **said), ids(2, SIDE, SIDE, 2),
        lambda t, p: crossentropy(t, p), ((SIDE, SIDE, 2), "sigmoid"), {}, rows_lost, as_nan,
        ({0: 3.0}, ones_weigh(3, 1)), lambda t, p: (t == 1, p > 0.5),
    ),
    "boxes": Reference(
        lambda **said: ph.Boxes(2, **said), boxes, huber, ((2, 4), None), {"iou": overlap}, places_lost, boxes_of,
    ),
    "points": Reference(
        lambda **said: ph.Keypoints(2, **said), lambda rng: rng.uniform(0, 3, (ROWS, 2, 2)), huber, ((2, 2), None),
        {"mae": lambda t, p: np.abs(t - p).mean(-1)}, elements_lost(2), as_nan,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What is said of every head at once.

    Attributes:
        missing: some labels are.
        class_weight: heads that can have some have them.
        sample_weight: a column of weights, among them 0.
        given: heads wait for another one, which is seldom 1.
    """

    missing: bool = False
    class_weight: bool = False
    sample_weight: bool = False
    given: bool = False


SETTINGS = {
    "plain": Setting(),
    "missing": Setting(missing=True),
    "class_weight": Setting(class_weight=True),
    "sample_weight": Setting(sample_weight=True),
    "given": Setting(given=True),
    "all": Setting(True, True, True, True),
}


class Problem:
    """A feed of every kind of head, and for each its labels and weights as they should count."""

    def __init__(self, setting, batch_size=ROWS, **arguments):
        rng = np.random.default_rng(7)
        self.x = rng.normal(size=(ROWS, 4)).astype("float32")
        gate, factor = (rng.random(ROWS) < 0.3) * 1, rng.choice([0.0, 0.5, 1.0, 4.0], ROWS)
        data, heads = {"x": self.x, "gate": gate, "factor": factor}, {}
        self.labels, self.weights = {}, {}
        for name, one in REFERENCES.items():
            labels = self.labels[name] = one.labels(rng)
            there = one.lost(rng) if setting.missing else np.ones(one.lost(rng).shape, bool)
            data[name] = one.missing(labels, there) if setting.missing else labels
            said = {"column": name}
            weight = there.astype(float)
            if setting.class_weight and one.weights is not None:
                said["class_weight"], made = one.weights
                made = made(labels)
                weight = weight.reshape(*weight.shape, *[1] * (made.ndim - weight.ndim)) * made
            rows = np.ones(ROWS)
            if setting.sample_weight:
                said["sample_weight"], rows = "factor", rows * factor
            if setting.given:
                said["given"], rows = "gate", rows * gate
            self.weights[name] = weight * rows.reshape(-1, *[1] * (weight.ndim - 1))
            heads[name] = one.head(**said)
        heads["gate"] = ph.Binary(metrics=[])
        self.feed = ph.Feed(data, inputs="x", heads=heads, batch_size=batch_size, **arguments)

    def loss(self, name, pred, rows=slice(None)):
        """Values and weights of a head, alike in shape."""
        values = REFERENCES[name].values(self.labels[name][rows], pred[rows])
        return self._alike(values, name, rows)

    def metric(self, name, metric, pred):
        values = REFERENCES[name].metrics[metric](self.labels[name], pred).astype(float)
        return self._alike(values, name, slice(None))

    def iou(self, name, pred):
        """The mean over classes of intersection over union, each pixel counted by its weight."""
        true, found = REFERENCES[name].classes(self.labels[name], pred)
        both, weight = self._alike((true & found).astype(float), name, slice(None))
        either, axes = true | found, tuple(range(true.ndim - 1))
        either = (either * weight).sum(axes)
        return ((both * weight).sum(axes) / either).mean()

    def _alike(self, values, name, rows):
        weight = self.weights[name][rows]
        weight = weight.reshape(*weight.shape, *[1] * (values.ndim - weight.ndim))
        return values, np.broadcast_to(weight, values.shape)


def outputs(tensor, of=None):
    """Outputs for every head, each from a layer ``head_dense`` on top of a tensor ``(B, d)``."""
    made = {}
    for name, one in {**REFERENCES, "gate": REFERENCES["binary"]}.items():
        shape, activation = one.output
        flat = keras.layers.Dense(int(np.prod(shape)), name=f"{name}_dense", **(of or {}))(tensor)
        made[name] = keras.layers.Activation(activation or "linear", name=name)(
            keras.layers.Reshape(shape)(flat)
        )
    return made


def numpy(values):
    return {name: keras.ops.convert_to_numpy(value).astype("float64") for name, value in values.items()}
