"""What was measured, and what is said of it: each verdict, word for word."""

import dataclasses
import threading

import pytest

from polyhead.profiling import STAGES, Meter, Speed
from polyhead.remedies import Setup

SETUP = Setup(workers=2, row_bytes=1000, batch_size=10, cores=4)


def speed(stage="read", waited=0.5, **setup):
    """100 rows in a second, a thread takes 0.01 s for one, nearly all of it in one stage."""
    seconds = dict.fromkeys(STAGES, 0.0) | {"labels": 0.0005} | {stage: 0.0095}
    return Speed(100, 10, 1.0, seconds, 1.5, waited, None, dataclasses.replace(SETUP, **setup))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            speed("read"),
            "Pack the data into one store, ph.pack(source, path), or read with more threads, Feed(workers=3).",
        ),
        (
            speed("read", 0.9),
            "Pack the data into one store, ph.pack(source, path), or read with more threads, Feed(workers=10).",
        ),
        (speed("read", workers=16), "Pack the data into one store, ph.pack(source, path)."),
        (
            speed("read", sequential=True),
            "Pack the rows once: ph.pack(source, path) makes a store that many threads read.",
        ),
        (speed("check"), "Values are checked only in the first epoch, so this cost then disappears."),
        (speed("decode", 0.9), "Give it more threads: Feed(workers=4)."),
        (
            speed("decode", workers=0),
            "Give it more threads: Feed(workers=2), which prepare batches while the model works.",
        ),
        (
            speed("decode", workers=4),
            "Pack images of the size that the model gets, ph.pack(source, path), or decode less: a smaller ph.Image.",
        ),
        (
            speed("warp", workers=4),
            "Leave out the augmentations that cost most, or let the model get a smaller ph.Image.",
        ),
        (
            speed("mix", workers=4),
            "Mixing reads several rows for one: give it a smaller p, or pack the data, ph.pack(source, path).",
        ),
        (
            speed("inputs", floats=("image",), rescales=True),
            'Hand over bytes, a quarter of the size: ph.Image(..., dtype="uint8"), as the model rescales by itself.',
        ),
        (
            speed("inputs", floats=("image",), rescales=False),
            'Hand over bytes, a quarter of the size: ph.Image(..., dtype="uint8"), with '
            "keras.layers.Rescaling(1 / 255) at the head of the model.",
        ),
        (
            speed("inputs", workers=4),
            "Store the inputs as the model gets them, ph.pack(source, path), or give a larger batch_size.",
        ),
        (speed("labels", workers=4), "Store the labels as the model gets them, ph.pack(source, path)."),
        (speed("order", workers=4), "Give a larger batch_size."),
        (
            speed("hand over", workers=4),
            "Give a larger batch_size, or model.compile(steps_per_execution=...).",
        ),
        (speed("read", 0.2), "The model is the limit: leave the data as it is."),
    ],
)
def test_each_remedy(made, words):
    assert made.remedy == words


def test_the_model_is_the_limit_up_to_a_fifth():
    assert [speed("decode", waited).bottleneck for waited in (0.0, 0.2, 0.21)] == ["model", "model", "decode"]


@pytest.mark.parametrize(
    ("stage", "options", "remedy"),
    [
        ("labels", {"workers": 2}, "Make batches between the steps: Feed(workers=0)."),
        ("labels", {"workers": 0}, "Give a larger batch_size."),
        (
            "decode",
            {"workers": 2},
            "Pack the rows as the model gets them, ph.pack(feed, path): a store needs little CPU time.",
        ),
        (
            "inputs",
            {"floats": ("image",), "rescales": True},
            'Hand over bytes, a quarter of the size: ph.Image(..., dtype="uint8"), as the model rescales by itself.',
        ),
    ],
)
def test_a_feed_that_slows_a_step_without_being_waited_for(stage, options, remedy):
    made = dataclasses.replace(speed(stage, 0.05, **options), alone=0.08)
    assert made.slower == pytest.approx(0.25)
    assert made.bottleneck == "model"
    assert made.verdict == (
        "A step takes 25% longer with the feed than on one batch, though it hardly waits: on a CPU, a feed takes "
        f"cores from the step. {remedy}"
    )
    assert dataclasses.replace(made, alone=0.095).verdict.startswith("The model is the limit")


def test_without_a_model_the_verdict_is_conditional():
    assert speed("decode", None, workers=0).verdict == (
        "Decoding takes most of the feed's time, 95%. If the model waits for data: give it more threads: "
        "Feed(workers=4), which prepare batches while the model works."
    )


def test_pixels_that_are_scaled_twice_are_named_whatever_is_the_limit():
    said = (
        "Pixels are scaled by the feed, and by the model once more: say "
        'ph.Image(..., dtype="uint8"), which is a quarter of the bytes as well.'
    )
    made = speed("decode", 0.0, floats=("image",), rescales=True)
    assert made.verdict == f"The model is the limit: leave the data as it is. {said}"
    assert speed("inputs", floats=("image",), rescales=True).also == ""
    assert speed("decode", floats=("image",), rescales=False).also == ""


