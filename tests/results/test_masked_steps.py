"""Steps that a Keras mask leaves out of the loss are left out of an evaluation as well."""

import keras
import numpy as np
import pytest
from keras import layers

import polyhead as ph

RNG = np.random.default_rng(3)
THERE = np.arange(5) < RNG.integers(1, 6, 17)[:, None]
SERIES = np.where(THERE[..., None], RNG.normal(size=(17, 5, 3)), 0).astype("float32")
WORDS = np.where(THERE, RNG.integers(1, 9, (17, 5)), 0).astype("int32")
SHARE = RNG.uniform(0.5, 2, 17)


@keras.saving.register_keras_serializable("test_masked_steps")
class HideZeros(layers.Layer):
    """A layer of one's own that makes a mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return keras.ops.any(keras.ops.not_equal(inputs, 0), axis=-1)

    def call(self, inputs):
        return inputs


MAKES = {
    "Masking": (SERIES, lambda x: layers.Masking()(x)),
    "Embedding": (WORDS, lambda x: layers.Embedding(9, 4, mask_zero=True)(x)),
    "one's own": (SERIES, lambda x: HideZeros()(x)),
    "none": (SERIES, lambda x: x),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("makes", MAKES)
@pytest.mark.parametrize("width", [1, pytest.param(2, marks=pytest.mark.once)])
def test_padded_steps_do_not_count(makes, width):
    column, mask = MAKES[makes]
    tempo = np.where(THERE[..., None], RNG.normal(size=(17, 5, width)), 5)
    tempo[0, 0, 0] = np.nan if width > 1 else tempo[0, 0, 0]
    tempo[3] = np.nan  # no label
    data = {"x": column, "tempo": tempo, "long": THERE.sum(1), "share": SHARE}
    heads = {"tempo": ph.Regression((5, width), sample_weight="share"), "long": ph.Regression()}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=8)
    x = keras.Input(column.shape[1:], name="x", dtype=column.dtype.name)
    steps = layers.LSTM(4, return_sequences=True)(mask(x))
    outputs = [layers.Dense(width, name="tempo")(steps), layers.Dense(1, name="long")(layers.LSTM(4)(steps))]
    model = ph.compile(keras.Model(x, outputs), feed, optimizer="sgd")
    guess, length = model.predict(column, verbose=0)
    counts = ~np.isnan(tempo) & (THERE[..., None] if makes != "none" else True)
    off = np.where(counts, np.abs(guess - np.nan_to_num(tempo)), 0)
    weights = counts * SHARE[:, None, None]
    found = ph.evaluate(model, feed, intervals=None)
    each = (off * weights).sum(0) / weights.sum(0)  # of each number of a row
    assert found["tempo"]["mae"].value == pytest.approx(each.mean(), rel=1e-4)
    assert found["long"]["mae"].value == pytest.approx(np.abs(length[:, 0] - THERE.sum(1)).mean(), rel=1e-4)
    logged = model.evaluate(feed, verbose=0, return_dict=True)
    assert logged["tempo_mae"] == pytest.approx((off * weights).sum() / weights.sum(), rel=1e-4)
