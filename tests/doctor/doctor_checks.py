"""Small models and batches for the tests of the doctor."""

import keras
import numpy as np

ROWS, SIZE = 60, 10

rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 4)).astype("float32")
YES = (X[:, :1] > 0).astype("float32")
VALUE = 20 + 5 * X[:, 1:2]
KIND = np.arange(ROWS).astype("int32") % 3
MASK = (rng.random((ROWS, 8, 8, 1)) > 0.5).astype("float32")


def stream(make, rows=ROWS, size=SIZE, seed=1):
    """An endless generator function: ``make(ids)`` is a batch, in a new order each epoch."""

    def generator():
        order = np.random.default_rng(seed)
        while True:
            ids = order.permutation(rows)
            for start in range(0, rows, size):
                yield make(ids[start : start + size])

    return generator


def good(ids):
    return X[ids], (YES[ids], VALUE[ids])


def two_heads(form=list, **compiled):
    """A sigmoid `yes` and a linear `value`, in a list or in a dict in which they are not sorted."""
    x = keras.Input((4,), name="x")
    yes = keras.layers.Dense(1, activation="sigmoid", name="yes")(x)
    value = keras.layers.Dense(1, name="value")(x)
    outputs = [yes, value] if form is list else {"yes": yes, "value": value}
    return with_loss(keras.Model(x, outputs), **compiled)


def classes(units=3, activation="softmax", **compiled):
    """One output `kind`."""
    x = keras.Input((4,), name="x")
    return with_loss(
        keras.Model(x, keras.layers.Dense(units, activation=activation, name="kind")(x)), **compiled
    )


def mask_head(channels=1, **compiled):
    x = keras.Input((8, 8, 1), name="x")
    outputs = keras.layers.Conv2D(channels, 1, activation="sigmoid", name="mask")(x)
    return with_loss(keras.Model(x, outputs), **compiled)


def with_loss(model, loss=None):
    if loss is not None:
        model.compile("sgd", loss)
    return model


class Items(keras.utils.PyDataset):
    """A PyDataset of ``make(ids)``, in a new order each epoch."""

    def __init__(self, make=good, shuffle=True, **workers):
        super().__init__(**workers)
        self.make, self.shuffle = make, shuffle
        self.epoch = 0
        self.order = np.arange(ROWS)

    def __len__(self):
        return ROWS // SIZE

    def __getitem__(self, index):
        return self.make(self.order[index * SIZE : (index + 1) * SIZE])

    def on_epoch_end(self):
        self.epoch += 1
        if self.shuffle:
            self.order = np.random.default_rng(self.epoch).permutation(ROWS)
