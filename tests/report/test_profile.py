"""`feed.profile()`: feeds that are slow in one stage, and what is said of each."""

import json
import threading
import time

import numpy as np
import pytest

import polyhead as ph
import polyhead.profiling


class Slow(ph.Source):
    """Rows of 160 kB, so that each batch is read by itself, and each row takes its time."""

    columns = ("x", "y")

    def __len__(self):
        return 96

    def only(self, columns):
        return self

    def read(self, ids):
        polyhead.profiling.clock.sleep(0.004 * len(ids))
        return {"x": np.ones((len(ids), 40_000), np.float32), "y": ids % 2}


@pytest.fixture
def work(monkeypatch):
    """What a thread works is measured, and not how long it waits for a processor."""
    monkeypatch.setattr(polyhead.profiling, "clock", time.thread_time)


def slow(**arguments):
    return ph.Feed(Slow(), inputs="x", heads={"y": ph.Binary()}, batch_size=8, shuffle=True, **arguments)


@pytest.fixture(scope="module")
def photos():
    """Noise of 1200 x 900 as JPEG: nothing takes as long as decoding it."""
    simplejpeg = pytest.importorskip("simplejpeg", reason="simplejpeg is not installed")
    rng = np.random.default_rng(0)
    data = simplejpeg.encode_jpeg(rng.integers(0, 256, (900, 1200, 3), dtype=np.uint8), quality=90)
    return {"image": [data] * 32, "y": np.arange(32) % 2}


def decoding(photos, workers):
    heads = {"y": ph.Binary()}
    return ph.Feed(photos, inputs={"image": ph.Image(64, 64)}, heads=heads, batch_size=4, workers=workers)


@pytest.mark.usefixtures("clock")
def test_a_slow_source_is_read_with_more_threads_or_packed():
    found = slow(workers=2).profile(6)
    assert found.bottleneck == "read"
    assert found.seconds["read"] == pytest.approx(0.004)
    assert sum(found.seconds.values()) == pytest.approx(0.004)
    assert "ph.pack(source, path), or read with more threads, Feed(workers=16)." in found.remedy
    assert (found.steps, found.rows, found.waiting, found.alone) == (6, 48, None, None)


@pytest.mark.usefixtures("clock")
def test_in_line_one_thread_is_busy_with_reading():
    found = slow(workers=0).profile(10)
    assert found.samples_per_s == pytest.approx(250)
    assert found.threads_busy == pytest.approx(1)


@pytest.mark.usefixtures("clock")
def test_threads_read_side_by_side():
    both = threading.Barrier(2)

    class Meeting(Slow):
        def read(self, ids):
            if threading.current_thread() is not threading.main_thread():
                both.wait(240)  # a thread that reads alone would wait for ever
            return super().read(ids)

    feed = ph.Feed(Meeting(), inputs="x", heads={"y": ph.Binary()}, batch_size=8, workers=2)
    found = feed.profile(10)
    assert (found.steps, found.rows) == (10, 80)


@pytest.mark.usefixtures("work")
def test_large_photos_in_line_want_threads(photos, monkeypatch):
    monkeypatch.setattr("polyhead.keras_bridge.feed_adapter.cores", lambda: 4)
    found = decoding(photos, workers=0).profile(3)
    assert found.bottleneck == "decode"
    assert found.remedy == (
        "Give it more threads: Feed(workers=4), which prepare batches while the model works."
    )


@pytest.mark.usefixtures("work")
def test_large_photos_where_all_cores_are_busy_are_packed(photos, monkeypatch):
    monkeypatch.setattr("polyhead.keras_bridge.feed_adapter.cores", lambda: 2)
    found = decoding(photos, workers=2).profile(3)
    assert found.bottleneck == "decode"
    assert found.remedy.startswith("Pack images of the size that the model gets, ph.pack(source, path)")


@pytest.mark.usefixtures("work")
def test_images_as_floats_are_handed_over_as_bytes():
    data = {"image": np.full((96, 400, 400, 3), 7, np.uint8), "y": np.arange(96) % 2}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"y": ph.Binary()}, batch_size=8)
    found = feed.profile()
    assert found.bottleneck == "inputs"
    assert 'ph.Image(..., dtype="uint8")' in found.remedy
    bytes_ = ph.Feed(data, inputs={"image": ph.Image(dtype="uint8")}, heads={"y": ph.Binary()}, batch_size=8)
    assert "uint8" not in bytes_.profile().remedy


@pytest.mark.usefixtures("work")
def test_augmentation_is_a_stage():
    data = {"image": np.full((64, 300, 300, 3), 7, np.uint8), "y": np.arange(64) % 2}
    feed = ph.Feed(
        data,
        inputs={"image": ph.Image()},
        heads={"y": ph.Binary()},
        augment=[ph.Rotate(10), ph.Blur(2.0)],
        batch_size=4,
        workers=0,
    )
    assert feed.profile(12).bottleneck == "warp"


@pytest.mark.usefixtures("work")
def test_mixing_is_a_stage():
    data = {"image": np.full((16, 300, 300, 3), 7, np.uint8), "y": np.arange(16) % 2}
    feed = ph.Feed(
        data, inputs={"image": ph.Image()}, heads={"y": ph.Binary()}, augment=[ph.MixUp()], batch_size=4
    )
    assert feed.profile(3).seconds["mix"] > 0


@pytest.mark.usefixtures("clock")
def test_nothing_is_used_up():
    feed = slow(workers=2)
    batches = iter(feed)
    next(batches)
    before, coming = feed.state(), feed.peek()
    feed.profile(2)
    assert feed.state() == before
    np.testing.assert_array_equal(feed.peek()[1]["y"], coming[1]["y"])
    del batches


def test_by_default_at_most_an_epoch_is_measured():
    data = {"x": np.arange(50.0), "y": np.arange(50) % 2}
    found = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}).profile()
    assert (found.steps, found.rows) == (2, 50)


@pytest.mark.usefixtures("clock")
def test_rows_of_a_generator_are_packed():
    def rows():
        for _ in range(3):
            polyhead.profiling.clock.sleep(0.05)
            yield np.ones((8, 2), np.float32), np.arange(8) % 2

    source = ph.from_generator(rows, length=24, names=("x", "y"))
    feed = ph.Feed(source, inputs="x", heads={"y": ph.Binary()}, batch_size=8)
    found = feed.profile(2)
    assert found.bottleneck == "read"
    assert found.remedy == "Pack the rows once: ph.pack(source, path) makes a store that many threads read."
    assert len(list(feed)) == 3


@pytest.mark.usefixtures("clock")
def test_a_report_is_json():
    found = slow(workers=0).profile(2)
    assert json.loads(json.dumps(found.as_dict()))["bottleneck"] == "read"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("steps", [0, -1, 2.0, True])
def test_steps_that_are_none_are_refused(steps):
    with pytest.raises(ph.ContractError, match=r"profile\(steps=\): expected an integer of at least 1, got"):
        slow(workers=0).profile(steps)
