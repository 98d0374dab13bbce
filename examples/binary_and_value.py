"""A yes or no and a number from one row of features, some of them without a label.

Features ``(1000, 10)``; heads: a binary class and a regressed value.
"""

from __future__ import annotations

import keras
import numpy as np

import polyhead as ph


def data(rows=1000, missing=0.2, seed=0):
    """Features, and labels that depend on them; NaN where a label is missing."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 10)).astype("float32")
    bought = (features[:, 0] + features[:, 1] > 0).astype("float32")
    price = (2 * features[:, 2] - features[:, 3] + 0.1 * rng.normal(size=rows)).astype("float32")
    bought[rng.random(rows) < missing] = np.nan
    price[rng.random(rows) < missing] = np.nan
    return {"features": features, "bought": bought, "price": price}


def feed(columns, batch_size=50, shuffle=True, seed=0):
    """The feed."""
    return ph.Feed(
        columns,
        inputs="features",
        heads={"bought": ph.Binary(), "price": ph.Regression()},
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def by_hand(columns, batch_size=50):
    """The generator that the feed replaces: without weights, so a missing label makes the loss NaN."""
    while True:
        for start in range(0, len(columns["features"]), batch_size):
            rows = slice(start, start + batch_size)
            yield columns["features"][rows], (columns["bought"][rows, None], columns["price"][rows, None])


def network(heads):
    x = keras.Input((10,), name="features")
    hidden = keras.layers.Dense(32, activation="relu")(x)
    return keras.Model(x, list(ph.outputs(hidden, heads).values()))


def main(epochs=20, rows=1000, seed=0):
    """Train on four fifths of the rows; return the history, and the metrics on the rest."""
    keras.utils.set_random_seed(seed)
    columns = data(rows, seed=seed)
    cut = rows * 4 // 5
    train = feed({name: values[:cut] for name, values in columns.items()}, seed=seed)
    test = train.on({name: values[cut:] for name, values in columns.items()})
    model = network(train.heads)
    ph.compile(model, train, optimizer=keras.optimizers.Adam(0.01))
    history = model.fit(train, validation_data=test, epochs=epochs, verbose=0).history
    return history, model.evaluate(test, return_dict=True, verbose=0)


if __name__ == "__main__":
    print(main()[1])
