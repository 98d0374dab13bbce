"""Keeps a model's weights on JAX when a feed raises an error, or when several threads predict.

While Keras trains, evaluates or predicts on JAX, the variables of a model are empty: their values pass from step to
step in a local variable of the method, and return after the last one. An error raised by the feed in between would
leave the model without them. So when a feed raises, the values are first restored from the calling frames. A second
thread would find the model without them, so threads take turns.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polyhead.errors import ContractError, Problem
from polyhead.keras_bridge.keras_call import keras_frames
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
    """If the block raises, restore the weights of the model behind this call, from its last finished step."""
    try:
        yield
    except GeneratorExit:  # the iterator was closed
        raise
    except BaseException:
        restore_weights()
        raise


def restore_weights() -> None:
    """Restore the variables of the model behind this call, if a Keras method has taken their values."""
    state: Any = None
    for frame in keras_frames():
        names, method = frame.f_locals, frame.f_code.co_name
        # the innermost is the newest, if one call takes several steps
        if state is None and isinstance(names.get("state"), tuple):
            state = names["state"]
        model: Any = names.get("self")
        if method in _STATE and hasattr(model, "jax_state_sync"):
            if state is not None and not getattr(model, "_jax_state_synced", True):
                model._jax_state = dict(zip(_STATE[method], state, strict=True))
                model.jax_state_sync()
                model._jax_state = None  # as after the last step, so that a later run does not use it
            return
