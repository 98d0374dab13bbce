"""Replaces Keras's losses on a compiled model. Imports keras: import this lazily."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from polyhead.errors import ContractError, Problem
from polyhead.keras_bridge.by_head import head_arrays, require_weights
from polyhead.keras_bridge.losses import LabeledMean, keras_mask, replicas
from polyhead.keras_bridge.structure import Path


class HeadLoss(keras.metrics.Metric):
    """The loss of one head over an epoch: the mean over the labeled values in it.

    Attributes:
        computed: whether a step has computed it; a model with its own ``compute_loss`` may never do so.
        mean_weight: the mean sample weight over the training rows, a variable, so that a compiled step follows it.
    """

    def __init__(self, name: str, loss: LabeledMean) -> None:
        super().__init__(name=name)
        self.computed = False
        self.summed = loss.summed
        # one variable for total, weight, stepped and rows: a step takes half as long to trace as with four
        self.sums = self.add_weight(shape=(4,), initializer="zeros", name="sums")
        start = 1.0 if loss.mean_weight is None else loss.mean_weight
        self.mean_weight = keras.Variable(start, dtype=self.dtype, trainable=False, name="mean_weight")

    def update_state(self, *_: Any, **__: Any) -> None:
        """Do nothing: `HeadLosses` counts each batch. A ``train_step`` of Keras's guide calls it for each metric."""

    def count(self, step: Any, total: Any, weight: Any, rows: Any) -> None:
        """Count a batch of ``rows``, by its loss and the sums for the mean over labeled values."""
        self.computed = True  # set while the step is traced, before any result is read
        rows = ops.cast(rows, step.dtype)
        sums = [ops.cast(value, self.dtype) for value in (total, weight, step * rows, rows)]
        self.sums.assign_add(ops.stack(sums))

    def reset_state(self) -> None:
        """Reset the state for a new epoch, except the mean weight of the training rows."""
        self.sums.assign(ops.zeros((4,), self.sums.dtype))

    def parts(self) -> Any:
        """Return the sums of weight times value, of weights, of the steps' losses times rows, and of rows."""
        return ops.unstack(ops.convert_to_tensor(self.sums), 4)

    def result(self) -> Any:
        """Return the mean over labeled values, or over steps for a sum; NaN without labels.

        There is no log if no step has computed the loss.
        """
        if not self.computed:
            return {}
        total, weight, stepped, rows = self.parts()
        return ops.divide_no_nan(*((stepped, rows) if self.summed else (total, weight))) + self.gap()

    def gap(self) -> Any:
        """Return what to add to a result of this head: NaN if nothing was labeled, else 0.

        Only the loss knows that. In an epoch that does not compute it, as after ``model.compile`` with a Keras loss,
        it is 0.
        """
        if not self.computed:
            return 0
        _, weight, _, rows = self.parts()
        return nan_unless((weight > 0) | (rows <= 0))


def nan_unless(labeled: Any) -> Any:
    """Return 0, or NaN if nothing was labeled, as a loss of 0 would be the best possible."""
    return ops.where(labeled, 0.0, float("nan"))


