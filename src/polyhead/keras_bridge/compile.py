"""Output layers, losses, metrics and loss weights, from the heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from polyhead.errors import ContractError, Problem, place, shown
from polyhead.keras_bridge.activation import activation
from polyhead.keras_bridge.contract import symbolic
from polyhead.keras_bridge.structure import Structure, at, fill, leaves, output
from polyhead.kinds import Head

if TYPE_CHECKING:
    import keras


class BoundFeed(Protocol):
    """What `compile` needs of a feed."""

    heads: Mapping[str, Head]
    weighted_heads: frozenset[str]

    def peek(self) -> Any:
        """The batch that comes next."""

    def _bind(self, model: Any, compiled: bool = True) -> Structure: ...


def outputs(features: Any, heads: Mapping[str, Head] | BoundFeed) -> dict[str, keras.KerasTensor]:
    """The output layers that fit the heads, named after them.

    Classes get probabilities (sigmoid or softmax), numbers get linear units, masks a 1 x 1 convolution
    (features are enlarged to the mask's size first), boxes and keypoints a dense layer over all features.

    Args:
        features: a tensor ``(B, d)`` or ``(B, h, w, c)`` for all heads, or ``{head: tensor}``, where the key
            None stands for all other heads.
        heads: resolved heads, as ``feed.heads``, or the feed.

    Returns:
        ``{head: tensor}``, ready to be a model's outputs.

    Raises:
        ContractError: a head without features, or features that cannot carry it.

    >>> import keras, polyhead as ph
    >>> features = keras.Input((16,))
    >>> ph.outputs(features, {"age": ph.Regression(), "kind": ph.Categorical(3)})["kind"].shape
    (None, 3)
    """
    heads = heads if isinstance(heads, Mapping) else heads.heads
    tensors = {}
    for name, head in heads.items():
        if isinstance(features, Mapping):
            found = features.get(name, features.get(None))
            if found is None:
                expected = f"features for it among {shown(list(features))}"
                raise ContractError(Problem(f"outputs(), {place(head=name)}", expected, "none"))
        else:
            found = features
        _require_resolved(name, head)
        tensors[name] = head.output(found, name)
    return tensors


def _require_resolved(name: str, head: Head) -> None:
    try:
        _ = head.output_shape
    except AssertionError:
        fix = "Give feed.heads, which know what the data says."
        raise ContractError(
            Problem(f"outputs(), {place(head=name)}", "a head whose shape is known", repr(head), fix)
        ) from None


def compile(model: Any, feed: Any, *, optimizer: Any, **kwargs: Any) -> Any:
    """``model.compile`` with the losses, weighted metrics and loss weights of the feed's heads.

    Each loss is the mean over what is labelled, in the step and in the logged epoch. Whether an output is
    logits or probabilities is read from its layer, or else from its values on one batch. The feed is bound to
    the model.

    Args:
        model: built or not.
        feed: a `Feed`.
        optimizer: as for ``model.compile``.
        **kwargs: other arguments of ``model.compile``, as ``jit_compile`` or ``steps_per_execution``.

    Returns:
        The model.

    Raises:
        ContractError: the feed does not fit the model, or an argument that belongs to a head.
    """
    import keras

    from polyhead.keras_bridge.losses import HeadLosses, HeadMetrics, LabelledMean, install

    own = [name for name in ("loss", "loss_weights", "metrics", "weighted_metrics") if name in kwargs]
    if own:
        head = {"loss_weights": "weight", "weighted_metrics": "metrics"}
        kind = type(next(iter(feed.heads.values()))).__name__
        raise ContractError(
            *(
                Problem(
                    f"compile({name}=)",
                    "nothing, as the heads have it",
                    shown(kwargs[name]),
                    f"Say it on the head: ph.{kind}({head.get(name, name)}=...).",
                )
                for name in own
            )
        )
    structure = feed._bind(model, compiled=False)
    if structure.own_loss:
        fix = "Say model.compile(optimizer=...): the model gets the labels, and makes its loss of them."
        found = f"{type(model).__name__}, whose outputs are not the heads, with a loss of its own"
        raise ContractError(Problem("compile()", "a model with an output for each head", found, fix))
    logits = _logits(model, feed, structure)
    losses = {}
    for name, head in feed.heads.items():
        loss = head.loss if head.loss is not None else head.default_loss(logits[name])
        losses[name] = LabelledMean(loss, elementwise=bool(getattr(head, "elementwise", False)))
        if name in feed.weighted_heads and _is_single(losses[name], head):
            fix = (
                "Mean over the axes of one row alone, as axis=-1: polyhead means over rows, by their weights."
            )
            raise ContractError(
                Problem(
                    place(head=name),
                    "a loss with one value a row, as labels are missing or weighted",
                    "one number for the whole batch",
                    fix,
                )
            )
    metrics = {}
    for name, head in feed.heads.items():
        asked = head.default_metrics(logits[name]) if head.metrics is None else head.metrics
        metrics[name] = [
            keras.metrics.get(metric) for metric in ([asked] if isinstance(asked, str) else asked)
        ]
    weights = {n: float(h.weight) for n, h in feed.heads.items()}
    template = structure.outputs
    model.compile(
        optimizer=optimizer,
        loss=fill(template, losses),
        loss_weights=fill(template, weights),
        weighted_metrics=fill(template, metrics),
        **kwargs,
    )
    paths = {name: path for path, name in leaves(template)}
    paths = {name: paths[name] for name in feed.heads}
    classes = {name: _classes(head) for name, head in feed.heads.items()}
    install(model, HeadLosses(paths, losses, weights, classes), HeadMetrics(paths, metrics))
    return model


def _classes(head: Head) -> tuple[Any, ...]:
    return tuple(getattr(head, "names", ()))


def _is_single(loss: Any, head: Head) -> bool:
    """Whether a loss gives one number for a batch, so that weights of rows cannot reach into it."""
    import keras

    try:
        true = keras.ops.zeros((2, *head.shape), head.dtype)
        values = loss.call(true, keras.ops.full((2, *head.output_shape), 0.5))
        return len(values.shape) == 0
    except Exception:  # a function that these numbers do not suit: nothing is known of it
        return False


def _logits(model: Any, feed: Any, structure: Structure) -> dict[str, bool]:
    """For each head whether the model gives logits: by the activation of its layer, else by its values."""
    asked = [name for name, head in feed.heads.items() if head.probabilities and head.loss is None]
    paths = {name: path for path, name in leaves(structure.outputs)}
    known = symbolic(model)
    found: dict[str, bool | None] = dict.fromkeys(feed.heads, False)
    for name in asked:
        applied = None if known is None else activation(at(known[1], paths[name]))
        found[name] = {"linear": True, "sigmoid": False, "hard_sigmoid": False, "softmax": False}.get(
            applied or ""
        )
    doubtful = [name for name in asked if found[name] is None]
    if doubtful:
        tries = [model(x, training=False) for x in _loud(feed.peek()[0])]
        for name in doubtful:
            arrays = [_numbers(values, paths[name]) for values in tries]
            shared = "softmax" in feed.heads[name].probabilities  # the classes share one probability
            found[name] = not all(_probable(array, shared) for array in arrays)
    return {name: bool(value) for name, value in found.items()}


def _loud(x: Any) -> list[Any]:
    """Inputs as they are, and a thousand times as large: logits grow with them, probabilities stay in 0-1."""
    import keras

    def louder(array: Any) -> Any:
        return array * np.float32(1000) if getattr(array, "dtype", None) == np.float32 else array

    return [x, keras.tree.map_structure(louder, x)]


def _numbers(values: Any, path: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(output(values, path)), np.float64)


def _probable(array: np.ndarray, shared: bool) -> bool:
    """Whether these can be probabilities; zeros alone are the logits of a layer that starts at zero."""
    inside = bool((array >= 0).all() and (array <= 1).all() and array.any())
    return inside and (not shared or bool(np.allclose(array.sum(-1), 1, atol=1e-2)))
