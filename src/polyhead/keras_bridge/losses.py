"""The loss of a head with missing or weighted labels. Imports keras: import this lazily."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from polyhead.errors import ContractError, Problem, place
from polyhead.keras_bridge.probing import remembered, result, rows_to_try
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.keras_names import serialized


@keras.saving.register_keras_serializable("polyhead")
class LabeledMean(keras.losses.Loss):
    """A loss that is the mean over the labeled values.

    The loss of a batch is ``sum(weight * value) / (count * mean_weight)``, where ``count`` is the number of values in
    the batch and ``mean_weight`` the mean sample weight over all training rows. Its expectation over shuffled batches
    is the weighted mean over all rows. So class weights have the same effect in batches of one row and of a thousand,
    and missing labels do not dilute the loss. A batch without labels has a loss of 0.

    Values with weight 0 are ignored, even if the placeholder label makes them or their gradients infinite. A Keras mask
    of the output or of the loss (``ignore_class=``) also removes values from ``count``.

    Args:
        loss: a Keras loss, its name, or a function of ``(y_true, y_pred)`` that returns at least one value per row.
            With ``reduction="sum"`` it stays a sum, and with ``"mean_with_sample_weight"`` it is divided by the weights
            of the batch.
        elementwise: whether there is a weight for each number of a label; None if some batches may have them. A loss
            that reduces the last axis, such as cosine similarity, then counts only rows whose numbers are all labeled.
        mean_weight: the mean sample weight over the training rows, at least 0. None divides by the weights of the batch
            instead, which cancels the weight of a row that is alone in its batch. Labels without weights, from a user's
            own arrays, count 1 each.
        head: the name of the head, for errors and to find the head again in a loaded model.
        declared: the JSON of the declaration of this head and the inputs, or the declaration itself if it has no JSON.
        position: the position of the head among those declared, from 0.
        logits: whether the output is logits rather than probabilities or numbers; None if that was not decided.

    Attributes:
        summed: whether the loss is a sum, not a mean.
        batch_mean: whether it is divided by the weights of the batch, not by ``count * mean_weight``.
        per_element: whether each number gets a value of its own from a loss that averages over the last axis.
    """

    def __init__(
        self,
        loss: Any,
        elementwise: bool | None = False,
        mean_weight: float | None = None,
        head: str | None = None,
        declared: str | Declaration | None = None,
        position: int = 0,
        logits: bool | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss)
        self.loss = keras.losses.get(loss)
        self.elementwise, self.mean_weight = elementwise, mean_weight
        self.head, self.declared, self.position, self.logits = head, declared, position, logits
        reduction = getattr(self.loss, "reduction", None)
        self.summed = reduction == "sum"
        self.batch_mean = mean_weight is None or reduction == "mean_with_sample_weight"
        super().__init__(
            name=name or getattr(self.loss, "name", None) or getattr(self.loss, "__name__", "loss"), **kwargs
        )
        self.per_element = elementwise is not False and remembered(
            self.loss, lambda: means_elements(self._raw_loss)
        )

    @property
    def whole_vectors(self) -> bool:
        """True if the loss reduces the last axis even of labels with a weight for each number."""
        return self.elementwise is not False and not self.per_element

    @property
    def ignored(self) -> int | None:
        """The class that the loss itself leaves out, ``ignore_class=``; None for other losses."""
        ignored_class: int | None = getattr(self.loss, "ignore_class", None)
        return ignored_class

    def _raw_loss(self, y_true: Any, y_pred: Any) -> Any:
        axis = _cosine_axis(self.loss)
        if axis is not None:
            return _cosine(y_true, y_pred, axis)
        return (self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss)(y_true, y_pred)

    def call(self, y_true: Any, y_pred: Any, fine: bool | None = None) -> Any:
        """Return the values before reduction; ``fine`` says whether there is a weight for each number."""
        return self._values(y_true, y_pred, self.elementwise if fine is None else fine)[0]

    def _values(self, y_true: Any, y_pred: Any, fine: bool | None) -> tuple[Any, Any]:
        """Return the values before reduction, and the mask that the loss itself puts on them."""
        if fine and self.per_element:
            # losses average over the last axis: with another axis of size 1, each number keeps its value
            y_true, y_pred = y_true[..., None], y_pred[..., None]
        ignored = self.ignored
        if ignored is not None and len(y_true.shape) == len(y_pred.shape) - 1:
            # outputs of ignored labels get NaN as gradients with Keras 3.10 on PyTorch
            labeled = ops.not_equal(y_true, ops.cast(ignored, y_true.dtype))[..., None]
            y_pred = ops.where(labeled, y_pred, ops.stop_gradient(y_pred))
        sparse = isinstance(self.loss, keras.losses.SparseCategoricalCrossentropy)
        sparse = sparse or self.loss is keras.losses.sparse_categorical_crossentropy
        if sparse and len(y_pred.shape) > 2:
            # Keras moves the classes of maps to the front, for which PyTorch has no gradient
            classes, shape = y_pred.shape[-1], ops.shape(y_pred)[:-1]
            flat = self._raw_loss(ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1, classes)))
            mask = keras_mask(flat)
            return ops.reshape(flat, shape), None if mask is None else ops.reshape(mask, shape)
        values = self._raw_loss(y_true, y_pred)
        return values, keras_mask(values)

    def measure(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mean_weight: Any = None
    ) -> tuple[Any, Any, Any]:
        """Compute the loss of a batch.

        Args:
            y_true: labels ``(B, ...)``.
            y_pred: outputs ``(B, ...)``.
            sample_weight: weights ``(B, ...)``, with at most the axes of the labels, or None for 1 everywhere.
            mean_weight: replaces that of this loss.

        Returns:
            The loss, the sum of weight times value, and the sum of the weights; scalars. On several TensorFlow replicas
            the loss is the sum of the values that each returns.
        """
        masks = [keras_mask(y_pred)]
        dtype = _compute_dtype(y_pred)
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), dtype)
        y_true = ops.cast(ops.convert_to_tensor(y_true), dtype)
        weight = None if sample_weight is None else ops.cast(ops.convert_to_tensor(sample_weight), dtype)
        fine = self.elementwise
        if weight is not None:
            same_axes = len(weight.shape) == len(y_pred.shape)
            fine = fine or (fine is None and same_axes and weight.shape[-1] != 1)
            if self.whole_vectors and same_axes:
                weight = ops.min(weight, axis=-1)
            # no gradient flows through rows that do not count: with a product, 0 times infinity would give NaN
            y_pred = ops.where(with_axes_of(weight, y_pred) > 0, y_pred, ops.stop_gradient(y_pred))
        values, mask = self._values(y_true, y_pred, fine)
        values = ops.cast(values, dtype)
        if _is_of_batch(values, y_pred):
            rows = ops.cast(ops.shape(y_pred)[0], dtype)
            total = (ops.sum(values) if self.summed else ops.mean(values)) * rows
            return total / _over_replicas(rows), total, rows
        weight, count = self._weights_and_count(values, weight, [*masks, mask])
        if weight is not None:
            values = ops.where(weight > 0, values * weight, ops.zeros_like(values))
        total, weights = ops.sum(values), count if weight is None else ops.sum(weight)
        if self.summed:
            if fine and self.per_element:  # Keras sums the means of rows
                total = total / values.shape[-1]
            return total, total, weights
        divisor = weights if self.batch_mean else count
        if sample_weight is not None and not self.batch_mean:  # a feed always passes its weights
            mean = self.mean_weight if mean_weight is None else mean_weight
            divisor = count * ops.cast(ops.convert_to_tensor(mean), dtype)
        return quotient(total, _over_replicas(divisor)), total, weights

    def _weights_and_count(self, values: Any, weight: Any, masks: list[Any]) -> tuple[Any, Any]:
        """Return the weight of each value, None if all are 1, and the number of values."""
        dtype = values.dtype
        if weight is not None:
            weight = _broadcast(self._align(weight, values), values)
        masks = [ops.cast(self._align(mask, values), dtype) for mask in masks if mask is not None]
        if not masks:
            return weight, ops.cast(ops.size(values), dtype)
        mask = _broadcast(masks[0] if len(masks) == 1 else masks[0] * masks[1], values)
        return mask if weight is None else weight * mask, ops.sum(mask)

    def _align(self, weight: Any, values: Any) -> Any:
        """Return weights with the axes of the values.

        Raises:
            ContractError: if weights are finer than the values.
        """
        aligned = with_axes_of(weight, values)
        fits = len(aligned.shape) == len(values.shape) and all(
            w in (1, v, None) or v is None for w, v in zip(aligned.shape, values.shape, strict=True)
        )
        if not fits:
            raise ContractError(finer(self.head or self.name, weight.shape, values.shape))
        return aligned

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss of a batch, a scalar."""
        return self.measure(y_true, y_pred, sample_weight)[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss.

        Raises:
            ContractError: if the declaration has no JSON.
        """
        declared = self.declared
        if isinstance(declared, Declaration):
            declared = json.dumps(declared.to_dict())
        return {
            "loss": serialized(self.loss),
            "elementwise": self.elementwise,
            "mean_weight": self.mean_weight,
            "head": self.head,
            "declared": declared,
            "position": self.position,
            "logits": self.logits,
            "name": self.name,
        }


def finer(
    head: str,
    weights: Sequence[int | None],
    values: Sequence[int | None],
    what: str = "loss",
    declared: bool = True,
) -> Problem:
    """Return the problem of weights that are finer than the values of a loss or metric.

    Args:
        what: ``"loss"`` or ``"metric"``.
        declared: whether an argument of the head may have made weights fine; otherwise parts of a label can be missing.
    """

    def a_row(shape: Sequence[int | None]) -> str:
        return f"({', '.join(str(n) for n in shape[1:])})" if len(shape) > 1 else "a single one"

    expected = f"a {what} with a value for each weight of a row, {a_row(weights)}"
    fix = f"Use a {what} that has one value for each label or pixel"
    fix += (
        ", or leave out missing=, class_weight= or sample_weight=, which weigh them one by one."
        if declared
        else ", as a part of them can be missing in a row."
    )
    return Problem(place(head=head), expected, f"{a_row(values)}", fix, "finer-weights")


# Shapes and masks ------------------------------------------------------------------------------------


def keras_mask(tensor: Any) -> Any:
    """Return the mask that a layer such as ``Masking`` put on a tensor; None without one.

    JAX arrays can't have attributes, so Keras stores their masks elsewhere.
    """
    from keras.src import backend

    return backend.get_keras_mask(tensor)


def with_axes_of(array: Any, other: Any) -> Any:
    """Return an array with as many axes as another, with trailing axes of size 1 added or removed."""
    rank, wanted = len(array.shape), len(other.shape)
    while rank < wanted:
        array, rank = ops.expand_dims(array, -1), rank + 1
    while rank > wanted and array.shape[-1] == 1:
        array, rank = ops.squeeze(array, axis=-1), rank - 1
    return array


def _broadcast(array: Any, other: Any) -> Any:
    """Return an array with the shape of another; their first axes are the rows of one batch."""
    shape = tuple(array.shape)
    known = shape == tuple(other.shape) and None not in shape[1:]  # TensorFlow: a length unknown in the trace
    return array if known else ops.broadcast_to(array, ops.shape(other))


def _is_of_batch(values: Any, y_pred: Any) -> bool:
    """Return whether a loss has reduced the rows of a batch itself, so that its values are not one or more per row.

    If it returns as many values as there are rows by coincidence, their mean and number are right anyway.
    """
    if len(values.shape) == 0:
        return True
    count = values.shape[0]
    return count is not None and count != y_pred.shape[0]


def _cosine_axis(loss: Any) -> int | None:
    """The axis of a Keras cosine similarity; None for other losses."""
    if loss is keras.losses.cosine_similarity:
        return -1
    return loss._fn_kwargs["axis"] if type(loss) is keras.losses.CosineSimilarity else None


def _cosine(y_true: Any, y_pred: Any, axis: int) -> Any:
    """Compute Keras's cosine similarity loss, but with a gradient towards the label for outputs of zeros.

    Keras's own gradient is NaN there, and so is the whole model after one step. Layers output zeros if they are
    initialized with zeros, or if a ReLU has made all of their inputs 0.
    """
    square = ops.sum(ops.square(y_pred), axis=axis, keepdims=True)
    length = ops.sqrt(ops.where(square > 0, square, ops.ones_like(square)))
    return -ops.sum(ops.normalize(y_true, axis=axis) * y_pred / length, axis=axis)


def _compute_dtype(y_pred: Any) -> str:
    """The dtype to compute a loss in: that of the output, at least float32."""
    dtype = keras.backend.standardize_dtype(ops.convert_to_tensor(y_pred).dtype)
    return keras.backend.floatx() if "float16" in dtype else dtype


def quotient(total: Any, divisor: Any) -> Any:
    """Return ``total / divisor``, or 0 if the divisor is 0, as the total is then 0 too.

    ``ops.divide_no_nan`` has NaN gradients there, on PyTorch with older versions of Keras.
    """
    return total / ops.where(ops.equal(divisor, 0.0), ops.ones_like(divisor), divisor)


def replicas() -> int:
    """The number of replicas of a ``tf.distribute`` strategy that run this step; 1 elsewhere."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def _over_replicas(divisor: Any) -> Any:
    """Sum a divisor over TensorFlow replicas, which get different numbers of rows of a short last batch."""
    if replicas() == 1:
        return divisor
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return divisor if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, divisor)


# Probing what a loss or metric does --------------------------------------------------------------------


def means_elements(function: Callable[[Any, Any], Any]) -> bool:
    """Return whether a function of ``(y_true, y_pred)`` is the mean of its values for each number of the last axis.

    Mean squared error is; cosine similarity, and cross-entropy over classes, are not. It is tried on random rows.

    >>> means_elements(keras.losses.mean_squared_error), means_elements(keras.losses.kl_divergence)
    (True, False)
    """
    true, pred = rows_to_try()
    try:
        with (
            warnings.catch_warnings(),
            keras.StatelessScope(),
        ):  # a running mean of a user's loss must not change
            warnings.simplefilter("ignore")  # losses over classes warn of a single class
            whole = result(function, true, pred)
            apart = result(function, true[..., None], pred[..., None])
        return bool(np.allclose(whole, apart.mean(-1), rtol=1e-4, atol=1e-6))
    except Exception:  # a user's function may raise anything for these rows
        return False