class HeadLosses:
    """The losses of all heads, a replacement of Keras's ``CompileLoss``.

    Args:
        paths: ``{head: path in the model's output}``.
        losses: ``{head: LabeledMean}``.
        weights: ``{head: share in the total}``.

    Attributes:
        given: the compile arguments with which the model is saved.
        model: returns the model in which they are installed, or None.
    """

    built = True
    model: Callable[[], Any] = staticmethod(lambda: None)

    def __init__(
        self, paths: Mapping[str, Path], losses: Mapping[str, LabeledMean], weights: Mapping[str, float]
    ) -> None:
        self.paths, self.losses, self.weights = dict(paths), dict(losses), dict(weights)
        self.heads = {name: HeadLoss(f"{name}_loss", losses[name]) for name in paths}
        self.metrics = list(self.heads.values())
        self.given: dict[str, Any] = {}
        self._masks: dict[str, Any] = {}
        self._rows: Any = None
        self._without_weights = False

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
        stored = self._masks.pop(name, None)
        mask = keras_mask(pred)
        return stored if mask is None and keras.backend.backend() == "jax" else mask

    def rows(self) -> Any:
        """Return the number of rows of the batch whose loss was just computed, once; None without one."""
        rows, self._rows = self._rows, None
        return rows

    def without_weights(self) -> bool:
        """Return once whether the batch whose loss was just computed has no weights that its feed would have."""
        found, self._without_weights = self._without_weights, False
        return found

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the total loss of a batch; on several TensorFlow replicas, the part of this one."""
        self._require_state()
        require_weights(sample_weight, "compute_loss")
        self._without_weights = sample_weight is None
        parts: list[Any] = []
        count, rows = replicas(), None
        added = self._added() if count > 1 else []
        for name, true, pred, weight in head_arrays(y_true, y_pred, sample_weight, self.paths):
            self._masks[name] = keras_mask(pred)
            head = self.heads[name]
            step, total, weights = self.losses[name].measure(true, pred, weight, head.mean_weight)
            rows = rows if parts else ops.shape(pred)[0]
            head.count(step if count == 1 else step * count, total, weights, rows)
            parts.append(step if self.weights[name] == 1 else self.weights[name] * step)
        for losses, own in added:
            losses[:] = own
        self._rows = rows
        return sum(parts[1:], parts[0])

    def _added(self) -> list[tuple[list[Any], list[Any]]]:
        """Return the losses that each layer added in this step, such as those of ``add_loss``, with a copy.

        The replicas of a TensorFlow strategy share the layers, and take turns whenever they sum over all of them: the
        forward pass of the next replica then replaces what this one added.
        """
        layers: list[Any] = getattr(self.model(), "_flatten_layers", list)()
        return [(layer._losses, list(layer._losses)) for layer in layers]

    def _require_state(self) -> None:
        """Raise if the variables are empty, as while Keras trains on JAX, and not in a ``StatelessScope`` either."""
        if keras.backend.backend() != "jax" or all(v._value is not None for v in self.variables):
            return
        from keras.src.backend.common.stateless_scope import in_stateless_scope

        if not in_stateless_scope():
            expected = "a call within keras.StatelessScope, as it counts the loss of each head"
            fix = (
                "In a train_step or test_step of your own, call self.compute_loss_and_updates, as those of "
                "keras.Model do on JAX."
            )
            raise ContractError(Problem("compute_loss()", expected, "one outside of it", fix))


class EpochLoss(keras.metrics.Mean):
    """The logged total loss: the heads' losses over the epoch, times their weights, and all that the model adds.

    A head without labels in the epoch does not count. In an evaluation without any labels the total is NaN, as 0 would
    be the best possible. In training it is not NaN, because ``TerminateOnNaN`` checks it after each batch.

    Attributes:
        trains: 0 in an evaluation, else 1; a variable, so that a compiled step follows it.
    """

    def __init__(self, losses: HeadLosses) -> None:
        super().__init__(name="loss")
        self._losses = losses
        self.trains = keras.Variable(1.0, dtype=self.dtype, trainable=False, name="trains")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Count a step's total by the number of its rows, also in a ``train_step`` that does not pass it."""
        rows = self._losses.rows()
        rows = rows if sample_weight is None else sample_weight
        if rows is None or any(len(getattr(value, "shape", ())) for value in (values, rows)):
            super().update_state(values, rows)
        else:
            rows = ops.cast(rows, self.dtype)
            self.total.assign_add(ops.cast(values, self.dtype) * rows)
            self.count.assign_add(rows)

    def reset_state(self) -> None:
        """Reset the state for a new epoch, except whether it is an evaluation."""
        for state in (self.total, self.count):
            state.assign(ops.zeros((), state.dtype))

    def result(self) -> Any:
        """Return the mean of the steps' totals, with each head's part replaced by its mean over labeled values."""
        mean, labels = super().result(), []
        for name, head in self._losses.heads.items():
            share = self._losses.weights[name]
            if not (head.computed and share):
                continue
            total, weight, stepped, rows = head.parts()
            if not head.summed:
                mean += share * (ops.divide_no_nan(total, weight) - ops.divide_no_nan(stepped, rows))
            labels.append(weight)
        return mean + nan_unless(sum(labels, self.trains) > 0) if labels else mean


def begin_epoch(model: Any, use: str) -> None:
    """Set whether ``"fit"`` or ``"evaluate"`` begins an epoch, for a model with an `EpochLoss`."""
    total = getattr(model, "_loss_tracker", None)
    if isinstance(total, EpochLoss):
        total.trains.assign(float(use != "evaluate"))


def install(model: Any, losses: HeadLosses, metrics: Any) -> None:
    """Replace Keras's losses and metrics on a compiled model by those of the heads.

    Keras keeps them in private attributes; the tests run on every supported minor version of Keras.

    Args:
        model: a model compiled with the same losses and metrics, with which it is saved and loaded.
        metrics: the metrics of its heads, a `HeadMetrics`.
    """
    from keras.src.utils.tracking import DotNotTrackScope

    losses.model = weakref.ref(model)
    with DotNotTrackScope():
        model._compile_loss = losses
        model._loss_tracker = EpochLoss(losses)
        model._compile_metrics = metrics
