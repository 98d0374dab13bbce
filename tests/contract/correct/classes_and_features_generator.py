"""A generator of ids and vectors, by name."""

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 20)).astype("float32")
tree = features[:, :5].argmax(axis=1).astype("int32")
mixed = features @ rng.normal(size=(20, 3)).astype("float32")


def generator():
    shuffle = np.random.default_rng(1)
    while True:
        order = shuffle.permutation(1000)
        for start in range(0, 1000, 50):
            ids = order[start : start + 50]
            yield {"features": features[ids]}, {"tree": tree[ids], "mixed": mixed[ids]}


STEPS = 20

x = keras.Input((20,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    {
        "tree": keras.layers.Dense(5, activation="softmax", name="tree")(hidden),
        "mixed": keras.layers.Dense(3, name="mixed")(hidden),
    },
)
