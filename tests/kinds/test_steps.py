"""A class for each step of a sequence: the way that the refusal names is right."""

import keras
import numpy as np
import pytest

import polyhead as ph

rng = np.random.default_rng(0)
WORDS = rng.integers(1, 20, (30, 7))
TAGS = rng.integers(0, 4, (30, 7))
for row, length in enumerate(rng.integers(2, 8, 30)):
    TAGS[row, length:] = -100


def test_a_mask_of_height_1_as_the_refusal_says_takes_the_mean_over_labeled_steps():
    heads = {"tag": ph.Categorical(4, missing=-100)}
    with pytest.raises(ph.DataError) as refused:
        ph.Feed({"words": WORDS, "tag": TAGS}, inputs="words", heads=heads)
    assert str(refused.value) == (
        "head `tag`: expected one class a row, got rows of shape (7,). A class for each step of a sequence is "
        "ph.Mask(classes, missing=-100): give ids of shape (N, 1, T), with -100 in the padding, and an output of shape "
        "(1, T, classes)."
    )
    heads = {"tag": ph.Mask(4, missing=-100)}
    feed = ph.Feed({"words": WORDS, "tag": TAGS[:, None, :]}, inputs="words", heads=heads, batch_size=30)
    x = keras.Input((7,), dtype="int32", name="words")
    tag = keras.layers.Dense(4, activation="softmax")(keras.layers.Embedding(20, 8)(x))
    model = keras.Model(x, {"tag": keras.layers.Reshape((1, 7, 4), name="tag")(tag)})
    guess = model.predict(WORDS, verbose=0)["tag"][:, 0].astype(float)
    known = TAGS >= 0
    of_label = np.take_along_axis(guess, np.maximum(TAGS, 0)[..., None], 2)[..., 0]
    ph.compile(model, feed, optimizer="sgd")
    got = model.evaluate(feed, verbose=0, return_dict=True)["tag_loss"]
    assert got == pytest.approx(-np.log(of_label[known]).mean(), abs=1e-5)
