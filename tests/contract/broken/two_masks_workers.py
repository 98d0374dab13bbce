"""Flips drawn from the global state, of which each worker process has the same copy."""

import keras
import numpy as np

rng = np.random.default_rng(0)
image = rng.random((160, 64, 64, 3), dtype="float32")
disc = (image[..., :1] > 0.6).astype("float32")
square = (image[..., 2:] > 0.7).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__(workers=4, use_multiprocessing=True)
        self.epoch = 0
        self.order = np.random.default_rng((1, 0)).permutation(160)

    def __len__(self):
        return 10

    def __getitem__(self, index):
        ids = self.order[index * 16 : (index + 1) * 16]
        flip = np.where(np.random.random(16) < 0.5, -1, 1)  # noqa: NPY002 the mistake
        turned = [
            np.stack([a[i][:, ::s] for i, s in zip(ids, flip, strict=True)]) for a in (image, disc, square)
        ]
        return turned[0], (turned[1], turned[2])

    def on_epoch_end(self):
        self.epoch += 1
        self.order = np.random.default_rng((1, self.epoch)).permutation(160)


dataset = Batches()

x = keras.Input((64, 64, 3), name="image")
hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="disc")(hidden),
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="square")(hidden),
    ],
)

MISTAKE = "same-augmentation"
