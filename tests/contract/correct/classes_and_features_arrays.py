"""Arrays by name, with weights."""

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 20)).astype("float32")
tree = features[:, :5].argmax(axis=1).astype("int32")
mixed = features @ rng.normal(size=(20, 3)).astype("float32")

rare = np.where(tree == 4, 3.0, 1.0)
dataset = (features, {"tree": tree, "mixed": mixed}, {"tree": rare, "mixed": np.ones(1000)})

x = keras.Input((20,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    {
        "tree": keras.layers.Dense(5, activation="softmax", name="tree")(hidden),
        "mixed": keras.layers.Dense(3, name="mixed")(hidden),
    },
)
model.compile("adam", loss={"tree": "sparse_categorical_crossentropy", "mixed": "mse"})
