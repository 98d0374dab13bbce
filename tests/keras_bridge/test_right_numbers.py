"""Losses, their gradients and metrics of every kind of head are those of float64 NumPy over all rows."""

import keras
import numpy as np
import pytest
from keras import ops
from reference import REFERENCES, ROWS, SETTINGS, Problem, numpy, outputs

import polyhead as ph

pytestmark = pytest.mark.slow

BACKEND = keras.backend.backend()
# eager PyTorch tries everything; JAX and TensorFlow, which compile each shape, what differs most
SIZES = range(1, ROWS + 1) if BACKEND == "torch" else (5,)
FEW = (1, 5, ROWS)
SOME = SETTINGS if BACKEND == "torch" else ("all",)
WAYS = [*((name, "dict") for name in SOME), ("all", "list"), ("all", "nested")]

WRAPS = {
    "dict": dict,
    "list": lambda made: list(made.values()),
    "nested": lambda made: [made.pop("kind"), {"rest": made}],
}


def model_of(problem, wrap="dict"):
    x = keras.Input((4,), name="x")
    made = outputs(keras.layers.Dense(6, activation="tanh")(x))
    return keras.Model(x, WRAPS[wrap](dict(made))), keras.Model(x, made)


@pytest.mark.parametrize(
    ("setting", "wrap"),
    WAYS if BACKEND == "torch" else [("all", "list"), pytest.param("plain", "dict", marks=pytest.mark.full)],
)
def test_logged_losses_and_metrics(setting, wrap):
    keras.utils.set_random_seed(3)
    # a last batch of another size would be compiled once more
    problem = Problem(SETTINGS[setting], batch_size=12 if BACKEND == "jax" else 8)
    model, by_name = model_of(problem, wrap)
    pred = numpy(by_name.predict(problem.x, verbose=0))
    ph.compile(model, problem.feed, optimizer=keras.optimizers.SGD(0.0))
    logs = model.evaluate(problem.feed, verbose=0, return_dict=True)
    if setting == "all":
        trained = model.fit(problem.feed, epochs=2, verbose=0).history
        assert {name: values[-1] for name, values in trained.items()} == pytest.approx(logs, rel=1e-4)
    for name, one in REFERENCES.items():
        values, weight = problem.loss(name, pred[name])
        assert logs[f"{name}_loss"] == pytest.approx((values * weight).sum() / weight.sum(), rel=2e-4), name
        for metric in one.metrics:
            values, weight = problem.metric(name, metric, pred[name])
            wanted = (values * weight).sum() / weight.sum()
            assert logs[f"{name}_{metric}"] == pytest.approx(wanted, rel=2e-4, abs=1e-5), (name, metric)
        if one.classes is not None:
            assert logs[f"{name}_iou"] == pytest.approx(problem.iou(name, pred[name]), rel=2e-4), name


@pytest.mark.once  # the test of gradients compares a batch with all rows, on every backend
@pytest.mark.parametrize(
    ("setting", "sizes"),
    [
        *((name, SIZES if name == "all" else FEW) for name in SOME),
        *(pytest.param(name, SIZES, marks=pytest.mark.full) for name in SOME if name != "all"),
    ],
)
def test_the_steps_of_an_epoch_have_the_logged_loss_as_their_mean(setting, sizes):
    problem = Problem(SETTINGS[setting])
    model, by_name = model_of(problem)
    pred = {
        name: values.astype("float32")
        for name, values in numpy(by_name.predict(problem.x, verbose=0)).items()
    }
    ph.compile(model, problem.feed, optimizer="sgd")
    losses = model._compile_loss
    _, labels, *weights = problem.feed.peek()
    weights = weights[0] if weights else dict.fromkeys(labels)
    order = np.random.default_rng(0).permutation(ROWS)
    for size in sizes:
        total = dict.fromkeys(REFERENCES, 0.0)
        for start in range(0, ROWS, size):
            rows = order[start : start + size]
            for name in REFERENCES:
                weight = None if weights[name] is None else weights[name][rows]
                mean = losses.heads[name].mean_weight
                step, *_ = losses.losses[name].measure(labels[name][rows], pred[name][rows], weight, mean)
                total[name] += float(ops.convert_to_numpy(step)) * len(rows) / ROWS
        for name, found in total.items():
            values, weight = problem.loss(name, pred[name].astype(float))
            assert found == pytest.approx((values * weight).sum() / weight.sum(), rel=5e-4), (name, size)


ACTIVATIONS = {
    None: lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
}


@pytest.mark.parametrize("setting", ["plain", "missing", "all"] if BACKEND == "torch" else ["all"])
def test_the_gradient_of_a_step(setting):
    # each output is an activation of its layer's bias, for every row the same
    problem = Problem(SETTINGS[setting])
    x = keras.Input((4,), name="x")
    bias = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    made = outputs(x, {"kernel_initializer": "zeros", "bias_initializer": bias})
    model = keras.Model(x, made)
    ph.compile(model, problem.feed, optimizer=keras.optimizers.SGD(1.0), run_eagerly=BACKEND != "jax")

    def biases():
        return numpy({name: model.get_layer(f"{name}_dense").bias.value for name in REFERENCES})

    start = biases()
    rows = np.arange(3, 16)
    # as small a batch as this has heads without a single label in it
    _, *parts = problem.feed.peek()
    model.train_on_batch(problem.x[rows], *({name: part[name][rows] for name in part} for part in parts))
    after = biases()
    for name, one in REFERENCES.items():
        shape, activation = one.output
        mean = problem.loss(name, pred_of(start[name], shape, activation))[1].mean()

        def step(b, name=name, shape=shape, activation=activation, mean=mean):
            values, weight = problem.loss(name, pred_of(b, shape, activation), rows)
            return (values * weight).sum() / (values.size * mean)

        near = np.eye(start[name].size) * 1e-5
        wanted = [(step(start[name] + one) - step(start[name] - one)) / 2e-5 for one in near]
        assert start[name] - after[name] == pytest.approx(np.array(wanted), rel=2e-3, abs=2e-5), name


def pred_of(bias, shape, activation):
    return np.broadcast_to(ACTIVATIONS[activation](bias.reshape(shape)), (ROWS, *shape))
