"""Inputs and labels that are shuffled apart."""

import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 20)).astype("float32")
tree = features[:, :5].argmax(axis=1).astype("int32")
mixed = features @ rng.normal(size=(20, 3)).astype("float32")

inputs = tf.data.Dataset.from_tensor_slices(features).shuffle(1000)
labels = tf.data.Dataset.from_tensor_slices((tree, mixed)).shuffle(1000)
dataset = tf.data.Dataset.zip((inputs, labels)).batch(50)

x = keras.Input((20,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Dense(5, activation="softmax", name="tree")(hidden),
        keras.layers.Dense(3, name="mixed")(hidden),
    ],
)

MISTAKE = "labels-move"
