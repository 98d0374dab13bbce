"""The metrics of heads, given by name or as objects, with weights of any shape. Imports keras: import this lazily."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from inspect import signature
from typing import Any

import keras
import numpy as np
from keras import ops

from polyhead.keras_bridge.by_head import head_arrays, require_weights
from polyhead.keras_bridge.identifiers import form_of_labels, is_by_shape, own_metrics, weights_parameter
from polyhead.keras_bridge.losses import keras_mask, with_axes_of
from polyhead.keras_bridge.model_losses import HeadLosses
from polyhead.keras_bridge.probing import remembered, result_of_metric, rows_to_try
from polyhead.keras_bridge.structure import Path
from polyhead.kinds import Head
from polyhead.kinds.keras_metrics import AUC, BinaryAccuracy, MaskIoU
from polyhead.kinds.keras_names import SIGMOID, serialized

_ACCURACIES = {
    "binary": keras.metrics.BinaryAccuracy,
    "categorical": keras.metrics.CategoricalAccuracy,
    "sparse_categorical": keras.metrics.SparseCategoricalAccuracy,
}


def resolve(given: Any, head: Head, logits: bool) -> keras.metrics.Metric:
    """Return the metric that ``model.compile(metrics={head: [given]})`` would make, with its name.

    Args:
        given: a Keras metric, its name, or a function of ``(y_true, y_pred)``. ``"accuracy"`` is chosen by the shapes
            of labels and output. The default metrics of the head may be given by name, too.
        logits: whether outputs are logits; a metric given by name is made for them.

    >>> from polyhead.kinds import Binary
    >>> [resolve(name, Binary(), False).name for name in ("accuracy", "mae", keras.metrics.AUC(name="roc"))]
    ['accuracy', 'mae', 'roc']
    """
    if not isinstance(given, str):
        metric = keras.metrics.get(given)
        if isinstance(metric, keras.metrics.Metric):
            return _of_floats(metric)
        name = getattr(metric, "__name__", None) or type(metric).__name__
        return FunctionMean(metric, name=name)
    metric = _ACCURACIES[form_of_labels(head)]() if is_by_shape("metric", given) else _by_name(given, head)
    if not isinstance(metric, keras.metrics.Metric):
        options = {"from_logits": True} if logits and "from_logits" in signature(metric).parameters else {}
        return keras.metrics.MeanMetricWrapper(metric, name=given, **options)
    config = {**metric.get_config(), "name": given}
    if logits and "from_logits" in config:
        config["from_logits"] = True
    elif logits and head.probabilities == SIGMOID:  # a logit of 0 is a probability of 0.5
        at_half = {"threshold": (0.5,), "thresholds": (None, 0.5)}
        config |= {key: 0.0 for key, default in at_half.items() if config.get(key, 1) in default}
    if head.probabilities:  # these support labels between 0 and 1
        if type(metric) is keras.metrics.BinaryAccuracy:
            return BinaryAccuracy(name=given, threshold=0.0 if logits else 0.5)
        if type(metric) is keras.metrics.AUC:
            return AUC(from_logits=logits, name=given)
    return _of_floats(type(metric).from_config(config))


def _by_name(name: str, head: Head) -> Any:
    """Return a metric by name, or a function of ``keras.metrics``, some of which ``get`` does not find."""
    try:
        return keras.metrics.get(name)
    except ValueError:
        return getattr(keras.metrics, name, None) or own_metrics(head)[name]


def _of_floats(metric: keras.metrics.Metric) -> keras.metrics.Metric:
    """Return a metric that does not round weights down, as Keras metrics with a confusion matrix of integers do."""
    if not isinstance(metric, keras.metrics.IoU) or "int" not in str(metric.dtype):
        return metric
    return type(metric).from_config({**metric.get_config(), "dtype": "float32"})


@keras.saving.register_keras_serializable("polyhead")
class FunctionMean(keras.metrics.MeanMetricWrapper):
    """The mean of a user's function of labels and outputs."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FunctionMean:
        """Make this metric again.

        Keras would replace its name by the function, if that is in ``load_model(custom_objects=)`` under this name.
        """
        return cls(**{**config, "fn": keras.saving.deserialize_keras_object(config["fn"])})


def add_batch(metric: keras.metrics.Metric, true: Any, pred: Any, weight: Any) -> None:
    """Add a batch to a metric; a mean of values ignores those with weight 0, even if they are infinite.

    Keras itself multiplies them by their weight, and infinity times 0 is NaN.
    """
    if weight is None or not _means(metric):
        parameter = weights_parameter(type(metric).update_state)
        if not parameter:
            metric.update_state(true, pred)
        elif parameter == "*":
            metric.update_state(true, pred, weight)
        else:
            metric.update_state(true, pred, **{parameter: weight})
        return
    values = metric._fn(true, pred, **metric._fn_kwargs)
    weights = with_axes_of(weight, values)
    if keras_mask(values) is not None or len(weights.shape) != len(values.shape):
        metric.update_state(true, pred, weight)
        return
    values = ops.where(weights > 0, values, ops.zeros_like(values))
    if tuple(weights.shape) != tuple(values.shape) or len(weights.shape) > 1:
        keras.metrics.Mean.update_state(metric, values, sample_weight=weights)
        return
    weights = ops.cast(weights, metric.dtype)
    metric.total.assign_add(ops.sum(ops.cast(values, metric.dtype) * weights))
    metric.count.assign_add(ops.sum(weights))


