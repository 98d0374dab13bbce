"""One of five classes and three numbers from one row of features; the classes are imbalanced.

Features ``(1000, 20)``; heads: one of 5 classes, with balanced class weights, and 3 extracted features.
"""

from __future__ import annotations

import keras
import numpy as np

import polyhead as ph

CLASSES = ["ash", "birch", "cedar", "elm", "fir"]


def data(rows=1000, seed=0):
    """Features around a center for each class, and three mixtures of them."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(1).normal(size=(5, 20))
    tree = rng.choice(5, rows, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    features = (centers[tree] + rng.normal(size=(rows, 20))).astype("float32")
    mixed = features @ np.random.default_rng(2).normal(size=(20, 3)).astype("float32") / 4
    return {"features": features, "tree": np.array(CLASSES)[tree], "mixed": mixed}


def feed(columns, batch_size=50, shuffle=True, seed=0, class_weight="balanced"):
    """The feed."""
    return ph.Feed(
        columns,
        inputs="features",
        heads={"tree": ph.Categorical(CLASSES, class_weight=class_weight), "mixed": ph.Regression(3)},
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def by_hand(columns, batch_size=50):
    """The generator that the feed replaces: ids by hand, and no class weights, which Keras refuses for two outputs."""
    ids = np.array([CLASSES.index(name) for name in columns["tree"]], "int32")
    while True:
        for start in range(0, len(ids), batch_size):
            rows = slice(start, start + batch_size)
            yield columns["features"][rows], (ids[rows], columns["mixed"][rows])


def network(heads):
    x = keras.Input((20,), name="features")
    hidden = keras.layers.Dense(64, activation="relu")(x)
    return keras.Model(x, list(ph.outputs(hidden, heads).values()))


def main(epochs=20, rows=1000, seed=0):
    """Train on four fifths of the rows; return the history, and the metrics on the rest."""
    keras.utils.set_random_seed(seed)
    columns = data(rows, seed)
    cut = rows * 4 // 5
    train = feed({name: values[:cut] for name, values in columns.items()}, seed=seed)
    test = train.on({name: values[cut:] for name, values in columns.items()})
    model = network(train.heads)
    ph.compile(model, train, optimizer=keras.optimizers.Adam(0.01))
    history = model.fit(train, validation_data=test, epochs=epochs, verbose=0).history
    return history, model.evaluate(test, return_dict=True, verbose=0)


if __name__ == "__main__":
    print(main()[1])
