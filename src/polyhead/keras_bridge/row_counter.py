"""A callback that counts the rows that `predict` has done. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


class RowCounter(keras.callbacks.Callback):
    """Tells how many more rows of a prediction are done, batch by batch.

    Args:
        done: is told.
        batch_size: rows in a batch.
        rows: all of them; the last batch may be smaller.
    """

    def __init__(self, done: Callable[[int], None], batch_size: int, rows: int) -> None:
        super().__init__()
        self._done, self._batch_size, self._rows, self._told = done, batch_size, rows, 0

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the rows up to this batch."""
        now = min((batch + 1) * self._batch_size, self._rows)
        self._done(now - self._told)
        self._told = now
