"""Keeps a model's weights on JAX when a feed or a step raises an error, or when several threads predict.

While Keras trains, evaluates or predicts on JAX, the variables of a model are empty: their values pass from step to
step in a local variable of the method, and return after the last one. An error raised in between would leave the model
without them. So they are restored: from the calling frames when a feed raises, before Keras cleans up, and from the
traceback when a step does, whose operations cannot assign variables. A second thread would find the model without them,
so threads take turns.
"""

from __future__ import annotations

import functools
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from polyhead.errors import ContractError, Problem
from polyhead.keras_bridge.keras_call import keras_frames, of_keras
from polyhead.pipeline.prefetch import reads_rows

_PARTS = ("trainable_variables", "non_trainable_variables")
_STATE = {
    "fit": (*_PARTS, "optimizer_variables", "metrics_variables"),
    "evaluate": (*_PARTS, "metrics_variables"),
    "predict": _PARTS,
}
"""The parts of the state in each Keras method."""


_TURNS: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_MAKING = threading.Lock()


@contextmanager
def in_turn(model: Any) -> Iterator[None]:
    """Let only one thread at a time use the model; do nothing on other backends.

    Raises:
        ContractError: a thread that reads rows would wait, perhaps for the thread that waits for these rows.
    """
    import keras

    if keras.backend.backend() != "jax":
        yield
        return
    with _MAKING:
        turn = _TURNS.setdefault(model, threading.RLock())
    if not turn.acquire(blocking=not reads_rows()):
        fix = "Predict first, and give the predictions as a column."
        found = "one that is in use, and may wait for these rows"
        raise ContractError(Problem("predict(model)", "another model for reading rows", found, fix))
    try:
        yield
    finally:
        turn.release()


def with_kept_weights(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield the batches; if this raises or is interrupted, the model that draws them keeps its weights."""
    with keep_weights():
        yield from batches


@contextmanager
def keep_weights() -> Iterator[None]:
    """Restore the weights of the model behind this call, from its last finished step, if the block raises."""
    try:
        yield
    except GeneratorExit:  # the iterator was closed
        raise
    except BaseException:
        _restore_weights(keras_frames())
        raise


def keeping_weights(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of Keras, such as ``fit``, so that a step that raises leaves the model its weights."""
    from keras.src.utils.traceback_utils import filter_traceback

    inner = getattr(method, "__wrapped__", method)  # without Keras's filter, which drops the frames

    @functools.wraps(inner)
    def kept(*args: Any, **kwargs: Any) -> Any:
        try:
            return inner(*args, **kwargs)
        except BaseException as error:
            frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
            _restore_weights(filter(of_keras, reversed(frames)))
            raise

    filtered: Callable[..., Any] = filter_traceback(kept)
    return filtered


def _restore_weights(frames: Iterable[FrameType]) -> None:
    """Restore the variables of a model from the frames of the Keras method that has taken them, the innermost first."""
    state: Any = None
    for frame in frames:
        names, method = frame.f_locals, frame.f_code.co_name
        # the innermost is the newest, if one call takes several steps; those of a step have no values
        if state is None and isinstance(names.get("state"), tuple) and not _traced(names["state"]):
            state = names["state"]
        model: Any = names.get("self")
        if method in _STATE and hasattr(model, "jax_state_sync"):
            if state is not None and not getattr(model, "_jax_state_synced", True):
                model._jax_state = dict(zip(_STATE[method], state, strict=True))
                model.jax_state_sync()
                model._jax_state = None  # as after the last step, so that a later run does not use it
            return


def _traced(state: tuple[Any, ...]) -> bool:
    jax = sys.modules["jax"]
    return any(isinstance(value, jax.core.Tracer) for value in jax.tree.leaves(state))
