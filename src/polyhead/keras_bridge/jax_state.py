"""Weights that survive an error of a feed on JAX.

While Keras trains, evaluates or predicts on JAX, the variables of a model are empty: their values go from step to step
in a local variable of the method, and come back after the last one. An error that comes out of the feed in between
would leave the model without them. So where a feed raises, the values are given back first, from the frames that call
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polyhead.keras_bridge.keras_call import keras_frames

_PARTS = ("trainable_variables", "non_trainable_variables")
_STATE = {
    "fit": (*_PARTS, "optimizer_variables", "metrics_variables"),
    "evaluate": (*_PARTS, "metrics_variables"),
    "predict": _PARTS,
}
"""The parts of the state in each method of Keras."""


def surviving(batches: Iterator[Any]) -> Iterator[Any]:
    """The same batches; the model that draws them keeps its weights where this raises, or is interrupted."""
    with keeps_weights():
        yield from batches


@contextmanager
def keeps_weights() -> Iterator[None]:
    """Give the model behind this call its weights back where the block raises: those of the last finished step."""
    try:
        yield
    except GeneratorExit:  # the iterator was closed
        raise
    except BaseException:
        give_back()
        raise


def give_back() -> None:
    """Give the variables of the model behind this call their values, if a method of Keras has taken them."""
    state: Any = None
    for frame in keras_frames():
        names, method = frame.f_locals, frame.f_code.co_name
        # the innermost is the newest, where one call takes several steps
        if state is None and isinstance(names.get("state"), tuple):
            state = names["state"]
        model: Any = names.get("self")
        if method in _STATE and hasattr(model, "jax_state_sync"):
            if state is not None and not getattr(model, "_jax_state_synced", True):
                model._jax_state = dict(zip(_STATE[method], state, strict=True))
                model.jax_state_sync()
                model._jax_state = None  # as after the last step: a later run must not take it for its own
            return
