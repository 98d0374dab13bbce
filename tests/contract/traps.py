"""What the tests of the traps share: the mark that each carries, small models, and plain Keras made to speak.

A trap is what makes plain Keras train on something else than was meant, or fail without saying why. Each test
shows first what the Keras that is installed does, then what polyhead does instead.
"""

import contextlib
import itertools
import os
import re
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import programs

BACKEND = keras.backend.backend()
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:3])

# Keras warns of what is the matter in some of the traps; where a warning is the point, a test asks for it.
CHATTER = ("Your input ran out of data", "`shuffle=True` was passed, but will be ignored")


def trap(number, name, *, keras, polyhead, versions="all"):
    """Mark a test as that of one trap. `table.py` reads these words from the source, so they are literals.

    Args:
        number: 1 to 31.
        name: the mistake.
        keras: what plain Keras makes of it.
        polyhead: what polyhead makes of it.
        versions: of Keras in which it does, of those from 3.10 to 3.16; the test says so too.
    """

    def mark(test):
        return pytest.mark.filterwarnings(*(f"ignore:{re.escape(words)}" for words in CHATTER))(test)

    assert 1 <= number <= 31, (name, keras, polyhead, versions)
    return mark


# Models --------------------------------------------------------------------------------------------


def dense(outputs, kind=list, kernel=0.0, width=2, inputs=("x",)):
    """A linear model with a constant kernel: it predicts 0, or the sum of its inputs times the kernel."""
    tensors = [keras.Input((width,), name=name) for name in inputs]
    joined = tensors[0] if len(tensors) == 1 else keras.layers.Concatenate()(tensors)
    constant = keras.initializers.Constant(kernel)
    made = {
        name: keras.layers.Dense(units, name=name, kernel_initializer=constant)(joined)
        for name, units in outputs.items()
    }
    return keras.Model(
        tensors if len(tensors) > 1 else tensors[0], made if kind is dict else list(made.values())
    )


def plain(model, loss="mse", rate=0.0, **arguments):
    """Compiled as Keras has it; a rate of 0 keeps the weights where they are, so that losses can be foretold.

    TensorFlow takes far longer to trace a step than to run it once as it is: it traces where a test says so, as its
    answer or many steps depend on it.
    """
    arguments.setdefault("run_eagerly", BACKEND == "tensorflow")
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss, **arguments)
    return model


def still():
    """An optimizer that moves nothing."""
    return keras.optimizers.SGD(0.0)


def fitted(model, *data, epochs=1, **arguments):
    """What `fit` logs of its last epoch, as floats."""
    history = model.fit(*data, epochs=epochs, verbose=0, **arguments).history
    return {name: pytest.approx(float(values[-1]), rel=1e-4) for name, values in history.items()}


def column(*values):
    """Values as Keras has labels: float32 (B, 1)."""
    return np.array(values, "float32")[:, None]


ONES = column(1, 1, 1, 1)
THREES = 3 * ONES
X = np.zeros((4, 2), "float32")


# Batches -------------------------------------------------------------------------------------------


def numbered(count, rows=4):
    """Batches that say which they are: the label of the output `which` is the batch's number."""
    for i in range(count):
        yield (
            np.full((rows, 2), i, "float32"),
            (np.full((rows, 1), i, "float32"), np.ones((rows, 1), "float32")),
        )


def for_ever(count):
    """Numbered batches, again and again, as a generator."""
    yield from (batch for _ in itertools.count() for batch in numbered(count))


class Batches(keras.utils.PyDataset):
    """A `PyDataset` of given batches."""

    def __init__(self, batches, **arguments):
        super().__init__(**arguments)
        self.batches = list(batches)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class Count(keras.metrics.Metric):
    """How often each whole-numbered label came by, counted inside the compiled step."""

    def __init__(self, size, name="count"):
        super().__init__(name=name)
        self.size = size
        self.seen = self.add_weight(shape=(size,), initializer="zeros", name="seen")

    def update_state(self, y_true, y_pred, sample_weight=None):
        numbers = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        self.seen.assign_add(ops.sum(ops.one_hot(numbers, self.size, dtype="float32"), axis=0))

    def result(self):
        return ops.sum(self.seen)


class Epochs(keras.callbacks.Callback):
    """What a `Count` held at the end of each epoch."""

    def __init__(self, count):
        super().__init__()
        self.count, self.seen = count, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(ops.convert_to_numpy(self.count.seen.value).astype(int).tolist())


class Steps(keras.callbacks.Callback):
    """Counts steps and epochs, and breaks off after `limit` steps."""

    def __init__(self, limit=None):
        super().__init__()
        self.limit, self.steps, self.epochs = limit, 0, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == self.limit:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


def epochs_seen(data, batches, **arguments):
    """For each epoch of plain Keras how often it trained on each of the numbered batches."""
    count = Count(batches)
    model = plain(dense({"which": 1, "other": 1}), metrics=[[count], []], run_eagerly=False)
    log = Epochs(count)
    model.fit(data, verbose=0, callbacks=[log], **arguments)
    return [[rows // 4 for rows in seen] for seen in log.seen]


def ran_out_of_data(warned=True):
    """A check that plain Keras warns of an epoch that ended early; for the others, that it need not."""
    return pytest.warns(UserWarning, match=CHATTER[0]) if warned else contextlib.nullcontext()


# Errors and processes ------------------------------------------------------------------------------


def told(error):
    """The words of an error that came through a backend or not."""
    return str(error.value)


@contextlib.contextmanager
def no_step():
    """A check that no training step was made in the block: the callback to give to `fit`."""
    steps = Steps()
    yield steps
    assert steps.steps == 0


def in_process(code, **environment):
    """Run code in a process of its own; what it printed."""
    setup = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); from traps import *\n"
    return programs.run(setup + code, **environment)


@contextlib.contextmanager
def quiet():
    """Warnings that are not the matter of a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
