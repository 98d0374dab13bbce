"""Four answers from one image: is there a digit, which one, where, and which pixels are its ink.

Real handwritten digits on canvases. A quarter of the canvases are empty, and 30 % of the boxes and masks were never
drawn. Run it with `make demo`, or with `python examples/digits.py`.
"""

import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import canvases
import digits_by_hand
import keras
from keras import layers

import polyhead as ph


def network(feed):
    """A small network: a vector that knows where things are for three heads, a map for the mask."""
    x = keras.Input(feed.inputs["image"].shape, name="image")
    half = layers.Conv2D(16, 4, strides=2, padding="same", activation="relu")(x)
    quarter = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(half)
    coarse = layers.Conv2D(48, 3, strides=2, padding="same", activation="relu")(quarter)
    coarse = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(coarse)
    vector = layers.Dense(128, activation="relu")(layers.Dropout(0.2)(layers.Flatten()(coarse)))
    both = layers.Concatenate()([half, layers.UpSampling2D(2)(quarter)])
    pixels = layers.Conv2DTranspose(4, 4, strides=2, padding="same", activation="relu")(both)
    return keras.Model(x, ph.outputs({"mask": pixels, None: vector}, feed.heads))


def main(train_canvases=6000, test_canvases=1000, epochs=12, batch_size=64, seed=0):
    """Train with polyhead and by hand; the metrics of both on the test canvases."""
    keras.utils.set_random_seed(seed)
    train, test = canvases.draw(train_canvases, test_canvases, seed)
    feed = ph.Feed(
        train,
        inputs={"image": ph.Image(64, 64, 1)},
        heads={
            "present": ph.Binary(),
            "digit": ph.Categorical(10, given="present"),
            "box": ph.Boxes(1, normalized=True, given="present", weight=20.0),
            "mask": ph.Mask(given="present", size=(64, 64)),
        },
        batch_size=batch_size,
        shuffle=True,
        seed=seed,
    )
    print(feed.describe())
    model = network(feed)
    by_hand = keras.models.clone_model(model)
    by_hand.set_weights(model.get_weights())
    print(feed.check(model))

    def optimizer():
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(feed)))

    ph.compile(model, feed, optimizer=optimizer())
    model.fit(feed, epochs=epochs, verbose=2)
    found = model.evaluate(feed.on(test), return_dict=True, verbose=0)

    print("The same by hand, with zeros for what is missing:")
    digits_by_hand.train(by_hand, train, optimizer(), epochs, batch_size, seed)
    other = digits_by_hand.scores(by_hand, test)
    print(f"\n{'on the test canvases':<22}{'polyhead':>10}{'by hand':>10}")
    for name, value in other.items():
        print(f"{name:<22}{found[name]:>10.3f}{value:>10.3f}")
    return {name: (found[name], value) for name, value in other.items()}


if __name__ == "__main__":
    started = time.perf_counter()
    main(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"{time.perf_counter() - started:.0f} seconds")
