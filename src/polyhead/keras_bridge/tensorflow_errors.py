"""Raises the original error of making a batch, which TensorFlow would replace by its own.

TensorFlow converts an error in a function called by its graph to its own, with the traceback as text. Keras draws all
batches of a call inside its ``catch_stop_iteration``, which is wrapped here to raise the first error instead.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any


class Raised:
    """Keeps the error of making a batch, and raises it when Keras gets TensorFlow's error for it."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def watch(self, batches: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
        """Wrap the function that makes batches, so that their errors are kept."""

        def begun() -> Iterator[Any]:
            try:
                yield from batches()
            except Exception as error:
                self.error = error
                raise

        return begun

    def raise_in(self, run: Any) -> None:
        """Make Keras's iterator over a call's epochs raise the error that was kept.

        Args:
            run: the iterator; None, or an iterator of another form, stays unchanged.
        """
        catch = getattr(type(run), "catch_stop_iteration", None)
        if catch is None:
            return
        refers = weakref.ref(run)  # the iterator gets the function below, which must not keep it alive

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
