"""A key that is not the name of an output."""

import keras
import numpy as np
import torch

rng = np.random.default_rng(0)
image = rng.random((160, 64, 64, 3), dtype="float32")
disc = (image[..., :1] > 0.6).astype("float32")
square = (image[..., 2:] > 0.7).astype("float32")

rows = [{"image": i, "disk": d, "square": s} for i, d, s in zip(image, disc, square, strict=True)]


def collate(found):
    columns = {key: torch.from_numpy(np.stack([row[key] for row in found])) for key in found[0]}
    return columns.pop("image"), columns


dataset = torch.utils.data.DataLoader(rows, 16, shuffle=True, collate_fn=collate)

x = keras.Input((64, 64, 3), name="image")
hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
model = keras.Model(
    x,
    {
        "disc": keras.layers.Conv2D(1, 1, activation="sigmoid", name="disc")(hidden),
        "square": keras.layers.Conv2D(1, 1, activation="sigmoid", name="square")(hidden),
    },
)

MISTAKE = "target-keys"
