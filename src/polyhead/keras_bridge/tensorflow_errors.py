"""Raises an error of making a batch as it is, where TensorFlow would raise one of its own.

TensorFlow turns an error of a function that its graph calls into one of its own, with the traceback as text. Keras
draws all batches of a call within its ``catch_stop_iteration``, so there the first error takes its place again.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any


class Raised:
    """Keeps the error of making a batch, and raises it where Keras gets TensorFlow's error for it."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def watched(self, batches: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
        """The same batches, with what they raise kept."""

        def begun() -> Iterator[Any]:
            try:
                yield from batches()
            except Exception as error:
                self.error = error
                raise

        return begun

    def through(self, run: Any) -> None:
        """Let Keras's iterator over a call's epochs raise what was kept.

        Args:
            run: the iterator; None, or one of another form, stays as it is.
        """
        catch = getattr(type(run), "catch_stop_iteration", None)
        if catch is None:
            return
        refers = weakref.ref(run)  # it has this function, which must not keep it

        @contextlib.contextmanager
        def catch_stop_iteration() -> Iterator[None]:
            import tensorflow as tf

            try:
                with catch(refers()):
                    yield
            except tf.errors.OpError:
                error, self.error = self.error, None
                if error is None:
                    raise
                raise error from None

        run.catch_stop_iteration = catch_stop_iteration
