"""The loss of one head, right where labels are missing or weighted. Imports keras: import this lazily."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from polyhead.errors import ContractError, Problem, place
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.keras_objects import serialized


@keras.saving.register_keras_serializable("polyhead")
class LabeledMean(keras.losses.Loss):
    """A loss as the mean over what is labeled.

    The loss of a batch is ``sum(weight * value) / (count * mean_weight)``: ``count`` values in this batch, and the mean
    sample weight over all training rows. Its expectation over shuffled batches is the weighted mean over all rows, so
    that class weights act in a batch of one row as in a batch of a thousand, and missing labels dilute nothing. A batch
    without a label has a loss of 0.

    Values whose weight is 0 take no part, whatever a loss makes of the filler that stands there: neither they nor their
    gradients have to be finite. A Keras mask of the output or of the loss (``ignore_class=``) leaves values out of
    ``count`` as well.

    Args:
        loss: a Keras loss, its name, or a function of ``(y_true, y_pred)`` that gives one value a row or more. With
            ``reduction="sum"`` it stays a sum, and with ``"mean_with_sample_weight"`` it is divided by the weights of
            the batch.
        elementwise: weights are one for each number of the label. A loss that reads the whole last axis at once, as
            cosine similarity does, then counts rows of which every number is labeled.
        mean_weight: the mean sample weight over the training rows, at least 0. None divides by the weights of the batch
            instead, in which the weight of a row that is alone in its batch cancels. Labels that come without weights,
            from a user's own arrays, count 1 each.
        head: the head's name, for errors and to find the head again in a loaded model.
        declared: the JSON of the declaration of this head and the inputs, or the declaration, where it has no JSON.
        position: of the head among those declared, from 0 on.
    """

    def __init__(
        self,
        loss: Any,
        elementwise: bool = False,
        mean_weight: float | None = None,
        head: str | None = None,
        declared: str | Declaration | None = None,
        position: int = 0,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss)
        self.loss = keras.losses.get(loss)
        self.elementwise, self.mean_weight = elementwise, mean_weight
        self.head, self.declared, self.position = head, declared, position
        reduction = getattr(self.loss, "reduction", None)
        self.summed = reduction == "sum"
        self.batch_mean = mean_weight is None or reduction == "mean_with_sample_weight"
        super().__init__(
            name=name or getattr(self.loss, "name", None) or getattr(self.loss, "__name__", "loss"), **kwargs
        )
        self.apart = elementwise and means_elements(self._plain)

    @property
    def whole_vectors(self) -> bool:
        """Whether weights are one for each number, and the loss reads several numbers at once."""
        return self.elementwise and not self.apart

    def _plain(self, y_true: Any, y_pred: Any) -> Any:
        axis = _cosine_axis(self.loss)
        if axis is not None:
            return _cosine(y_true, y_pred, axis)
        return (self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss)(y_true, y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values before they are meaned."""
        return self._values(y_true, y_pred)[0]

    def _values(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """The values before they are meaned, and the mask that the loss itself gives them."""
        if self.apart:
            # losses mean over the last axis: with one more axis of size 1, each number keeps its own value
            y_true, y_pred = y_true[..., None], y_pred[..., None]
        ignored = getattr(self.loss, "ignore_class", None)
        if ignored is not None and len(y_true.shape) == len(y_pred.shape) - 1:
            # with Keras 3.10 their gradients are NaN on PyTorch
            kept = ops.not_equal(y_true, ops.cast(ignored, y_true.dtype))[..., None]
            y_pred = ops.where(kept, y_pred, ops.stop_gradient(y_pred))
        if isinstance(self.loss, keras.losses.SparseCategoricalCrossentropy) and len(y_pred.shape) > 2:
            # for class ids in maps Keras moves the classes to the front, and PyTorch has no gradient for that
            classes, shape = y_pred.shape[-1], ops.shape(y_pred)[:-1]
            flat = self._plain(ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1, classes)))
            mask = keras_mask(flat)
            return ops.reshape(flat, shape), None if mask is None else ops.reshape(mask, shape)
        values = self._plain(y_true, y_pred)
        return values, keras_mask(values)

    def measure(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mean_weight: Any = None
    ) -> tuple[Any, Any, Any]:
        """One batch.

        Args:
            y_true: labels ``(B, ...)``.
            y_pred: outputs ``(B, ...)``.
            sample_weight: ``(B, ...)`` up to the shape of the labels, or None for 1 everywhere.
            mean_weight: in place of this loss's own.

        Returns:
            The loss (of TensorFlow's replicas each has its part, and their sum is the loss), the sum of weight times
            value, and the sum of the weights; scalars.
        """
        masks = [keras_mask(y_pred)]
        dtype = _computed(y_pred)
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), dtype)
        y_true = ops.cast(ops.convert_to_tensor(y_true), dtype)
        weight = None if sample_weight is None else ops.cast(ops.convert_to_tensor(sample_weight), dtype)
        if weight is not None:
            if self.whole_vectors and len(weight.shape) == len(y_pred.shape):
                weight = ops.min(weight, axis=-1)
            # nothing flows back through a row that does not count: a product would make NaN of 0 times infinity
            y_pred = ops.where(with_axes_of(weight, y_pred) > 0, y_pred, ops.stop_gradient(y_pred))
        values, mask = self._values(y_true, y_pred)
        values = ops.cast(values, dtype)
        if _is_of_batch(values, y_pred):
            rows = ops.cast(ops.shape(y_pred)[0], dtype)
            total = (ops.sum(values) if self.summed else ops.mean(values)) * rows
            return total / _over_replicas(rows), total, rows
        weight, count = self._weighed(values, weight, [*masks, mask])
        if weight is not None:
            values = ops.where(weight > 0, values * weight, ops.zeros_like(values))
        total, weights = ops.sum(values), count if weight is None else ops.sum(weight)
        if self.summed:
            return total, total, weights
        divisor = weights if self.batch_mean else count
        if sample_weight is not None and not self.batch_mean:  # a feed of these weights gives them always
            mean = self.mean_weight if mean_weight is None else mean_weight
            divisor = count * ops.cast(ops.convert_to_tensor(mean), dtype)
        return quotient(total, _over_replicas(divisor)), total, weights

    def _weighed(self, values: Any, weight: Any, masks: list[Any]) -> tuple[Any, Any]:
        """The weight of each value, None where all weigh 1, and how many values there are."""
        shape, dtype = ops.shape(values), values.dtype
        if weight is not None:
            weight = ops.broadcast_to(self._aligned(weight, values), shape)
        masks = [ops.cast(self._aligned(mask, values), dtype) for mask in masks if mask is not None]
        if not masks:
            size = ops.prod(ops.convert_to_tensor(shape, dtype="int32"))
            return weight, ops.cast(size, dtype)
        mask = ops.broadcast_to(masks[0] if len(masks) == 1 else masks[0] * masks[1], shape)
        return mask if weight is None else weight * mask, ops.sum(mask)

    def _aligned(self, weight: Any, values: Any) -> Any:
        """Weights with the axes of the values.

        Raises:
            ContractError: for weights that are finer than the values.
        """
        found = with_axes_of(weight, values)
        fits = len(found.shape) == len(values.shape) and all(
            w in (1, v, None) or v is None for w, v in zip(found.shape, values.shape, strict=True)
        )
        if not fits:
            raise ContractError(finer(self.head or self.name, weight.shape, values.shape))
        return found

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch, a scalar."""
        return self.measure(y_true, y_pred, sample_weight)[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this loss again.

        Raises:
            ContractError: for a declaration that has no JSON.
        """
        return {
            "loss": serialized(self.loss),
            "elementwise": self.elementwise,
            "mean_weight": self.mean_weight,
            "head": self.head,
            "declared": json.dumps(self.declared.to_dict())
            if isinstance(self.declared, Declaration)
            else self.declared,
            "position": self.position,
            "name": self.name,
        }