def test_as_text():
    assert str(dataclasses.replace(speed(), alone=0.04)) == (
        "100 rows in 10 batches: 100 samples/s, 0.1 MB/s\n"
        "  waiting for data               50%   50 ms of a step of 100 ms\n"
        "  a step without the feed      40 ms   with it 2.50 times that\n"
        "  busy                           1.5   of 2 threads\n"
        "  reading                        95%   105 samples/s in a thread\n"
        "  encoding labels and weights     5%   2,000 samples/s in a thread\n"
        "Training waits for data 50% of its time, most of it for reading. Pack the data into one store, "
        "ph.pack(source, path), or read with more threads, Feed(workers=3)."
    )


def test_a_line_says_the_verdict():
    assert speed("decode", 0.43, workers=2).line == (
        "polyhead: training waits for data 43% of its time, most of it for decoding. Give it more threads: "
        "Feed(workers=3)."
    )


def test_as_a_dict():
    made = speed()
    assert made.as_dict() == {
        "rows": 100,
        "steps": 10,
        "seconds": 1.0,
        "samples_per_s": 100.0,
        "bytes_per_s": 100_000.0,
        "stages": {"read": 0.0095, "labels": 0.0005},
        "workers": 2,
        "threads_busy": 1.5,
        "step": 0.1,
        "waiting": 0.5,
        "alone": None,
        "slower": None,
        "bottleneck": "read",
        "remedy": made.remedy,
        "also": "",
    }


def test_a_report_of_nothing_divides_by_nothing():
    empty = Speed(0, 0, 0.0, dict.fromkeys(STAGES, 0.0), 0.0, None, None, SETUP)
    assert (empty.samples_per_s, empty.step, empty.waiting) == (0.0, 0.0, None)
    assert str(empty).startswith("0 rows in 0 batches: 0 samples/s")


def test_a_meter_sums_over_threads():
    meter = Meter()

    def work():
        for _ in range(50):
            laps = meter.laps()
            laps("read")
            laps("inputs")
            laps.done(rows=4)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.rows == 800
    assert {stage for stage, value in meter.seconds.items() if value} == {"read", "inputs"}
    assert meter.per_row["read"] == meter.seconds["read"] / 800


def test_what_is_done_once_is_forgotten_when_there_is_more():
    meter = Meter()
    meter.add({"decode": 9.0}, 1)
    meter.begin()
    assert (meter.per_row["decode"], meter.steady) == (9.0, False)
    meter.add({"decode": 0.5}, 2)
    assert (meter.per_row["decode"], meter.steady) == (0.25, True)


def test_a_meter_that_has_ended_gives_no_clock_and_takes_nothing():
    meter = Meter()
    late = meter.laps()
    meter.end()
    late("read")
    late.done(rows=3)
    assert (meter.laps(), meter.rows) == (None, 0)


@pytest.fixture
def meter(clock):
    """A meter of 40 rows and 10 seconds: a row takes 0.1 s to read and 0.02 s to encode."""
    made = Meter()
    made.add({"read": 4.0, "inputs": 0.8}, 40)
    clock.sleep(10.0)
    made.end()
    return made


def test_a_feed_by_itself(meter):
    found = meter.alone(SETUP, workers=0, steps=4, rows=40)
    assert (found.elapsed, found.samples_per_s, found.threads_busy) == (10.0, 4.0, pytest.approx(0.48))
    # of the 0.25 s of a row in line, what belongs to no stage is handing it over
    assert found.seconds == {**dict.fromkeys(STAGES, 0.0), "read": 0.1, "inputs": 0.02, "hand over": 0.13}
    by_threads = meter.alone(SETUP, workers=2, steps=4, rows=40)
    assert by_threads.seconds["hand over"] == 0


@pytest.mark.parametrize(
    ("workers", "worked", "waited", "settled", "expected"),
    [
        (0, 2.0, 4.8, 0.0, 4.8),  # in line: all that the feed takes
        (0, 2.0, 0.0, 0.8, 4.0),  # of which some is hidden while the device works
        (2, 2.0, 0.0, 0.0, 0.4),  # two threads need 2.4 s, whatever was prepared ahead
        (2, 2.0, 1.0, 0.0, 1.0),  # as long as was seen, at least
        (2, 9.0, 0.0, 0.0, 0.0),  # the model takes longer than that
    ],
)
def test_how_long_training_waits(meter, workers, worked, waited, settled, expected):
    setup = dataclasses.replace(SETUP, workers=workers)
    found = meter.beside_model(setup, 4, worked, waited, settled)
    assert found.waited == pytest.approx(expected)
    assert found.elapsed == pytest.approx(worked + expected)
    assert (found.rows, found.steps) == (40, 4)


def test_before_there_is_steady_work_only_what_was_seen_counts_as_waiting(meter):
    meter.on = True
    meter.begin()
    assert meter.beside_model(SETUP, 4, 0.0, 0.5, 0.0).waited == 0.5


@pytest.mark.parametrize(("workers", "busy"), [(0, 1.0), (1, 1.0), (3, 3.0), (8, 4.8)])
def test_no_more_threads_are_busy_than_there_are(workers, busy, clock):
    meter = Meter()
    meter.add({"read": 4.8}, 40)
    clock.sleep(1.0)
    meter.end()
    assert meter.alone(SETUP, workers, 4, 40).threads_busy == pytest.approx(busy)
