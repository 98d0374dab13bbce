"""fit in several processes: one model, or none."""

import json
import socket

import keras
import numpy as np
import pytest

import polyhead as ph
import programs
from polyhead.keras_bridge import devices
from polyhead.keras_bridge.keras_call import Call

BACKEND = keras.backend.backend()

MEET = {
    "torch": """
import torch, torch.distributed
torch.distributed.init_process_group("gloo", init_method="file://" + folder + "/meeting", rank=rank, world_size=2)
""",
    "jax": """
import jax
jax.distributed.initialize("127.0.0.1:" + sys.argv[3], num_processes=2, process_id=rank)
""",
}

BEGIN = """
import json, pathlib, sys
rank, folder = int(sys.argv[1]), sys.argv[2]
"""

MODEL = """
import keras, numpy as np
import polyhead as ph

keras.utils.set_random_seed(1)
x = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
rows = {"x": x, "y": x.sum(1) > 0}

def make(batch_size=8, **changes):
    arguments = {"inputs": "x", "heads": {"y": ph.Binary()}, "batch_size": batch_size, "shuffle": True, **changes}
    feed = ph.Feed(rows, **arguments)
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, ph.outputs(inputs, feed.heads))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    return feed, model

def weights(model):
    return [w.tolist() for w in model.get_weights()]

def done(**found):
    pathlib.Path(folder, f"{rank}.json").write_text(json.dumps(found))
"""

REFUSED = """
feed, model = make()
before, found = weights(model), {"shard": feed.shard}
try:
    model.fit(feed, epochs=3, verbose=0)
except ph.ContractError as error:
    found["error"] = str(error)
found["same"] = weights(model) == before
found["evaluated"] = model.evaluate(feed, verbose=0, return_dict=True)["loss"]
found["all"] = model.evaluate(feed.on(rows, shard=(0, 1)), verbose=0, return_dict=True)["loss"]
found["predicted"] = len(model.predict(feed, verbose=0)["y"])
alone, model = make(shard=(0, 1))
model.fit(alone, epochs=2, verbose=0)
found["steps"] = int(model.optimizer.iterations)
"""

