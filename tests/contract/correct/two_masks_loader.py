"""A torch DataLoader that collates tuples."""

import keras
import numpy as np
import torch

rng = np.random.default_rng(0)
image = rng.random((160, 64, 64, 3), dtype="float32")
disc = (image[..., :1] > 0.6).astype("float32")
square = (image[..., 2:] > 0.7).astype("float32")


def collate(rows):
    images, discs, squares = (torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))
    return images, (discs, squares)


rows = list(zip(image, disc, square, strict=True))
dataset = torch.utils.data.DataLoader(rows, 16, shuffle=True, collate_fn=collate)

x = keras.Input((64, 64, 3), name="image")
hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="disc")(hidden),
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="square")(hidden),
    ],
)