def _means(metric: keras.metrics.Metric) -> bool:
    """Return whether a metric averages the values of a function, as ``MeanMetricWrapper`` does."""
    return type(metric).update_state is keras.metrics.MeanMetricWrapper.update_state


def _copy(metric: keras.metrics.Metric) -> keras.metrics.Metric:
    """Return a copy to try a metric; it shares the function of a mean, as Keras can only copy registered ones."""
    if _means(metric):
        return keras.metrics.MeanMetricWrapper(metric._fn, **metric._fn_kwargs)
    return type(metric).from_config(metric.get_config())


def _for_each_label(metric: keras.metrics.Metric, true: Any, weight: Any) -> Any:
    """Return weights with one per label, if the metric is a Keras intersection over union, which needs that."""
    if weight is None or not isinstance(metric, keras.metrics.IoU):
        return weight
    labels = true if metric.sparse_y_true else true[..., 0]
    return ops.broadcast_to(with_axes_of(weight, labels), ops.shape(labels))


def counts_elements(metric: keras.metrics.Metric) -> bool:
    """Return whether a metric of rows of numbers has the same value if each number is in a row of its own.

    Mean absolute error and binary accuracy are; cosine similarity and macro F1 are not. A copy is tried on random rows.

    >>> counts_elements(keras.metrics.MeanAbsoluteError()), counts_elements(keras.metrics.CosineSimilarity())
    (True, False)
    """
    true, pred = rows_to_try()
    each = pred.reshape(-1, 1)
    return all(
        _same_result(metric, (labels, pred), (labels.reshape(-1, 1), each), 1e-4)
        for labels in (true, (true > 0.5).astype("float32"))
    )


