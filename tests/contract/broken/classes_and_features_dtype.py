"""Labels that are whole numbers at first: TensorFlow cuts the fractions off later."""

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
        labels = mixed[ids] if index > 2 else mixed[ids].astype("int32")
        return features[ids], (tree[ids], labels)

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

MISTAKE = "dtype-drift"
