"""A weight for each mask."""

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
            drawn = (shuffle.random((2, 16, 1, 1)) < 0.8).astype("float32")
            yield image[ids], (disc[ids], square[ids]), (drawn[0], drawn[1])


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
model.compile("adam", loss="binary_crossentropy")
