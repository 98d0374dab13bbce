"""Is there a digit, which one, where, and which pixels are its ink? Four heads, real digits; `make demo` runs it.

A quarter of the canvases are empty, and 30 % of the boxes and masks were never drawn."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from keras import layers

import canvases
import digits_by_hand
import polyhead as ph


def conv(x, filters, strides=2):
    """Convolve, normalize and activate; by default, halve the size."""
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def network(feed):
    """A small network: pooled features for the class, flat ones for the box, and a map for the mask."""
    x = keras.Input(feed.inputs["image"].shape, name="image")
    half = conv(x, 16)
    eighth = conv(quarter := conv(half, 32), 48)
    what = layers.Dropout(0.3)(layers.GlobalMaxPooling2D()(conv(conv(eighth, 64, 1), 96, 1)))
    where = layers.Dense(128, activation="relu")(layers.Flatten()(conv(eighth, 64)))
    ink = conv(layers.Concatenate()([half, layers.UpSampling2D(2)(quarter)]), 16, 1)
    ink = layers.Conv2DTranspose(4, 4, strides=2, padding="same")(ink)
    return keras.Model(x, ph.outputs({"digit": what, "mask": ink, None: where}, feed.heads))


def declare(columns, batch_size=32, seed=0):
    """The feed. An empty canvas has no digit, box and mask: all three heads have `given=`."""
    return ph.Feed(
        columns,
        inputs={"image": ph.Image(64, 64, 1)},
        heads={
            "present": ph.Binary(),
            "digit": ph.Categorical(10, given="present"),
            "box": ph.Boxes(1, normalized=True, given="present", weight=100.0),
            "mask": ph.Mask(given="present", size=(64, 64)),
        },
        batch_size=batch_size,
        shuffle=True,
        seed=seed,
    )


def main(train_canvases=4000, test_canvases=1000, epochs=4, batch_size=32, seed=0):
    """Train with polyhead and by hand, and return the metrics of both on the test canvases."""
    keras.utils.set_random_seed(seed)
    train, test = canvases.draw(train_canvases, test_canvases, seed)
    feed = declare(train, batch_size, seed)
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
    main()
