"""Losses and logged losses that are right where labels are missing. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from polyhead.errors import ContractError, Problem, place
from polyhead.keras_bridge.structure import Path, at, leaves, output


@keras.saving.register_keras_serializable("polyhead")
class LabelledMean(keras.losses.Loss):
    """A loss as its mean over what is labelled: the sum of weight times value, over the sum of the weights.

    Keras's own default divides by the batch size, so that missing labels dilute a loss. A batch without a
    single label has a loss of 0.

    Args:
        loss: a Keras loss, its name, or a function of ``(y_true, y_pred)`` that gives one value a row or more.
        elementwise: weights are one for each number of the label, rather than one for each value of the loss.
    """

    def __init__(self, loss: Any, elementwise: bool = False, name: str | None = None, **kwargs: Any) -> None:
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss)
        self.loss = keras.losses.get(loss)
        self.elementwise = elementwise
        super().__init__(
            name=name or getattr(self.loss, "name", None) or getattr(self.loss, "__name__", "loss"), **kwargs
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values before they are meaned."""
        if self.elementwise:
            # losses mean over the last axis: with one more axis of size 1, each number keeps its own value
            y_true, y_pred = y_true[..., None], y_pred[..., None]
        values = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        if isinstance(self.loss, keras.losses.SparseCategoricalCrossentropy) and len(y_pred.shape) > 2:
            # for class ids in maps Keras moves the classes to the front, and PyTorch has no gradient for that
            classes, shape = y_pred.shape[-1], ops.shape(y_pred)[:-1]
            flat = values(ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1, classes)))
            return ops.reshape(flat, shape)
        return values(y_true, y_pred)

    def sums(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Any, Any]:
        """The sum of weight times value, and the sum of the weights."""
        y_pred = ops.convert_to_tensor(y_pred)
        kind = (
            keras.backend.floatx()
            if "float16" in str(y_pred.dtype)
            else keras.backend.standardize_dtype(y_pred.dtype)
        )
        y_pred = ops.cast(y_pred, kind)
        y_true = ops.cast(ops.convert_to_tensor(y_true), kind)
        values = ops.cast(self.call(y_true, y_pred), kind)
        mask = getattr(y_pred, "_keras_mask", None)
        if len(values.shape) == 0:
            return values, ops.ones_like(values)
        if sample_weight is None:
            weight = ops.ones_like(values)
        else:
            weight = ops.cast(ops.convert_to_tensor(sample_weight), kind)
            missing = len(values.shape) - len(weight.shape)
            weight = ops.reshape(weight, (*ops.shape(weight), *([1] * missing))) if missing > 0 else weight
            weight = ops.broadcast_to(weight, ops.shape(values))
        if mask is not None:
            mask = ops.cast(mask, kind)
            missing = len(values.shape) - len(mask.shape)
            weight = weight * ops.reshape(mask, (*ops.shape(mask), *([1] * missing)))
        return ops.sum(values * weight), ops.sum(weight)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The mean over what is labelled, a scalar."""
        total, weight = self.sums(y_true, y_pred, sample_weight)
        return _quotient(total, weight)

    def get_config(self) -> dict[str, Any]:
        """What makes this loss again."""
        inner = self.loss
        saved = keras.saving.serialize_keras_object(inner)
        return {"loss": saved, "elementwise": self.elementwise, "name": self.name}


class HeadLoss(keras.metrics.Metric):
    """One head's loss over an epoch, the mean over what was labelled in it."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        for part in ("total", "weight", "stepped", "rows"):
            setattr(self, part, self.add_weight(shape=(), initializer="zeros", name=part))

    def update_state(self, total: Any, weight: Any, rows: Any) -> None:
        """Count one batch."""
        step = ops.divide_no_nan(total, weight)
        rows = ops.cast(rows, self.dtype)
        for part, value in (("total", total), ("weight", weight), ("stepped", step * rows), ("rows", rows)):
            getattr(self, part).assign_add(ops.cast(value, self.dtype))

    def result(self) -> Any:
        """The mean over what was labelled."""
        return ops.divide_no_nan(self.total, self.weight)

    def of_steps(self) -> Any:
        """The mean of the steps' losses by batch size: what Keras logs."""
        return ops.divide_no_nan(self.stepped, self.rows)