def finer(
    head: str,
    weights: Sequence[int | None],
    values: Sequence[int | None],
    what: str = "loss",
    said: bool = True,
) -> Problem:
    """The problem of weights that are finer than the values of a loss, or of a metric.

    Args:
        head: its name.
        weights: their shape, with the rows.
        values: their shape, with the rows.
        what: "loss", or "metric".
        said: the user may have declared what makes them fine; else parts of a label can be missing by themselves.
    """

    def a_row(shape: Sequence[int | None]) -> str:
        return f"({', '.join(str(n) for n in shape[1:])})" if len(shape) > 1 else "a single one"

    expected = f"a {what} with a value for each weight of a row, {a_row(weights)}"
    fix = f"Take a {what} that has one value for each label or pixel"
    fix += (
        ", or leave out missing=, class_weight= or sample_weight=, which weigh them one by one."
        if said
        else ", as a part of them can be missing in a row."
    )
    return Problem(place(head=head), expected, f"{a_row(values)}", fix, "finer-weights")


# Shapes and masks ------------------------------------------------------------------------------------


def keras_mask(tensor: Any) -> Any:
    """The mask that a layer such as ``Masking`` put on a tensor; None where there is none.

    JAX's arrays take no attributes, so that Keras keeps their masks beside them.
    """
    from keras.src import backend

    return backend.get_keras_mask(tensor)


