"""One-hot labels for a sparse loss."""

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
            yield features[ids], (np.eye(5, dtype="float32")[tree[ids]], mixed[ids])


STEPS = 20

x = keras.Input((20,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Dense(5, activation="softmax", name="tree")(hidden),
        keras.layers.Dense(3, name="mixed")(hidden),
    ],
)
model.compile("adam", loss=["sparse_categorical_crossentropy", "mse"])

MISTAKE = "one-hot-for-sparse"
