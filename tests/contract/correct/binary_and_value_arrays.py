"""Arrays, as fit takes them; labels without the last axis."""

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 10)).astype("float32")
bought = (features[:, :1] + features[:, 1:2] > 0).astype("float32")
price = 20 + 5 * features[:, 2:3] + rng.normal(size=(1000, 1)).astype("float32")

dataset = (features, [bought[:, 0], price[:, 0]])

x = keras.Input((10,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Dense(1, activation="sigmoid", name="bought")(hidden),
        keras.layers.Dense(1, name="price")(hidden),
    ],
)
model.compile("adam", loss=["binary_crossentropy", "mse"])
