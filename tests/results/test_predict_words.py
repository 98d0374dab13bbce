"""A model with words as inputs, saved, and used by another process with raw words."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

import polyhead as ph
import programs

PROGRAM = """
import json, sys
import keras
import pandas as pd
import polyhead as ph

model = keras.saving.load_model("houses.keras")
frame = pd.read_csv("rows.csv", keep_default_na=False)
frame["words"] = [text.split("|") for text in frame["words"]]
found = ph.predict(model, frame)
print(json.dumps([found["price"].tolist(), ph.evaluate(model, frame, intervals=None)["price"]["mae"].value]))
"""


def rows(count=24):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "city": rng.choice(["Bern", "Lima", "Oslo"], count),
            "words": ["|".join(rng.choice(["a", "large", "old", ""], 3)) for _ in range(count)],
            "price": rng.normal(size=count),
        }
    )


def split(frame):
    return frame.assign(words=[text.split("|") for text in frame["words"]])


def trained(frame):
    feed = ph.Feed(
        split(frame),
        inputs={"city": ph.Array(vocabulary="auto"), "words": ph.Array(vocabulary=["large", "old"])},
        heads={"price": ph.Regression()},
        batch_size=8,
    )
    inputs = {name: keras.Input(kind.shape, name=name, dtype="int32") for name, kind in feed.inputs.items()}
    vectors = [
        keras.layers.Flatten()(keras.layers.Embedding(len(feed.inputs[name].names), 3)(one))
        for name, one in inputs.items()
    ]
    model = keras.Model(inputs, ph.outputs(keras.layers.Concatenate()(vectors), feed))
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.1))
    model.fit(feed, epochs=2, verbose=0)
    return feed, model


def test_the_saved_file_alone_takes_words_in_another_process(tmp_path):
    frame = rows()
    _, model = trained(frame)
    frame.loc[0, "city"] = "Rome"  # not among the words of training
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model.save(tmp_path / "houses.keras")
    prices, mae = json.loads(programs.run(PROGRAM, folder=tmp_path).strip().splitlines()[-1])
    assert np.allclose(prices, ph.predict(model, split(frame))["price"], atol=1e-5)
    assert mae == pytest.approx(
        ph.evaluate(model, split(frame), intervals=None)["price"]["mae"].value, abs=1e-5
    )


def test_a_feed_with_other_words_is_refused():
    frame = split(rows())
    feed, model = trained(rows())
    others = {"city": ph.Array(vocabulary=["Oslo", "Bern", "Lima"]), "words": feed.inputs["words"]}
    with pytest.raises(ph.ContractError) as error:
        model.evaluate(ph.Feed(frame, inputs=others, heads=feed.heads), verbose=0)
    assert (
        "input `city`: expected vocabulary=('Bern', 'Lima', 'Oslo'), as the model was compiled for, got "
        "vocabulary=('Oslo', 'Bern', 'Lima')." in str(error.value)
    )


def test_words_without_a_vocabulary_say_what_to_do():
    frame = split(rows())
    with pytest.raises(ph.DataError, match=r'input `city`.*say ph\.Array\(vocabulary="auto"\)'):
        ph.Feed(frame, inputs="city", heads={"price": ph.Regression()})
