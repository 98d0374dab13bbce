"""A torch DataLoader of dicts."""

import keras
import numpy as np
import torch

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 10)).astype("float32")
bought = (features[:, :1] + features[:, 1:2] > 0).astype("float32")
price = 20 + 5 * features[:, 2:3] + rng.normal(size=(1000, 1)).astype("float32")

rows = [({"features": f}, {"bought": b, "price": p}) for f, b, p in zip(features, bought, price, strict=True)]
dataset = torch.utils.data.DataLoader(rows, 50, shuffle=True)

x = keras.Input((10,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    {
        "price": keras.layers.Dense(1, name="price")(hidden),
        "bought": keras.layers.Dense(1, activation="sigmoid", name="bought")(hidden),
    },
)
