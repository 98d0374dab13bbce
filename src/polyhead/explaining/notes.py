"""Adds an explanation to the traceback of errors raised by ``fit``, ``evaluate`` and ``predict`` of Keras.

On JAX, the model also keeps its weights then. Labels in other units than the model predicts give a warning before.

Python prints the notes of an error below it. Only known messages get one. Of the data only arrays are read, so that no
user's code runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from polyhead.checks.compiled_declaration import declaration_of
from polyhead.checks.compiled_model import head_losses
from polyhead.doctor.examination import Examination
from polyhead.errors import PolyheadError, Problem, place, warn
from polyhead.explaining.explanation import examined, explain_message, often_of_data, with_validation
from polyhead.explaining.keras_error import FailedCall, bound, raised_by_user, raised_in_data
from polyhead.keras_bridge.jax_state import keeping_weights

_NOTED = ("fit", "evaluate", "predict")
_LOOK = "The batches may not fit the model. ph.explain(error) reads them, and names the output and the row."


def add_notes() -> None:
    """Make Keras's methods add explanations to the errors that they raise; further calls have no effect."""
    import keras

    for name in _NOTED:
        owner = next(base for base in keras.Model.__mro__ if name in vars(base))
        method = vars(owner)[name]
        if not hasattr(method, "explains"):
            jax = keras.backend.backend() == "jax"
            setattr(owner, name, _explaining(keeping_weights(method) if jax else method))


def _explaining(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def noted(*args: Any, **kwargs: Any) -> Any:
        call = bound(method, args, kwargs)
        _check_units(call)
        try:
            return method(*args, **kwargs)
        except PolyheadError:
            raise
        except Exception as error:
            _add_note(error, call)
            raise

    noted.explains = True  # type: ignore[attr-defined]
    return noted


def _check_units(call: FailedCall) -> None:
    labels, validation = call.arguments.get("y"), call.validation
    if labels is not None and "_use_cached_eval_dataset" not in call.arguments:  # not the validation of `fit`
        fix = f"Say model.{call.method}(ph.declaration_of(model).feed(rows))."
        warn_of_units(call.model, f"{call.method}(y=)", labels, fix)
    if isinstance(validation, tuple) and len(validation) > 1:
        fix = "Say validation_data=feed.on(rows)."
        warn_of_units(call.model, "fit(validation_data=)", validation[1], fix)


def _add_note(error: Exception, call: FailedCall) -> None:
    explained_before = any(note.startswith("polyhead: ") for note in getattr(error, "__notes__", ()))
    if not call.method or explained_before:  # as in `evaluate` inside `fit`
        return
    if not call.in_memory and raised_in_data(error) is not None:  # the user's own error says what is wrong
        return
    text = f"{type(error).__name__}: {error}"
    try:
        report = examined(call.data, call.model) if call.in_memory else Examination()
        if call.in_memory and isinstance(call.validation, tuple):
            report = with_validation(report, call)
        explanation = explain_message(text, call, report, call.data)
    except Exception:  # a failing explanation must not hide the error
        return
    unread = call.data is not None and not call.in_memory and not explanation.problems
    if explanation.name:
        more = "\n  ph.explain(error) also reads the batches, and names the output and the row."
        error.add_note(explanation.note + more * unread)
    elif unread and often_of_data(text) and not raised_by_user(error):
        error.add_note("polyhead: " + _LOOK)


_MARGIN = np.log(10)
"""By how much a label has to be likelier in the units of the column, on average, as a logarithm."""

_ROWS = 1000
"""The most rows to judge labels by."""


def warn_of_units(model: Any, argument: str, labels: Any, fix: str) -> None:
    """Warn of heads whose labels are in the units of the column; Keras takes them for scaled numbers.

    Args:
        model: any Keras model.
        argument: what the labels were passed as, such as ``"evaluate(y=)"``.
        labels: arrays, in the structure of the model's outputs or by head; others are ignored.
        fix: what to pass instead.
    """
    losses = head_losses(model)
    if losses is None or labels is None:
        return
    from polyhead.keras_bridge.by_head import by_head

    try:
        heads, arrays = declaration_of(model).heads, by_head(labels, losses.paths)
    except PolyheadError:  # the step raises it, if it matters there
        return
    for name, array in arrays.items():
        scaling = heads[name].scaling if name in heads else None
        if scaling is not None and _in_units(array, scaling):
            where, found = f"{argument}, {place(head=name)}", "numbers in the units of the column"
            expected = "labels on the scale that the model predicts"
            warn(Problem(where, expected, found, f"Loss and metrics are wrong. {fix}"))


def _in_units(labels: Any, scaling: Any) -> bool:
    """Return whether labels are likelier to be numbers of the column than scaled ones, which are taken for normal."""
    if getattr(getattr(labels, "dtype", None), "kind", "") not in set("fiu"):  # of a tensor, it has none
        return False
    with np.errstate(all="ignore"):
        try:
            values = np.asarray(labels[:_ROWS], np.float64)
            scaled = scaling.transform(values)
            density = np.log(scaled.std() / values.std()) if np.ptp(values) else 0.0
        except Exception:  # no labels, or of another shape, or a user's own scale
            return False
        likelier = (np.mean(values**2) - np.mean(scaled**2)) / 2 + density
    return bool(likelier > _MARGIN)
