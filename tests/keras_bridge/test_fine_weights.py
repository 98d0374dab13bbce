"""Weights finer than a row: the logged loss is sum(weight * value) / sum(weight) over all labels, in float64 NumPy."""

import keras
import numpy as np
import pytest

import polyhead as ph

ROWS, SIDE, ROOM = 20, 4, 2
RNG = np.random.default_rng(8)
X = RNG.normal(size=(ROWS, SIDE, SIDE, 2)).astype("float32")
PRESENT = np.arange(ROWS) % 3 != 0
BOXES = np.sort(RNG.uniform(0, 4, (ROWS, ROOM, 2, 2)), axis=2).reshape(ROWS, ROOM, 4)


def crossentropy(true, guess):
    return -(true * np.log(guess) + (1 - true) * np.log(1 - guess))


def squares(true, guess):
    return (true - guess) ** 2


def huber(true, guess):
    error = np.abs(true - guess)
    return np.where(error <= 1, error**2 / 2, error - 0.5).mean(-1)


def chosen(true, guess):
    return -np.log(np.take_along_axis(guess, true[..., None].astype(int), -1)[..., 0])


def mean(formula):
    return lambda true, guess: formula(true, guess).mean(-1)


def whole(high, *shape):
    return RNG.integers(0, high, (ROWS, *shape))


# head, labels, shape of a row's weights, the loss of each weight
CASES = {
    "numbers": (ph.Regression(3), RNG.normal(size=(ROWS, 3)), (3,), squares),
    "fields": (ph.Regression((SIDE, 2)), RNG.normal(size=(ROWS, SIDE, 2)), (SIDE, 2), squares),
    "places_of_fields": (ph.Regression((SIDE, 2)), RNG.normal(size=(ROWS, SIDE, 2)), (SIDE,), mean(squares)),
    "labels": (ph.MultiLabel(3), whole(2, 3), (3,), crossentropy),
    "class_weights": (ph.MultiLabel(3, class_weight={0: 2.0, 2: 0.5}), whole(2, 3), (3,), crossentropy),
    "pixels": (ph.Mask(), whole(2, SIDE, SIDE), (SIDE, SIDE), crossentropy),
    "ids": (ph.Mask(3), whole(3, SIDE, SIDE), (SIDE, SIDE), chosen),
    "weighted_ids": (
        ph.Mask(3, class_weight={0: 3.0, 1: 1.0, 2: 0.5}),
        whole(3, SIDE, SIDE),
        (SIDE, SIDE),
        chosen,
    ),
    "pixels_of_several": (ph.Mask(2, multi=True), whole(2, SIDE, SIDE, 2), (SIDE, SIDE), mean(crossentropy)),
    "channels": (ph.Mask(2, multi=True), whole(2, SIDE, SIDE, 2), (SIDE, SIDE, 2), crossentropy),
    "boxes": (ph.Boxes(ROOM), BOXES, (ROOM,), huber),
    "points": (ph.Keypoints(3), RNG.uniform(0, 4, (ROWS, 3, 2)), (3,), huber),
    "class_of_each_box": (ph.Categorical(3, each="box"), whole(3, ROOM), (ROOM,), chosen),
    "numbers_of_each_box": (
        ph.Regression(2, each="box"),
        RNG.normal(size=(ROWS, ROOM, 2)),
        (ROOM, 2),
        squares,
    ),
    "rows_of_each_box": (
        ph.Regression(2, each="box"),
        RNG.normal(size=(ROWS, ROOM, 2)),
        (ROOM,),
        mean(squares),
    ),
    "labels_of_each_box": (ph.MultiLabel(3, each="box"), whole(2, ROOM, 3), (ROOM, 3), crossentropy),
    "mask_of_each_box": (ph.Mask(each="box"), whole(2, ROOM, SIDE, SIDE), (ROOM, SIDE, SIDE), crossentropy),
}
FACTORS = {
    "class_weights": lambda true: np.where(true == 1, [2.0, 1.0, 0.5], 1.0),
    "weighted_ids": lambda true: np.array([3.0, 1.0, 0.5])[true],
}


def column(name):
    return f"weights of {name}"


def drawn(name):
    weights = RNG.uniform(0, 2, (ROWS, *CASES[name][2]))
    return np.where(RNG.uniform(size=weights.shape) < 0.2, 0.0, weights)


def measured(names, weights, labels, **changes):
    """One model with a head for each case: what it logs, in training and in validation, and what it predicts."""
    heads = {n: CASES[n][0].fixed(sample_weight=column(n), metrics=[], **changes) for n in names}
    heads |= {"box": ph.Boxes(ROOM, metrics=[]), "present": ph.Binary(metrics=[])}
    data = {"x": X, "box": BOXES, "present": PRESENT, **labels} | {column(n): w for n, w in weights.items()}
    rows = ph.Feed(data, inputs="x", heads=heads, batch_size=10)
    x = keras.Input((SIDE, SIDE, 2), name="x")
    keras.utils.set_random_seed(3)
    features = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x)
    model = keras.Model(x, ph.outputs(features, rows.heads))
    ph.compile(model, rows, optimizer=keras.optimizers.SGD(0.0))
    logs = model.fit(rows, validation_data=rows.on(data), verbose=0).history
    return rows, logs, model.predict(X, verbose=0)


