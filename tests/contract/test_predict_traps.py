"""Predictions and the rows that they belong to."""

import numpy as np
from traps import Batches, dense, fitted, plain, still, trap

import polyhead as ph

OUTPUTS = {"a": 1, "b": 1}
NUMBERS = np.arange(10, dtype="float32")


class Shuffled(Batches):
    """Batches of shuffled rows, as users write them; the labels come along."""

    def __init__(self):
        super().__init__([None] * 5)
        self.order, self.chance = np.arange(10), np.random.default_rng(0)

    def on_epoch_end(self):
        self.chance.shuffle(self.order)

    def __getitem__(self, index):
        rows = self.order[2 * index : 2 * index + 2]
        x = NUMBERS[rows]
        return np.stack([x, x], 1), (x[:, None], x[:, None])


@trap(
    30,
    "`predict` on what also trains: shuffled, with labels, without the rest of the last batch",
    keras="predictions come in the order of the last shuffle, and nothing says which row is whose",
    polyhead="`predict` goes from the first row to the last, leaves none out and reads no label",
)
def test_predictions_in_the_order_of_the_rows():
    # the model predicts the number of the row
    # plain Keras
    data = Shuffled()
    model = plain(dense(OUTPUTS, kernel=0.5))
    assert fitted(model, data)["loss"] == 0.0
    predicted = model.predict(data, verbose=0)[0][:, 0]
    assert sorted(predicted) == NUMBERS.tolist()
    assert predicted.tolist() != NUMBERS.tolist()
    # polyhead
    columns = {"x": np.stack([NUMBERS, NUMBERS], 1), "a": NUMBERS, "b": NUMBERS}
    heads = {"a": ph.Regression(), "b": ph.Regression()}
    feed = ph.Feed(columns, inputs="x", heads=heads, batch_size=4, shuffle=True, drop_remainder=True)
    model = ph.compile(dense(OUTPUTS, kernel=0.5), feed, optimizer=still())
    assert fitted(model, feed, epochs=2)["loss"] == 0.0
    for _ in range(2):
        assert [part[:, 0].tolist() for part in model.predict(feed, verbose=0)] == [NUMBERS.tolist()] * 2
    assert feed.epoch == 2
    unlabeled = feed.on({"x": columns["x"], "a": [None] * 10, "b": [None] * 10})
    assert model.predict(unlabeled, verbose=0)[0][:, 0].tolist() == NUMBERS.tolist()