HOOKS = """
def average(parameter):
    torch.distributed.all_reduce(parameter.grad)
    parameter.grad /= torch.distributed.get_world_size()

feed, model = make()
initial = [w.numpy().copy() for w in model.weights]
for parameter in model.parameters():
    parameter.register_post_accumulate_grad_hook(average)
model.fit(feed, epochs=3, verbose=0)
one, single = make(16, shard=(0, 1))
for mine, first in zip(single.weights, initial):
    mine.assign(first)
single.fit(one, epochs=3, verbose=0)
hooked = [weights(model), weights(single)]
"""


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What two processes write, which have met: a pair for all that is asked of them, as they take long to begin."""
    folder = tmp_path_factory.mktemp("two")
    hooked = f"{HOOKS}\ndone(refused=found, hooked=hooked)"
    program = REFUSED + (hooked if BACKEND == "torch" else "done(refused=found)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code = BEGIN + MEET[BACKEND] + MODEL + program
    started = [programs.Program(code, rank, folder, port) for rank in (0, 1)]
    try:
        for one in started:
            one.output()
    finally:
        for one in started:
            one.kill()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="its processes share gradients by a strategy")
def test_processes_that_share_no_gradients_are_refused_before_the_first_step(two_processes):
    found = [one["refused"] for one in two_processes]
    assert [one["shard"] for one in found] == [[0, 2], [1, 2]]
    for one in found:
        assert one["error"].startswith(
            "fit, in 2 processes: expected gradients that the processes share, got nothing that shares them: each "
            "would train another model, on its part of the rows. "
        )
        assert ("set_distribution" if BACKEND == "jax" else "register_post_accumulate_grad_hook") in one[
            "error"
        ]
        assert "say Feed(shard=(0, 1))" in one["error"]
        assert one["same"]
        assert one["evaluated"] == one["all"] or BACKEND == "jax"
        assert one["predicted"] == 96
        assert one["steps"] == 2 * 12


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="hooks of PyTorch")
def test_gradients_that_hooks_average_train_the_model_of_one_device(two_processes):
    (first, alone), (second, _) = (one["hooked"] for one in two_processes)
    assert first == second
    for mine, one in zip(first, alone, strict=True):
        assert np.allclose(mine, one, atol=1e-5)


# Without processes: who is taken to share them ----------------------------------------------------------


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr("polyhead.keras_bridge.devices.this_shard", lambda: (0, 2))


def make(own_step=False, **changes):
    rows = {"x": np.zeros((8, 2), "float32"), "y": np.arange(8) % 2}
    feed = ph.Feed(rows, inputs="x", heads={"y": ph.Binary()}, batch_size=4, **changes)

    class Own(keras.Model):
        def train_step(self, *arguments):
            return super().train_step(*arguments)

    x = keras.Input((2,), name="x")
    model = (Own if own_step else keras.Model)(x, ph.outputs(x, feed.heads))
    ph.compile(model, feed, optimizer="sgd")
    return feed, model


def test_one_process_is_not_asked():
    feed, model = make()
    model.fit(feed, verbose=0)


@pytest.mark.usefixtures("two")
def test_a_feed_made_before_the_processes_met_is_refused_and_one_that_is_alone_by_its_word_is_not():
    feed, model = make()
    assert feed.shard == (0, 1)
    with pytest.raises(ph.ContractError, match=r"fit, in 2 processes: expected gradients"):
        model.fit(feed, verbose=0)
    assert int(model.optimizer.iterations) == 0
    for shard in ((0, 2), (1, 2)):
        feed, model = make(shard=shard)
        with pytest.raises(ph.ContractError, match=r"fit, in 2 processes"):
            model.fit(feed, verbose=0)
    feed, model = make(shard=(0, 1))
    model.fit(feed, validation_data=feed.on(feed.source), verbose=0)
    assert int(model.optimizer.iterations) == 2


@pytest.mark.usefixtures("two")
def test_a_step_of_ones_own_is_warned_of():
    feed, model = make(own_step=True)
    with pytest.warns(ph.PolyheadWarning, match=r"fit, in 2 processes"):
        model.fit(feed, verbose=0)


@pytest.mark.usefixtures("two")
@pytest.mark.skipif(BACKEND != "torch", reason="hooks of PyTorch")
@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_on_all_parameters_share(register):
    feed, model = make()
    parameters = list(model.parameters())
    for i, parameter in enumerate(parameters):
        if i:
            with pytest.raises(ph.ContractError):
                model.fit(feed, verbose=0)
        getattr(parameter, register)(lambda found: None)
    model.fit(feed, verbose=0)
    assert len(parameters) == 2


@pytest.mark.usefixtures("two")
@pytest.mark.skipif(BACKEND != "jax", reason="a distribution of JAX")
def test_a_distribution_of_keras_shares(monkeypatch):
    feed, model = make()
    monkeypatch.setattr("polyhead.keras_bridge.devices.require_shares", lambda *arguments: None)
    distribution = keras.distribution.DataParallel()
    with distribution.scope():
        feed, model = make()
        model.fit(feed, verbose=0)
    assert int(model.optimizer.iterations) == 2


# Batches that the devices share ---------------------------------------------------------------------------

EVALUATE = "ph.evaluate(model, feed) takes any number of rows."


@pytest.mark.parametrize(
    ("use", "rows", "batch_size", "words"),
    [
        ("fit", 100, 30, "batch_size: {} 30. Say batch_size=28 or batch_size=32."),
        ("evaluate", 100, 3, "batch_size: {} 3. Say batch_size=4."),
        (
            "validation",
            99,
            33,
            "fit(validation_data=), batch_size: {} 33. Say batch_size=32 or batch_size=36.",
        ),
        ("fit", 30, 28, "last batch: {} 2. Say Feed(drop_remainder=True), or leave out 2 rows."),
        ("fit", 30, 32, "last batch: {} 30. Leave out 2 rows."),
        ("fit", 3, 32, "last batch: {} 3. Give at least 4 rows, or use fewer devices."),
        ("evaluate", 5, 32, f"last batch: {{}} 5. Leave out 1 row. {EVALUATE}"),
        ("predict", 5, 32, "last batch: {} 5. Say ph.predict(model, feed), which takes any number of rows."),
        ("fit", 60, 28, None),
        ("predict", 4, 32, None),
    ],
)
def test_rows_that_the_devices_do_not_divide_come_with_numbers_that_they_do(use, rows, batch_size, words):
    data = {"x": np.zeros((rows, 2)), "y": np.arange(rows) % 2}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=batch_size)
    sizes = feed._sizes(Call("evaluate" if use == "validation" else use))
    if words is None:
        devices.require_shares(use, sizes, 4)
        return
    with pytest.raises(ph.ContractError) as error:
        devices.require_shares(use, sizes, 4)
    assert str(error.value) == words.format("expected a number of rows that 4 devices divide, got")