class HeadLosses:
    """The losses of all heads, in the place of Keras's ``CompileLoss``.

    The gradient of a step is the same as with Keras's own; only what is logged differs: each head's loss is
    counted over an epoch by what was labelled, not by batches.

    Args:
        paths: ``{head: where it stands in the model's output}``.
        losses: ``{head: LabelledMean}``.
        weights: ``{head: share in the total}``.
        classes: ``{head: its classes in the order of their ids}``.
    """

    built = True

    def __init__(
        self,
        paths: Mapping[str, Path],
        losses: Mapping[str, LabelledMean],
        weights: Mapping[str, float],
        classes: Mapping[str, tuple[Any, ...]],
    ) -> None:
        self.paths, self.losses, self.weights = dict(paths), dict(losses), dict(weights)
        self.classes = dict(classes)
        self.heads = {name: HeadLoss(f"{name}_loss") for name in paths}
        self.metrics = list(self.heads.values())

    @property
    def variables(self) -> list[Any]:
        """The state of the logged losses."""
        return [v for metric in self.metrics for v in metric.variables]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total loss of a batch."""
        losses = []
        trues, weights = _by_head(y_true, self.paths), _weights_by_head(sample_weight, self.paths)
        for name, path in self.paths.items():
            pred = output(y_pred, path)
            true = _fitting(name, trues[name], pred)
            total, count = self.losses[name].sums(true, pred, _aligned(weights[name], pred))
            self.heads[name].update_state(total, count, ops.shape(pred)[0])
            losses.append(self.weights[name] * _quotient(total, count))
        return _replica_share(sum(losses[1:], losses[0]))


def _by_head(nested: Any, paths: Mapping[str, Path], what: str = "labels") -> dict[str, Any]:
    """Each head's labels or weights: in the model's structure, or in a dict of heads.

    Raises:
        ContractError: for another structure. Keras would take an array that stands for several heads apart by
            its rows, and leave out what is too many.
    """
    given = list(leaves(nested))
    if len(paths) == len(given) == 1:
        return dict.fromkeys(paths, given[0][1])
    named = isinstance(nested, Mapping) and set(nested) == set(paths)
    if not named and {path for path, _ in given} != set(paths.values()):
        wanted = ", ".join(f"`{name}` at {_where(path)}" for name, path in paths.items())
        raise ContractError(
            Problem(
                what,
                f"{what} for each head, in the model's structure ({wanted})",
                _outline(nested),
                "A feed gives them so: model.fit(feed).",
            )
        )
    return {name: nested[name] if named else at(nested, path) for name, path in paths.items()}


def _weights_by_head(nested: Any, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Each head's weights, None where there are none; one weight a row stands for every head, as in Keras."""
    if nested is None or (hasattr(nested, "shape") and _rank(nested) in (1, None)):
        return dict.fromkeys(paths, nested)
    return _by_head(nested, paths, "weights")


def _aligned(weight: Any, pred: Any) -> Any:
    """Weights with the rank that a feed gives them: metrics would lay weights of rows along the last axis."""
    if weight is None:
        return None
    rank = len(pred.shape) - 1
    if _rank(weight) is None:  # TensorFlow traced weights of several ranks
        import tensorflow as tf

        ones = tf.ones([rank - tf.rank(weight)], tf.int32)
        return tf.ensure_shape(tf.reshape(weight, tf.concat([tf.shape(weight), ones], 0)), [None] * rank)
    missing = rank - len(weight.shape)
    return ops.reshape(weight, (*ops.shape(weight), *([1] * missing))) if missing > 0 else weight


def _rank(array: Any) -> int | None:
    """How many axes, or None where TensorFlow leaves it open."""
    return array.shape.rank if hasattr(array.shape, "rank") else len(array.shape)


def _where(path: Path) -> str:
    return "".join(f"[{key!r}]" for key in path) or "the top"


def _outline(nested: Any) -> str:
    """What stands in the place of labels, in a few words."""
    if hasattr(nested, "shape"):
        return f"one array of shape {tuple(nested.shape)}"
    places = [_where(path) for path, leaf in leaves(nested) if leaf is not None]
    return f"{type(nested).__name__} with {', '.join(places) or 'nothing'}" if places else "nothing"


