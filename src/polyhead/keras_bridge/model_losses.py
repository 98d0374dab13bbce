"""Replaces Keras's own losses on a compiled model. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from polyhead.keras_bridge.by_head import head_arrays
from polyhead.keras_bridge.losses import LabeledMean, keras_mask, replicas
from polyhead.keras_bridge.structure import Path


class HeadLoss(keras.metrics.Metric):
    """One head's loss over an epoch, the mean over what was labeled in it.

    Args:
        name: of the log.
        loss: that is logged.

    Attributes:
        asked: a step has computed it. A model with a ``compute_loss`` of its own may never do so.
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

    def update_state(self, step: Any, total: Any, weight: Any, rows: Any) -> None:
        """Count one batch of ``rows``: its loss, and the sums of which its mean over what is labeled is made."""
        self.asked = True  # while the step is traced, which is before anybody asks for a result
        rows = ops.cast(rows, self.dtype)
        for state, value in zip(
            self._sums, (total, weight, step * ops.cast(rows, step.dtype), rows), strict=True
        ):
            state.assign_add(ops.cast(value, self.dtype))

    def reset_state(self) -> None:
        """Start a new epoch; the mean weight of the training rows stays."""
        for state in self._sums:
            state.assign(ops.zeros((), state.dtype))

    def result(self) -> Any:
        """The mean over what was labeled, or of the steps for a loss that is a sum; NaN where nothing was labeled; no
        log at all where no step asks for it.
        """
        if not self.asked:
            return {}
        found = self.of_steps() if self._summed else ops.divide_no_nan(self.total, self.weight)
        return self.where_labeled(found)

    def where_labeled(self, found: Any) -> Any:
        """A result of the head, or NaN where nothing was labeled, which only its loss knows."""
        return where_labeled(self.weight, found) if self.asked else found

    def of_steps(self) -> Any:
        """The mean of the steps' losses by batch size."""
        return ops.divide_no_nan(self.stepped, self.rows)


def where_labeled(weight: Any, found: Any) -> Any:
    """The result, or NaN if all weights were 0: a loss of 0 would be the best there is."""
    if isinstance(found, Mapping):
        return {name: where_labeled(weight, value) for name, value in found.items()}
    found = ops.cast(found, keras.backend.floatx())
    return ops.where(weight > 0, found, ops.full_like(found, float("nan")))


class HeadLosses:
    """The losses of all heads, in the place of Keras's ``CompileLoss``.

    Args:
        paths: ``{head: where it stands in the model's output}``.
        losses: ``{head: LabeledMean}``.
        weights: ``{head: share in the total}``.
    """

    built = True

    def __init__(
        self, paths: Mapping[str, Path], losses: Mapping[str, LabeledMean], weights: Mapping[str, float]
    ) -> None:
        self.paths, self.losses, self.weights = dict(paths), dict(losses), dict(weights)
        self.heads = {name: HeadLoss(f"{name}_loss", losses[name]) for name in paths}
        self.metrics = list(self.heads.values())
        self._masks: dict[str, Any] = {}

    @property
    def variables(self) -> list[Any]:
        """The state of the logged losses."""
        return [v for metric in self.metrics for v in metric.variables]

    def normalize(self, mean_weights: Mapping[str, float]) -> None:
        """Take the mean sample weights of other training rows, where losses are divided by them."""
        for name, value in mean_weights.items():
            if not self.losses[name].batch_mean and self.losses[name].mean_weight != value:
                self.losses[name].mean_weight = value
                self.heads[name].mean_weight.assign(value)

    def mask(self, name: str, pred: Any) -> Any:
        """The Keras mask of a head's output, in the step whose loss was just computed; None where there is none.

        JAX computes a loss within its gradient, and gives metrics the output anew, without the mask.
        """
        before = self._masks.pop(name, None)
        found = keras_mask(pred)
        return before if found is None and keras.backend.backend() == "jax" else found

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total loss of a batch; of TensorFlow's replicas each has its part."""
        parts, count = [], replicas()
        for name, true, pred, weight in head_arrays(y_true, y_pred, sample_weight, self.paths):
            self._masks[name] = keras_mask(pred)
            found = self.heads[name]
            step, total, weights = self.losses[name].measure(true, pred, weight, found.mean_weight)
            found.update_state(step * count, total, weights, ops.shape(pred)[0])
            parts.append(self.weights[name] * step)
        return sum(parts[1:], parts[0])


class EpochLoss(keras.metrics.Mean):
    """The logged total loss: the heads' losses over the epoch, by their shares, and what else the model adds.

    A head without a label in the epoch takes no part in it. In an evaluation without any label it is NaN: the rows
    would be the best there are. While training it is not, as ``TerminateOnNaN`` looks at it after each batch.

    Attributes:
        evaluates: 1 in an evaluation, a variable, so that a compiled step follows it.
    """

    def __init__(self, losses: HeadLosses) -> None:
        super().__init__(name="loss")
        self._losses = losses
        self.evaluates = keras.Variable(0.0, dtype=self.dtype, trainable=False, name="evaluates")

    def reset_state(self) -> None:
        """Start a new epoch; whether it is an evaluation stays."""
        for state in (self.total, self.count):
            state.assign(ops.zeros((), state.dtype))

    def result(self) -> Any:
        """The mean of the steps' totals, with each head's part put right for what was labeled."""
        total, asked = super().result(), {n: head for n, head in self._losses.heads.items() if head.asked}
        for name, head in asked.items():
            found = ops.where(head.weight > 0, head.result(), ops.zeros_like(total))
            total = total + self._losses.weights[name] * (found - head.of_steps())
        counting = [head.weight for name, head in asked.items() if self._losses.weights[name]]
        labels = sum(counting) + (1 - self.evaluates) if counting else 1
        return where_labeled(labels, total)


def begin_epoch(model: Any, use: str) -> None:
    """Say that ``"fit"`` or ``"evaluate"`` begins an epoch of batches, for a model with such a loss."""
    total = getattr(model, "_loss_tracker", None)
    if isinstance(total, EpochLoss):
        total.evaluates.assign(float(use == "evaluate"))


def install(model: Any, losses: HeadLosses, metrics: Any) -> None:
    """Put the heads' losses and metrics in the place of Keras's own, on a model that has been compiled.

    Keras keeps them in private attributes; the tests run on every minor version of Keras that is supported.

    Args:
        model: compiled with the same losses and metrics, by which it is saved and loaded.
        losses: of its heads.
        metrics: of its heads, a `HeadMetrics`.
    """
    from keras.src.utils.tracking import DotNotTrackScope

    with DotNotTrackScope():
        model._compile_loss = losses
        model._loss_tracker = EpochLoss(losses)
        model._compile_metrics = metrics
