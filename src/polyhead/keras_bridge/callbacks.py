"""The callbacks `Profile` and `RowCounter`, which watch ``fit`` and ``predict``. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from polyhead.errors import require_size
from polyhead.keras_bridge.wait_time import StepTimer
from polyhead.profiling import Speed


class Profile(keras.callbacks.Callback):
    """Measures in a real ``fit`` how long each step waits for the feed, and reports what would help.

    The first step, in which Keras compiles, and validation are not measured. While measuring, it waits for each step to
    finish, so that the work of the device does not count as waiting for data.

    Args:
        steps: the most steps to measure.
        verbose: 0 or 1; 1 prints the report when training ends.

    Attributes:
        report: a `Speed` once training has ended; None if fewer than two steps were measured, or the data is no feed.

    Raises:
        ContractError: if ``steps`` is no integer of at least 2, or ``verbose`` none of at least 0.

    >>> import keras, numpy as np
    >>> import polyhead as ph
    >>> data = {"x": np.arange(640.0), "y": np.arange(640) % 2}
    >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()})
    >>> x = keras.Input((1,), name="x")
    >>> model = keras.Model(x, ph.outputs(x, feed.heads))
    >>> model = ph.compile(model, feed, optimizer="sgd")
    >>> profile = ph.Profile(verbose=0)
    >>> history = model.fit(feed, verbose=0, callbacks=[profile])
    >>> profile.report.steps, 0 <= profile.report.waiting <= 1
    (19, True)
    """

    def __init__(self, steps: int = 1000, verbose: int = 1) -> None:
        require_size("Profile(steps=)", steps, 2)
        require_size("Profile(verbose=)", verbose, 0)
        super().__init__()
        self.steps, self.verbose = steps, verbose
        self.timer: StepTimer | None = None
        self.report: Speed | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Discard an earlier report."""
        self.timer = self.report = None

    def on_train_end(self, logs: Any = None) -> None:
        """Report."""
        if self.timer is not None:
            self.timer.end()
            self.report = self.timer.speed()
        if self.verbose:
            little = "polyhead: nothing to report, as fewer than two steps of a feed were measured."
            print(little if self.report is None else self.report)


class RowCounter(keras.callbacks.Callback):
    """Reports after each batch of a prediction how many more rows are done.

    Args:
        rows: the number of all rows; the last batch may be smaller.
    """

    def __init__(self, done: Callable[[int], None], batch_size: int, rows: int) -> None:
        super().__init__()
        self._done, self._batch_size, self._rows, self._reported = done, batch_size, rows, 0

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the rows up to this batch."""
        rows = min((batch + 1) * self._batch_size, self._rows)
        self._done(rows - self._reported)
        self._reported = rows
