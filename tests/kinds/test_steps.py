"""A class for each step of a sequence: the way that the refusal names is right."""

import re

import keras
import numpy as np
import pytest

import polyhead as ph

rng = np.random.default_rng(0)
WORDS = rng.integers(1, 20, (30, 7))
TAGS = rng.integers(0, 4, (30, 7))
for row, length in enumerate(rng.integers(2, 8, 30)):
    TAGS[row, length:] = -100


def test_training_by_hand_as_the_refusal_says_takes_the_mean_over_labeled_steps():
    heads = {"tag": ph.Categorical(4, missing=-100)}
    with pytest.raises(ph.DataError, match="head `tag`: expected one class a row") as refused:
        ph.Feed({"words": WORDS, "tag": TAGS}, inputs="words", heads=heads)
    loss = eval(re.search(r"loss=(keras.*\))\.", str(refused.value))[1], {"keras": keras})
    x = keras.Input((7,), dtype="int32")
    tag = keras.layers.Dense(4, activation="softmax")(keras.layers.Embedding(20, 8)(x))
    model = keras.Model(x, tag)
    guess = model.predict(WORDS, verbose=0).astype(float)
    known = TAGS >= 0
    of_label = np.take_along_axis(guess, np.maximum(TAGS, 0)[..., None], 2)[..., 0]
    model.compile("sgd", loss)
    ids, mask = np.where(known, TAGS, 0), known.astype("float32")
    got = model.evaluate(WORDS, ids, sample_weight=mask, batch_size=30, verbose=0)
    assert got == pytest.approx(-np.log(of_label[known]).mean(), abs=1e-5)
    assert model.fit(WORDS, ids, sample_weight=mask, verbose=0).history["loss"][0] == pytest.approx(
        got, abs=0.01
    )
