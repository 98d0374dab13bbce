"""A PyDataset that draws a new order after each epoch."""

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 10)).astype("float32")
bought = (features[:, :1] + features[:, 1:2] > 0).astype("float32")
price = 20 + 5 * features[:, 2:3] + rng.normal(size=(1000, 1)).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.epoch = 0
        self.order = np.random.default_rng((1, 0)).permutation(1000)

    def __len__(self):
        return 20

    def __getitem__(self, index):
        ids = self.order[index * 50 : (index + 1) * 50]
        return features[ids], (bought[ids], price[ids])

    def on_epoch_end(self):
        self.epoch += 1
        self.order = np.random.default_rng((1, self.epoch)).permutation(1000)


dataset = Batches()

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
