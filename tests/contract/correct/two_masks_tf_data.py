"""A tf.data dataset that repeats."""

import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
image = rng.random((160, 64, 64, 3), dtype="float32")
disc = (image[..., :1] > 0.6).astype("float32")
square = (image[..., 2:] > 0.7).astype("float32")

labels = {"disc": disc, "square": square}
dataset = tf.data.Dataset.from_tensor_slices((image, labels)).shuffle(160).batch(16).repeat()
STEPS = 10

x = keras.Input((64, 64, 3), name="image")
hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
model = keras.Model(
    x,
    {
        "disc": keras.layers.Conv2D(1, 1, activation="sigmoid", name="disc")(hidden),
        "square": keras.layers.Conv2D(1, 1, activation="sigmoid", name="square")(hidden),
    },
)
