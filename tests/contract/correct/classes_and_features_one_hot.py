"""One-hot labels for a loss that wants them, with weights in a tuple."""

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(1000, 20)).astype("float32")
tree = features[:, :5].argmax(axis=1).astype("int32")
mixed = features @ rng.normal(size=(20, 3)).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.epoch = 0
        self.order = np.random.default_rng((1, 0)).permutation(1000)

    def __len__(self):
        return 20

    def __getitem__(self, index):
        ids = self.order[index * 50 : (index + 1) * 50]
        weights = np.where(tree[ids] == 4, 3.0, 1.0).astype("float32")
        labels = keras.utils.to_categorical(tree[ids], 5)
        return features[ids], (labels, mixed[ids]), (weights, np.ones_like(weights))

    def on_epoch_end(self):
        self.epoch += 1
        self.order = np.random.default_rng((1, self.epoch)).permutation(1000)


dataset = Batches()

x = keras.Input((20,), name="features")
hidden = keras.layers.Dense(16, activation="relu")(x)
model = keras.Model(
    x,
    [
        keras.layers.Dense(5, activation="softmax", name="tree")(hidden),
        keras.layers.Dense(3, name="mixed")(hidden),
    ],
)
model.compile("adam", loss=["categorical_crossentropy", "mse"])
