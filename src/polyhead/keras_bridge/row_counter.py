"""A callback that reports the progress of `predict` in rows. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


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
