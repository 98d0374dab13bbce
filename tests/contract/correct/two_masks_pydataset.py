"""Flips whose draws depend on epoch and index alone."""

import keras
import numpy as np

rng = np.random.default_rng(0)
image = rng.random((160, 64, 64, 3), dtype="float32")
disc = (image[..., :1] > 0.6).astype("float32")
square = (image[..., 2:] > 0.7).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.epoch = 0
        self.order = np.random.default_rng((1, 0)).permutation(160)

    def __len__(self):
        return 10

    def __getitem__(self, index):
        ids = self.order[index * 16 : (index + 1) * 16]
        side = 1 if np.random.default_rng((7, self.epoch, index)).random() < 0.5 else -1
        return image[ids][:, :, ::side], {
            "disc": disc[ids][:, :, ::side],
            "square": square[ids][:, :, ::side],
        }

    def on_epoch_end(self):
        self.epoch += 1
        self.order = np.random.default_rng((1, self.epoch)).permutation(160)


dataset = Batches()

x = keras.Input((64, 64, 3), name="image")
hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
model = keras.Model(
    x,
    {
        "disc": keras.layers.Conv2D(1, 1, activation="sigmoid", name="disc")(hidden),
        "square": keras.layers.Conv2D(1, 1, activation="sigmoid", name="square")(hidden),
    },
)
