"""Dicts of labels and of weights for a dict of outputs."""

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 10)).astype("float32")
bought = (features[:, :1] + features[:, 1:2] > 0).astype("float32")
price = 20 + 5 * features[:, 2:3] + rng.normal(size=(1000, 1)).astype("float32")


def generator():
    shuffle = np.random.default_rng(1)
    while True:
        order = shuffle.permutation(1000)
        for start in range(0, 1000, 50):
            ids = order[start : start + 50]
            there = (features[ids, 9] > -1).astype("float32")
            labels = {"bought": bought[ids], "price": price[ids] * there[:, None]}
            yield features[ids], labels, {"bought": np.ones(50, "float32"), "price": there}


STEPS = 20

x = keras.Input((10,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    {
        "price": keras.layers.Dense(1, name="price")(hidden),
        "bought": keras.layers.Dense(1, activation="sigmoid", name="bought")(hidden),
    },
)
model.compile("adam", loss={"bought": "binary_crossentropy", "price": "mse"})