def with_axes_of(array: Any, other: Any) -> Any:
    """An array with as many axes as another: axes of size 1 come last, or those that are there are left out."""
    rank, wanted = len(array.shape), len(other.shape)
    if rank < wanted:
        return ops.reshape(array, (*ops.shape(array), *([1] * (wanted - rank))))
    while rank > wanted and array.shape[-1] == 1:
        array, rank = ops.squeeze(array, axis=-1), rank - 1
    return array


def _is_of_batch(values: Any, y_pred: Any) -> bool:
    """Return whether a loss has joined the rows of a batch itself: it gives one number, or none for each row.

    Where its values are as many as the rows by chance, their mean and their number are those of the rows as well.
    """
    if len(values.shape) == 0:
        return True
    found = values.shape[0]
    return found is not None and found != y_pred.shape[0]


def _cosine_axis(loss: Any) -> int | None:
    """The axis of Keras's cosine similarity; None for other losses."""
    if loss is keras.losses.cosine_similarity:
        return -1
    return loss._fn_kwargs["axis"] if type(loss) is keras.losses.CosineSimilarity else None


def _cosine(y_true: Any, y_pred: Any, axis: int) -> Any:
    """Keras's cosine similarity as a loss, of which an output of zeros has a gradient: towards the label.

    Keras's own is NaN there, and so after one step is the whole model. Zeros are what a layer gives that starts with
    zeros, or whose inputs a ReLU has all cut off.
    """
    square = ops.sum(ops.square(y_pred), axis=axis, keepdims=True)
    length = ops.sqrt(ops.where(square > 0, square, ops.ones_like(square)))
    return -ops.sum(ops.normalize(y_true, axis=axis) * y_pred / length, axis=axis)


def _computed(y_pred: Any) -> str:
    """The dtype to compute a loss in: that of the output, in single precision at least."""
    dtype = keras.backend.standardize_dtype(ops.convert_to_tensor(y_pred).dtype)
    return keras.backend.floatx() if "float16" in dtype else dtype


def quotient(total: Any, divisor: Any) -> Any:
    """``total / divisor``, and 0 where nothing weighs anything, in which case the total is 0 as well.

    ``ops.divide_no_nan`` has gradients of NaN there, on PyTorch with older versions of Keras.
    """
    return total / ops.where(ops.equal(divisor, 0), ops.ones_like(divisor), divisor)


def replicas() -> int:
    """The replicas of a ``tf.distribute`` strategy that run this step; 1 elsewhere."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def _over_replicas(divisor: Any) -> Any:
    """A divisor summed over TensorFlow's replicas: a short last batch gives them different numbers of rows."""
    if replicas() == 1:
        return divisor
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return divisor if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, divisor)


# Losses and metrics that are told apart by what they do ------------------------------------------------


def means_elements(function: Callable[[Any, Any], Any]) -> bool:
    """Return whether a function of ``(y_true, y_pred)`` is the mean of what it gives for each number of the last axis.

    Mean squared error is; cosine similarity, and cross-entropy over classes, are not. It is tried on random rows.

    >>> means_elements(keras.losses.mean_squared_error), means_elements(keras.losses.kl_divergence)
    (True, False)
    """
    true, pred = trial()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # losses over classes warn of a single one
            whole = ops.convert_to_numpy(function(true, pred))
            apart = ops.convert_to_numpy(function(true[..., None], pred[..., None]))
        return bool(np.allclose(whole, apart.mean(-1), rtol=1e-4, atol=1e-6))
    except Exception:  # a user's function may raise anything for rows that are not its own
        return False


def trial() -> tuple[Any, Any]:
    """Labels and outputs in (0, 1) to try a loss or a metric on, ``(7, 3)``."""
    rng = np.random.default_rng(0)
    true, pred = rng.uniform(0.05, 0.95, (2, 7, 3)).astype("float32")
    return ops.convert_to_tensor(true), ops.convert_to_tensor(pred)