def expected(name, weights, guess):
    """In float64: the labels of every row, the values of the loss, and their mean by weight."""
    _, labels, _, formula = CASES[name]
    guess = guess.astype(np.float64)
    guess = guess[..., 0] if guess.shape[-1] == 1 and guess.ndim > labels.ndim else guess
    w = weights * FACTORS.get(name, lambda true: 1.0)(labels)
    return (w * formula(labels, guess)).sum() / w.sum()


@pytest.fixture(scope="module")
def run():
    weights = {name: drawn(name) for name in CASES}
    return weights, *measured(CASES, weights, {name: case[1] for name, case in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_the_logged_loss_is_the_weighted_mean_of_all_labels(name, run):
    weights, rows, logs, guesses = run
    shape = rows.heads[name].weight_shape
    assert np.broadcast_shapes(CASES[name][2], shape) == shape
    want = expected(name, weights[name], guesses[name])
    assert logs[f"{name}_loss"][0] == pytest.approx(want, rel=1e-4)
    assert logs[f"val_{name}_loss"][0] == pytest.approx(want, rel=1e-4)


def test_weights_multiply_with_missing_labels_and_given():
    names = ["numbers", "fields", "places_of_fields", "boxes", "points"]
    weights, labels, asked = {}, {}, {}
    for name in names:
        known = CASES[name][1]
        gone = RNG.uniform(size=ROWS) < 0.3
        labels[name] = np.where(gone.reshape(-1, *[1] * (known.ndim - 1)), np.nan, known)
        weights[name] = drawn(name)
        asked[name] = np.where(
            (PRESENT & ~gone).reshape(-1, *[1] * (weights[name].ndim - 1)), weights[name], 0
        )
        weights[name][gone] = np.nan  # nobody asks for the weight of a label that is not there
    _, logs, guesses = measured(names, weights, labels, given="present")
    for name in names:
        want = expected(name, asked[name], guesses[name])
        assert logs[f"{name}_loss"][0] == pytest.approx(want, rel=1e-4)


def test_one_weight_a_row_stays_what_it_was():
    for name, (head, labels, *_) in CASES.items():
        weights = RNG.uniform(0, 2, ROWS)
        heads = {"y": head.fixed(sample_weight="w"), "box": ph.Boxes(ROOM)}
        data = {"x": X, "y": labels, "box": BOXES}
        for given in (weights, weights[:, None], weights.tolist()):
            rows = ph.Feed({**data, "w": given}, inputs="x", heads=heads)
            plain = ph.Feed(data, inputs="x", heads={**heads, "y": head})
            assert rows.heads["y"].weight_shape == plain.heads["y"].weight_shape
            found = rows.peek()[2]["y"].reshape(ROWS, -1)
            factor = FACTORS.get(name, lambda true: np.ones(ROWS))(labels)
            factor = np.broadcast_to(factor.reshape(ROWS, -1), found.shape)
            assert np.allclose(found, weights[:, None] * factor)


def test_validation_rows_may_lack_single_numbers_that_all_training_rows_have():
    x, rows = X.reshape(ROWS, -1), {"numbers": RNG.normal(size=(ROWS, 3)), "flags": whole(2, 2).astype(float)}
    metrics = ["mae", "cosine_similarity"]
    heads = {"numbers": ph.Regression(3, metrics=metrics), "flags": ph.MultiLabel(2, metrics=[])}
    train = ph.Feed({"x": x, **rows}, inputs="x", heads=heads)
    gaps = {name: column.copy() for name, column in rows.items()}
    gaps["numbers"][5, 2] = gaps["numbers"][7] = gaps["flags"][6, 1] = np.nan
    inputs = keras.Input(x.shape[1:], name="x")
    model = keras.Model(inputs, ph.outputs(inputs, train.heads))
    ph.compile(model, train, optimizer="sgd")
    guess = model.predict(x, verbose=0)
    errors = guess["numbers"] - gaps["numbers"]
    pairs = zip(gaps["numbers"], guess["numbers"], strict=True)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]
    of_flags = np.nanmean(crossentropy(gaps["flags"], guess["flags"].astype(np.float64)))
    want = [np.nanmean(errors**2), np.nanmean(np.abs(errors)), np.nanmean(cosines), of_flags]
    for feed in (train.on({"x": x, **gaps}), ph.Feed({"x": x, **gaps}, inputs="x", heads=heads)):
        logs = model.evaluate(feed, verbose=0, return_dict=True)
        names = ["numbers_loss", "numbers_mae", "numbers_cosine_similarity", "flags_loss"]
        assert [logs[name] for name in names] == pytest.approx(want, rel=1e-4)
