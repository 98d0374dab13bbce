"""A model is trained from a store, and from a cache, as from the files."""

import keras
import numpy as np
import pytest

import polyhead as ph

PIL = pytest.importorskip("PIL.Image")
pytest.importorskip("cv2")


@pytest.fixture
def rows(tmp_path):
    rng = np.random.default_rng(0)
    found = {"image": [], "bright": [], "box": []}
    for i in range(40):
        pixels = rng.integers(0, 60, (24 + i % 3, 30, 3), dtype=np.uint8) + np.uint8(150 * (i % 2))
        PIL.fromarray(pixels).save(tmp_path / f"{i}.png")
        found["image"].append(str(tmp_path / f"{i}.png"))
        found["bright"].append(i % 2 if i % 7 else None)
        found["box"].append([[3.0, 4, 20, 20]] if i % 3 else None)
    return found


def losses(feed):
    keras.utils.set_random_seed(0)
    x = keras.Input((16, 16, 3), name="image")
    features = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(x, ph.outputs(features, feed.heads))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.1))
    return model.fit(feed, epochs=3, verbose=0).history


@pytest.mark.once
def test_training_is_the_same(tmp_path, rows):
    declared = {
        "inputs": {"image": ph.Image(16, 16)},
        "heads": {"bright": ph.Binary(), "box": ph.Boxes(1)},
        "batch_size": 10,
        "shuffle": True,
    }
    expected = losses(ph.Feed(rows, **declared))
    ph.pack(ph.Feed(rows, **declared), tmp_path / "s")
    for feed in (ph.Feed(tmp_path / "s", **declared), ph.Feed(rows, cache=tmp_path / "cache", **declared)):
        found = losses(feed)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, err_msg=name)
    assert expected["bright_loss"][-1] < expected["bright_loss"][0]
