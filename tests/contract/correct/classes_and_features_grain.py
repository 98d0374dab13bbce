"""A grain dataset that repeats, in a new order each time."""

import grain
import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 20)).astype("float32")
tree = features[:, :5].argmax(axis=1).astype("int32")
mixed = features @ rng.normal(size=(20, 3)).astype("float32")

rows = list(zip(features, zip(tree, mixed, strict=True), strict=True))
dataset = grain.MapDataset.source(rows).shuffle(seed=0).repeat().batch(50)
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
