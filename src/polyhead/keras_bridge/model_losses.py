"""Replaces Keras's losses on a compiled model. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from polyhead.errors import ContractError, Problem
from polyhead.keras_bridge.by_head import head_arrays
from polyhead.keras_bridge.losses import LabeledMean, keras_mask, replicas
from polyhead.keras_bridge.structure import Path


class HeadLoss(keras.metrics.Metric):
    """The loss of one head over an epoch: the mean over the labeled values in it.

    Attributes:
        asked: whether a step has computed it; a model with its own ``compute_loss`` may never do so.
        mean_weight: the mean sample weight over the training rows, a variable, so that a compiled step follows it.
    """

    def __init__(self, name: str, loss: LabeledMean) -> None:
        super().__init__(name=name)
        self.asked = False
        self._summed = loss.summed
        self.total, self.weight, self.stepped, self.rows = self._sums = [
            self.add_weight(shape=(), initializer="zeros", name=part)
            for part in ("total", "weight", "stepped", "rows")
        ]
        start = 1.0 if loss.mean_weight is None else loss.mean_weight
        self.mean_weight = keras.Variable(start, dtype=self.dtype, trainable=False, name="mean_weight")

    def update_state(self, *_: Any, **__: Any) -> None:
        """Do nothing: `HeadLosses` counts each batch. A ``train_step`` of Keras's guide calls it for each metric."""

    def count(self, step: Any, total: Any, weight: Any, rows: Any) -> None:
        """Count a batch of ``rows``, by its loss and the sums for the mean over labeled values."""
        self.asked = True  # set while the step is traced, before any result is read
        rows = ops.cast(rows, self.dtype)
        for state, value in zip(
            self._sums, (total, weight, step * ops.cast(rows, step.dtype), rows), strict=True
        ):
            state.assign_add(ops.cast(value, self.dtype))

    def reset_state(self) -> None:
        """Reset the state for a new epoch, except the mean weight of the training rows."""
        for state in self._sums:
            state.assign(ops.zeros((), state.dtype))

    def result(self) -> Any:
        """Return the mean over labeled values, or over steps for a sum; NaN without labels.

        There is no log if no step has computed the loss.
        """
        if not self.asked:
            return {}
        found = self.of_steps() if self._summed else ops.divide_no_nan(self.total, self.weight)
        return self.where_labeled(found)

    def where_labeled(self, found: Any) -> Any:
        """Return ``found``, or NaN if nothing was labeled.

        Only the loss knows that. In an epoch that does not compute it, as after ``model.compile`` with a Keras loss,
        the result is ``found``.
        """
        weight = ops.convert_to_tensor(self.weight)
        return where_labeled(ops.where(self.rows > 0, weight, 1), found) if self.asked else found

    def of_steps(self) -> Any:
        """The mean of the steps' losses, weighted by batch size."""
        return ops.divide_no_nan(self.stepped, self.rows)


def where_labeled(weight: Any, found: Any) -> Any:
    """Return ``found``, or NaN if the weights sum to 0, as a loss of 0 would be the best possible."""
    if isinstance(found, Mapping):
        return {name: where_labeled(weight, value) for name, value in found.items()}
    found = ops.cast(found, keras.backend.floatx())
    return ops.where(weight > 0, found, ops.full_like(found, float("nan")))