def _same_result(
    metric: keras.metrics.Metric,
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    rtol: float,
) -> bool:
    """Return whether a metric gives the same result for two pairs of labels and outputs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = [result_of_metric(_copy(metric), *rows) for rows in (first, second)]
        return bool(np.allclose(results[0], results[1], rtol=rtol, equal_nan=True))
    except Exception:  # a user's metric may raise anything for these rows
        return False


class _Wrapper(keras.metrics.Metric):
    """A metric that passes changed labels, outputs or weights to another one."""

    def __init__(self, metric: Any, name: str | None = None, dtype: Any = None) -> None:
        if isinstance(metric, dict):
            metric = keras.saving.deserialize_keras_object(metric)
        super().__init__(name=name or metric.name, dtype=dtype)
        self.metric = metric

    def reset_state(self) -> None:
        """Reset the state, for a new epoch."""
        self.metric.reset_state()

    def result(self) -> Any:
        """Return the value of the metric."""
        return self.metric.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        return {**super().get_config(), "metric": serialized(self.metric)}


@keras.saving.register_keras_serializable("polyhead")
class ElementwiseMetric(_Wrapper):
    """A metric of labels with a weight for each number.

    A metric of single numbers counts each with its weight, and so does R2, in each column. Any other metric counts only
    rows whose numbers are all labeled, with the smallest of their weights.

    Args:
        metric: a Keras metric, whose name this has.
    """

    def __init__(self, metric: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(metric, name, dtype)
        self._per_element = remembered(self.metric, lambda: counts_elements(self.metric))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        by_column = isinstance(self.metric, keras.metrics.R2Score)
        if by_column or sample_weight is None or len(sample_weight.shape) != len(y_pred.shape):
            add_batch(self.metric, y_true, y_pred, _for_each_label(self.metric, y_true, sample_weight))
        elif self._per_element:
            weight = ops.reshape(sample_weight, (-1,))
            add_batch(self.metric, ops.reshape(y_true, (-1, 1)), ops.reshape(y_pred, (-1, 1)), weight)
        else:
            add_batch(self.metric, y_true, y_pred, ops.min(sample_weight, axis=-1))


@keras.saving.register_keras_serializable("polyhead")
class UnscaledMetric(_Wrapper):
    """A metric in the units of the data, for scaled labels and outputs.

    Args:
        metric: a Keras metric, whose name this has.
        inverse: undoes the scaling, from `Scaling.inverse`.
    """

    def __init__(
        self, metric: Any, inverse: Mapping[str, Any], name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(metric, name, dtype)
        self._inverse = {part: np.asarray(value) for part, value in inverse.items()}
        self._moved = not ignores_shifts(self.metric)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        y_true, y_pred = (
            self._unscale(ops.stop_gradient(ops.convert_to_tensor(y))) for y in (y_true, y_pred)
        )
        add_batch(self.metric, y_true, y_pred, sample_weight)

    def _unscale(self, scaled: Any) -> Any:
        scaled = ops.cast(scaled, "float32")
        part = {
            name: ops.convert_to_tensor(value, "float32")
            for name, value in self._inverse.items()
            if name != "log"
        }
        if "values" in part:
            return _interpolate(scaled, part["start"], part["step"], part["values"])
        numbers = scaled * part["width"]
        # float32 is coarse far from 0, so leave out an offset of both sides if the metric does not depend on it
        if self._moved or self._inverse["log"]:
            numbers = numbers + part["center"]
        return ops.expm1(numbers) if self._inverse["log"] else numbers

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        return {**super().get_config(), "inverse": {p: value.tolist() for p, value in self._inverse.items()}}


def _interpolate(scaled: Any, start: Any, step: Any, values: Any) -> Any:
    """Interpolate in the table of each number along the last axis, and extrapolate beyond its ends."""
    numbers, knots = values.shape
    at = (scaled - start) / step
    near = ops.where(ops.isfinite(at), at, ops.zeros_like(at))
    low = ops.cast(ops.floor(ops.clip(near, 0, knots - 2)), "int32")
    flat, index = ops.reshape(values, (-1,)), low + ops.arange(numbers, dtype="int32") * knots
    first, second = ops.take(flat, index), ops.take(flat, index + 1)
    return first + (at - ops.cast(low, at.dtype)) * (second - first)


def ignores_shifts(metric: keras.metrics.Metric) -> bool:
    """Return whether adding a number to both labels and outputs does not change a metric. A copy is tried.

    >>> ignores_shifts(keras.metrics.MeanAbsoluteError()), ignores_shifts(keras.metrics.CosineSimilarity())
    (True, False)
    """
    true, pred = rows_to_try()
    return _same_result(metric, (true, pred), (true + 4, pred + 4), 1e-2)  # Keras's R2 rounds much


def fitted_to(metric: keras.metrics.Metric, head: Head) -> keras.metrics.Metric:
    """Wrap a metric so that it takes a weight for each number of a label, and numbers in the units of the data."""
    if head.elementwise is not False and not isinstance(metric, MaskIoU):
        metric = ElementwiseMetric(metric)
    return metric if head.scaling is None else UnscaledMetric(metric, head.scaling.inverse)


class HeadMetrics(keras.metrics.Metric):
    """The weighted metrics of all heads, a replacement of Keras's ``CompileMetrics``.

    They are named ``head_metric``, however the model nests its outputs. The metrics of a head without labels in an
    epoch are NaN.

    Args:
        paths: ``{head: path in the model's output}``.
        metrics: ``{head: its metrics}``.
        losses: the losses of the same heads, which know whether anything was labeled.
    """

    def __init__(
        self, paths: Mapping[str, Path], metrics: Mapping[str, list[keras.metrics.Metric]], losses: HeadLosses
    ) -> None:
        super().__init__(name="compile_metrics")
        # metrics such as R2 make variables in their first update, which replicas of TensorFlow leave to Keras's build
        self.built = keras.backend.backend() != "tensorflow"
        self._paths, self._losses = dict(paths), losses
        self._heads = {name: list(of_head) for name, of_head in metrics.items()}

    @property
    def metrics(self) -> list[Any]:
        """The metrics of all heads."""
        return [metric for of_head in self._heads.values() for metric in of_head]

    @property
    def variables(self) -> list[Any]:
        """The state of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        if self.metrics and not self._losses.without_weights():  # to look for them costs time on PyTorch
            require_weights(sample_weight, "update_state")
        for name, true, pred, weight in head_arrays(y_true, y_pred, sample_weight, self._paths):
            pred, weight = _apply_mask(pred, weight, self._losses.mask(name, pred))
            for metric in self._heads[name]:
                add_batch(metric, true, pred, _for_each_label(metric, true, weight))
        self.built = True

    def reset_state(self) -> None:
        """Reset the metrics and the losses, for a new epoch; Keras resets only its own."""
        for metric in (*self.metrics, *self._losses.metrics):
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """Return ``{head_metric: value}``, and ``head_metric_key`` for each value of a metric that returns a dict."""
        logs: dict[str, Any] = {}
        for name, metrics in self._heads.items():
            gap = self._losses.heads[name].gap() if metrics else 0
            for metric in metrics:
                result = metric.result()
                for key, value in (result if isinstance(result, Mapping) else {"": result}).items():
                    value = ops.cast(value, keras.backend.floatx()) + gap
                    logs["_".join(filter(None, (name, metric.name, key)))] = value
        return logs


def _apply_mask(pred: Any, weight: Any, mask: Any) -> tuple[Any, Any]:
    """Move the Keras mask of an output into the weights, as most metrics ignore the mask of an output."""
    if mask is None:
        return pred, weight
    mask = ops.cast(mask, "float32")
    if weight is None:
        weight = mask
    else:
        weight = ops.cast(weight, "float32")
        more = mask if len(mask.shape) > len(weight.shape) else weight
        weight = with_axes_of(weight, more) * with_axes_of(mask, more)
    return ops.copy(pred), weight
