"""Splits the labels, weights and outputs that Keras passes by head. Imports keras: import this lazily."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import ops

from polyhead.errors import ContractError, Problem, hints, place, similar
from polyhead.keras_bridge.keras_call import data_of_step
from polyhead.keras_bridge.structure import Path, at, leaves, output


def head_arrays(
    y_true: Any, y_pred: Any, sample_weight: Any, paths: Mapping[str, Path]
) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield ``(name, labels, output, weights or None)`` for each head, with matching shapes and aligned weights.

    Args:
        y_true: labels in the model's structure, or by head.
        sample_weight: weights in the structure of the labels, one array with a weight per row, or None.
        paths: ``{head: path in the model's output}``.

    Raises:
        ContractError: for labels or weights of another structure or shape.
    """
    trues, weights = by_head(y_true, paths), weights_by_head(sample_weight, paths)
    for name, path in paths.items():
        pred = output(y_pred, path)
        yield name, checked_labels(name, trues[name], pred), pred, align_weights(weights[name], pred)


def require_weights(sample_weight: Any, method: str) -> None:
    """Raise if a step of the user's own leaves out the weights of its feed: missing labels would count as labels.

    Args:
        method: the method of losses or metrics that got the weights, or None.
    """
    if sample_weight is None and getattr(data_of_step(), "weighted_heads", None):
        expected = "the weights of the feed, where missing labels have weight 0"
        fix = (
            "In a train_step or test_step of your own, unpack x, y, sample_weight = data, and pass sample_weight= on "
            "to compute_loss and to the metrics; a compute_loss of your own passes it on to super()."
        )
        raise ContractError(Problem(f"{method}(sample_weight=)", expected, "None", fix))


def by_head(nested: Any, paths: Mapping[str, Path], what: str = "labels") -> dict[str, Any]:
    """Return the labels or weights of each head, given in the model's structure or as a dict of heads.

    Raises:
        ContractError: for another structure. Keras would split a single array for several heads by its rows, and
            drop the rest.
    """
    flat = list(leaves(nested))
    if len(paths) == len(flat) == 1 and nested is not None:
        return dict.fromkeys(paths, flat[0][1])
    structured = {path for path, _ in flat} == set(paths.values())
    if not structured and not (isinstance(nested, Mapping) and set(nested) == set(paths)):
        keys = list(nested) if isinstance(nested, Mapping) else []
        near = [hint for key in keys if key not in paths and (hint := similar(key, set(paths) - set(keys)))]
        wanted = ", ".join(f"`{name}` at {_where(path)}" for name, path in paths.items())
        expected = f"{what} for each head, in the model's structure ({wanted})"
        fix = hints(*near[:1], "A feed does that: model.fit(feed, validation_data=feed.on(rows)).")
        raise ContractError(Problem(what, expected, _structure_in_words(nested), fix))
    return {name: at(nested, path) if structured else nested[name] for name, path in paths.items()}


def weights_by_head(nested: Any, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Return the weights of each head, or None; a single array with a weight per row is for every head, as in Keras."""
    if nested is None or (hasattr(nested, "shape") and _rank(nested) in (1, None)):
        return dict.fromkeys(paths, nested)
    return by_head(nested, paths, "weights")


def align_weights(weight: Any, pred: Any) -> Any:
    """Return weights with axes added as in a feed; metrics would broadcast a weight per row along the last axis."""
    if weight is None:
        return None
    rank = len(pred.shape) - 1
    if _rank(weight) is None:  # TensorFlow traced a function for weights of several ranks
        import tensorflow as tf

        ones = tf.ones([rank - tf.rank(weight)], tf.int32)
        return tf.ensure_shape(tf.reshape(weight, tf.concat([tf.shape(weight), ones], 0)), [None] * rank)
    missing = rank - len(weight.shape)
    return ops.reshape(weight, (*ops.shape(weight), *([1] * missing))) if missing > 0 else weight


def _rank(array: Any) -> int | None:
    """The number of axes; None if it is unknown in TensorFlow."""
    return array.shape.rank if hasattr(array.shape, "rank") else len(array.shape)


def _where(path: Path) -> str:
    return "".join(f"[{key!r}]" for key in path) or "the top"


def _structure_in_words(nested: Any) -> str:
    """Describe the structure of labels in a few words."""
    if hasattr(nested, "shape"):
        return f"one array of shape {tuple(nested.shape)}"
    places = [_where(path) for path, leaf in leaves(nested) if leaf is not None]
    return f"{type(nested).__name__} with {', '.join(places) or 'nothing'}" if places else "nothing"


def checked_labels(name: str, true: Any, pred: Any) -> Any:
    """Return a head's labels if they have the shape of the output or of class ids; losses would broadcast others.

    Shapes are known when a step is traced, so the check costs nothing in a step.

    Raises:
        ContractError: for another shape.
    """
    kind = keras.backend.standardize_dtype(true.dtype)
    shape = tuple(pred.shape)
    classes = len(shape) > 1 and shape[-1] != 1
    unknown = _rank(true) is None
    label_shape = () if unknown else tuple(true.shape)
    ids = classes and "float" not in kind and (unknown or len(label_shape) == len(shape) - 1)
    wanted = shape[:-1] if ids else shape
    if unknown or (len(label_shape) == len(wanted) and None in label_shape[1:]):
        # TensorFlow traced other shapes before and leaves this one unknown: check it in the step
        import tensorflow as tf

        return tf.ensure_shape(true, wanted)
    if len(label_shape) == len(wanted) and all(
        f is None or w is None or f == w for f, w in zip(label_shape, wanted, strict=True)
    ):
        return true
    if None in (*label_shape[:1], *shape[:1]) or label_shape[:1] == shape[:1]:
        label_shape, shape = (None, *label_shape[1:]), (None, *shape[1:])
    expected = f"labels of shape {_dims(shape)}, like the output"
    if classes:
        expected += f", or class ids of shape {_dims(shape[:-1])}"
    fix = "Give labels[:, None]." if len(label_shape) == len(shape) - 1 and shape[-1] == 1 else ""
    raise ContractError(Problem(place(head=name), expected, f"{kind} {_dims(label_shape)}", fix))


def _dims(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('B' if d is None else str(d) for d in shape)}{',' * (len(shape) == 1)})"
