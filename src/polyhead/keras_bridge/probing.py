"""Calls losses and metrics on made-up rows, to find out what they do. Imports keras: import this lazily.

JAX compiles every operation that is called by itself, a second for the operations of some losses. So there a call is
compiled as one step, as in training.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


def rows_to_try() -> tuple[np.ndarray, np.ndarray]:
    """Return random labels and outputs in (0, 1), float32 ``(7, 3)``."""
    rng = np.random.default_rng(0)
    true, pred = rng.uniform(0.05, 0.95, (2, 7, 3)).astype("float32")
    return true, pred


def remembered(subject: Any, probe: Callable[[], bool]) -> bool:
    """Return what a probe finds; it runs once for Keras's own losses or metrics with equal arguments."""
    config = subject.get_config() if type(subject).__module__.startswith("keras.") else {"fn": None}
    if "fn" in config:  # a user's function
        return probe()
    key = type(subject), json.dumps({**config, "name": None}, default=str, sort_keys=True)
    if key not in _REMEMBERED:
        _REMEMBERED[key] = probe()
    return _REMEMBERED[key]


_REMEMBERED: dict[tuple[type, str], bool] = {}


def result(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """Return the result of a function of tensors.

    Raises:
        Exception: whatever the function raises.

    >>> float(result(keras.losses.mean_squared_error, np.ones((1, 2), "float32"), np.zeros((1, 2), "float32"))[0])
    1.0
    """
    if keras.backend.backend() == "jax":
        import jax

        try:
            return np.asarray(jax.jit(function)(*arrays))
        except Exception:  # a function that needs numbers cannot be compiled
            pass
    values: np.ndarray = ops.convert_to_numpy(function(*map(ops.convert_to_tensor, arrays)))
    return values


def result_of_metric(metric: keras.metrics.Metric, *arrays: np.ndarray) -> np.ndarray:
    """Return the result of a new metric for one batch.

    Raises:
        Exception: whatever the metric raises.
    """

    def stateless(*batch: Any) -> Any:
        state = [variable.value for variable in metric.variables]
        return metric.stateless_result(metric.stateless_update_state(state, *batch))

    def stateful(*batch: Any) -> Any:
        metric.update_state(*batch)
        return metric.result()

    # a metric may make its variables in its first update
    return result(stateless if metric.variables else stateful, *arrays)


def shape_of_result(function: Callable[..., Any], *arrays: np.ndarray) -> tuple[int, ...]:
    """Return the shape of the result of a function of tensors, whose variables do not change.

    Raises:
        Exception: whatever the function raises.
    """
    with keras.StatelessScope():  # a running mean of a user's loss must not change
        if keras.backend.backend() == "jax":
            import jax

            return tuple(jax.eval_shape(function, *arrays).shape)
        return tuple(function(*map(ops.convert_to_tensor, arrays)).shape)
