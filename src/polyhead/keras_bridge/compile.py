"""Output layers, losses, metrics and loss weights, from the heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from polyhead.errors import ContractError, Problem, place, shown
from polyhead.keras_bridge.contract import symbolic
from polyhead.keras_bridge.structure import Structure, at, fill, leaves, output
from polyhead.kinds import Head

if TYPE_CHECKING:
    import keras


class BoundFeed(Protocol):
    """What `compile` needs of a feed."""

    heads: Mapping[str, Head]
    weighted: bool

    def bind(self, model: Any) -> Any:
        """Fix the feed to the model."""

    def peek(self) -> Any:
        """The batch that comes next."""

    def _structure(self, model: Any) -> Structure: ...


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
        raise ContractError(
            *(
                Problem(
                    f"compile({name}=)",
                    "nothing, as the heads have it",
                    shown(kwargs[name]),
                    f"Say it on the head: ph.Binary({head.get(name, name)}=...).",
                )
                for name in own
            )
        )
    feed.bind(model)
    structure = feed._structure(model)
    logits = _logits(model, feed, structure)
    losses = {}
    for name, head in feed.heads.items():
        loss = head.loss if head.loss is not None else head.default_loss(logits[name])
        losses[name] = LabelledMean(loss, elementwise=bool(getattr(head, "elementwise", False)))
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
    install(model, HeadLosses(paths, losses, weights), HeadMetrics(paths, metrics))
    return model


def _logits(model: Any, feed: Any, structure: Structure) -> dict[str, bool]:
    """For each head whether the model gives logits: by the activation of its layer, else by its values on a batch."""
    asked = [name for name, head in feed.heads.items() if head.has_logits and head.loss is None]
    found: dict[str, bool | None] = dict.fromkeys(feed.heads, False)
    paths = {name: path for path, name in leaves(structure.outputs)}
    for name in asked:
        found[name] = _by_activation(model, paths[name])
    doubtful = [name for name in asked if found[name] is None]
    if doubtful:
        import keras

        values = model(feed.peek()[0], training=False)
        for name in doubtful:
            array = np.asarray(keras.ops.convert_to_numpy(output(values, paths[name])), np.float64)
            outside = bool((array < 0).any() or (array > 1).any())
            sums = feed.heads[name].dtype == "int32" and not np.allclose(array.sum(-1), 1, atol=1e-2)
            found[name] = outside or bool(sums)
    return {name: bool(value) for name, value in found.items()}


def _by_activation(model: Any, path: Any) -> bool | None:
    known = symbolic(model)
    if known is None:
        return None
    layer = at(known[1], path)._keras_history.operation
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", type(layer).__name__.lower())
    return {"linear": True, "sigmoid": False, "softmax": False, "hard_sigmoid": False}.get(name)
