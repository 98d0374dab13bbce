"""One weight a row for masks: it is spread along the last axis."""

import keras
import numpy as np

rng = np.random.default_rng(0)
image = rng.random((160, 64, 64, 3), dtype="float32")
disc = (image[..., :1] > 0.6).astype("float32")
square = (image[..., 2:] > 0.7).astype("float32")


def generator():
    shuffle = np.random.default_rng(1)
    while True:
        order = shuffle.permutation(160)
        for start in range(0, 160, 16):
            ids = order[start : start + 16]
            some = (disc[ids].mean((1, 2, 3)) > 0.4).astype("float32") + 1
            yield image[ids], (disc[ids], square[ids]), (some, some)


STEPS = 10

x = keras.Input((64, 64, 3), name="image")
hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="disc")(hidden),
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="square")(hidden),
    ],
)

MISTAKE = "weights-shape"