def _fitting(name: str, true: Any, pred: Any) -> Any:
    """A head's labels, once their shape is their output's, or that of class ids: losses would broadcast them.

    Shapes are known when a step is traced, so that this costs nothing in a step.

    Raises:
        ContractError: for another shape.
    """
    kind = keras.backend.standardize_dtype(true.dtype)
    shape = tuple(pred.shape)
    classes = len(shape) > 1 and shape[-1] != 1
    unknown = _rank(true) is None
    found = () if unknown else tuple(true.shape)
    ids = classes and "float" not in kind and (unknown or len(found) == len(shape) - 1)
    wanted = shape[:-1] if ids else shape
    if unknown or (len(found) == len(wanted) and None in found[1:]):
        # TensorFlow traced other shapes before and leaves this one open: it is asked for in the step
        import tensorflow as tf

        return tf.ensure_shape(true, wanted)
    if len(found) == len(wanted) and all(
        f is None or w is None or f == w for f, w in zip(found, wanted, strict=True)
    ):
        return true
    if None in (*found[:1], *shape[:1]) or found[:1] == shape[:1]:
        found, shape = (None, *found[1:]), (None, *shape[1:])
    expected = f"labels of shape {_dims(shape)}, as the output has it"
    if classes:
        expected += f", or class ids of shape {_dims(shape[:-1])}"
    fix = "Give labels[:, None]." if len(found) == len(shape) - 1 and shape[-1] == 1 else ""
    raise ContractError(Problem(place(head=name), expected, f"{kind} {_dims(found)}", fix))


def _dims(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('B' if d is None else str(d) for d in shape)}{',' * (len(shape) == 1)})"


def _quotient(total: Any, weight: Any) -> Any:
    """``total / weight``, and 0 where nothing weighs anything, in which case the total is 0 as well.

    ``ops.divide_no_nan`` has gradients of NaN there, on PyTorch with older versions of Keras.
    """
    return total / ops.where(ops.equal(weight, 0), ops.ones_like(weight), weight)


def _replica_share(loss: Any) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return loss / replicas if replicas > 1 else loss
    return loss


class EpochLoss(keras.metrics.Mean):
    """The logged total loss: the heads' losses over the epoch, by their shares, and what else the model adds."""

    def __init__(self, losses: HeadLosses) -> None:
        super().__init__(name="loss")
        self._losses = losses

    def result(self) -> Any:
        """The mean of the steps' totals, with each head's part put right for what was labelled."""
        total = super().result()
        for name, head in self._losses.heads.items():
            total = total + self._losses.weights[name] * (head.result() - head.of_steps())
        return total


class HeadMetrics(keras.metrics.Metric):
    """The weighted metrics of all heads, in the place of Keras's ``CompileMetrics``.

    They are named ``head_metric`` and found by the head's place in the output, however the model nests it.

    Args:
        paths: ``{head: where it stands in the model's output}``.
        metrics: ``{head: its metrics}``.
    """

    def __init__(self, paths: Mapping[str, Path], metrics: Mapping[str, list[Any]]) -> None:
        super().__init__(name="compile_metrics")
        self.built = True
        self._paths, self._heads = dict(paths), {name: list(found) for name, found in metrics.items()}

    @property
    def metrics(self) -> list[Any]:
        """The metrics of all heads."""
        return [metric for found in self._heads.values() for metric in found]

    @property
    def variables(self) -> list[Any]:
        """The state of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        trues, weights = _by_head(y_true, self._paths), _weights_by_head(sample_weight, self._paths)
        for name, path in self._paths.items():
            pred = output(y_pred, path)
            true, weight = _fitting(name, trues[name], pred), _aligned(weights[name], pred)
            for metric in self._heads[name]:
                metric.update_state(true, pred, weight)

    def reset_state(self) -> None:
        """Start a new epoch."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """``{head_metric: value}``."""
        return {
            f"{name}_{metric.name}": metric.result()
            for name, found in self._heads.items()
            for metric in found
        }


def install(model: Any, losses: HeadLosses, metrics: HeadMetrics) -> None:
    """Put the heads' losses and metrics in the place of Keras's own, on a model that has been compiled.

    Keras keeps them in private attributes; the tests run on the oldest and the newest Keras supported. A model
    that is saved and loaded again has Keras's own, made from the same losses and metrics: its steps are the
    same, and its logged losses are means by batch size.
    """
    from keras.src.utils.tracking import DotNotTrackScope

    with DotNotTrackScope():
        model._compile_loss = losses
        model._loss_tracker = EpochLoss(losses)
        model._compile_metrics = metrics