class HeadLosses:
    """The losses of all heads, a replacement of Keras's ``CompileLoss``.

    Args:
        paths: ``{head: path in the model's output}``.
        losses: ``{head: LabeledMean}``.
        weights: ``{head: share in the total}``.

    Attributes:
        given: the compile arguments with which the model is saved.
    """

    built = True

    def __init__(
        self, paths: Mapping[str, Path], losses: Mapping[str, LabeledMean], weights: Mapping[str, float]
    ) -> None:
        self.paths, self.losses, self.weights = dict(paths), dict(losses), dict(weights)
        self.heads = {name: HeadLoss(f"{name}_loss", losses[name]) for name in paths}
        self.metrics = list(self.heads.values())
        self.given: dict[str, Any] = {}
        self._masks: dict[str, Any] = {}
        self._rows: Any = None

    @property
    def variables(self) -> list[Any]:
        """The state of the logged losses."""
        return [v for metric in self.metrics for v in metric.variables]

    def normalize(self, mean_weights: Mapping[str, float]) -> None:
        """Set the mean sample weights of other training rows, for losses that are divided by them."""
        for name, value in mean_weights.items():
            if not self.losses[name].batch_mean and self.losses[name].mean_weight != value:
                self.losses[name].mean_weight = value
                self.heads[name].mean_weight.assign(value)

    def mask(self, name: str, pred: Any) -> Any:
        """Return the Keras mask of a head's output in the step whose loss was just computed; None without one.

        JAX computes a loss inside its gradient, and passes the output to metrics as a new array without the mask.
        """
        before = self._masks.pop(name, None)
        found = keras_mask(pred)
        return before if found is None and keras.backend.backend() == "jax" else found

    def rows(self) -> Any:
        """Return the number of rows of the batch whose loss was just computed, once; None without one."""
        found, self._rows = self._rows, None
        return found

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the total loss of a batch; on several TensorFlow replicas, the part of this one."""
        self._require_state()
        parts, count = [], replicas()
        for name, true, pred, weight in head_arrays(y_true, y_pred, sample_weight, self.paths):
            self._masks[name] = keras_mask(pred)
            found = self.heads[name]
            step, total, weights = self.losses[name].measure(true, pred, weight, found.mean_weight)
            self._rows = ops.shape(pred)[0]
            found.count(step * count, total, weights, self._rows)
            parts.append(self.weights[name] * step)
        return sum(parts[1:], parts[0])

    def _require_state(self) -> None:
        """Raise if the variables are empty, as while Keras trains on JAX, and not in a ``StatelessScope`` either."""
        if keras.backend.backend() != "jax" or all(v._value is not None for v in self.variables):
            return
        from keras.src.backend.common.stateless_scope import in_stateless_scope

        if not in_stateless_scope():
            expected = "a call within keras.StatelessScope, as it counts the loss of each head"
            fix = (
                "In a train_step of your own, take the gradient of self.compute_loss_and_updates, as that of "
                "keras.Model does on JAX."
            )
            raise ContractError(Problem("compute_loss()", expected, "one outside of it", fix))


class EpochLoss(keras.metrics.Mean):
    """The logged total loss: the heads' losses over the epoch, times their weights, and all that the model adds.

    A head without labels in the epoch does not count. In an evaluation without any labels the total is NaN, as 0 would
    be the best possible. In training it is not NaN, because ``TerminateOnNaN`` checks it after each batch.

    Attributes:
        evaluates: 1 in an evaluation, else 0; a variable, so that a compiled step follows it.
    """

    def __init__(self, losses: HeadLosses) -> None:
        super().__init__(name="loss")
        self._losses = losses
        self.evaluates = keras.Variable(0.0, dtype=self.dtype, trainable=False, name="evaluates")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Count a step's total by the number of its rows, also in a ``train_step`` that does not pass it."""
        rows = self._losses.rows()
        super().update_state(values, rows if sample_weight is None else sample_weight)

    def reset_state(self) -> None:
        """Reset the state for a new epoch, except whether it is an evaluation."""
        for state in (self.total, self.count):
            state.assign(ops.zeros((), state.dtype))

    def result(self) -> Any:
        """Return the mean of the steps' totals, with each head's part replaced by its mean over labeled values."""
        total, asked = super().result(), {n: head for n, head in self._losses.heads.items() if head.asked}
        for name, head in asked.items():
            found = ops.where(head.weight > 0, head.result(), ops.zeros_like(total))
            total = total + self._losses.weights[name] * (found - head.of_steps())
        counting = [head.weight for name, head in asked.items() if self._losses.weights[name]]
        labels = sum(counting) + (1 - self.evaluates) if counting else 1
        return where_labeled(labels, total)


def begin_epoch(model: Any, use: str) -> None:
    """Set whether ``"fit"`` or ``"evaluate"`` begins an epoch, for a model with an `EpochLoss`."""
    total = getattr(model, "_loss_tracker", None)
    if isinstance(total, EpochLoss):
        total.evaluates.assign(float(use == "evaluate"))


def install(model: Any, losses: HeadLosses, metrics: Any) -> None:
    """Replace Keras's losses and metrics on a compiled model by those of the heads.

    Keras keeps them in private attributes; the tests run on every supported minor version of Keras.

    Args:
        model: a model compiled with the same losses and metrics, with which it is saved and loaded.
        metrics: the metrics of its heads, a `HeadMetrics`.
    """
    from keras.src.utils.tracking import DotNotTrackScope

    with DotNotTrackScope():
        model._compile_loss = losses
        model._loss_tracker = EpochLoss(losses)
        model._compile_metrics = metrics
