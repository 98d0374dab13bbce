"""Makes output layers, losses, metrics and loss weights from the heads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from polyhead.checks.logits import logits_by_head
from polyhead.checks.loss_rules import check_head_losses
from polyhead.checks.metric_rules import check_metrics
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import half_precision
from polyhead.errors import (
    ContractError,
    PolyheadError,
    Problem,
    Report,
    other_choice,
    place,
    shown,
    similar,
    warn,
)
from polyhead.keras_bridge.identifiers import (
    as_metrics,
    keras_loss,
    require_model,
    takes_default_loss,
    unknown_arguments,
    unknown_optimizer,
)
from polyhead.keras_bridge.structure import Structure, fill, leaves, output
from polyhead.kinds import Head
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.output_layers import layer_names

if TYPE_CHECKING:
    import keras


class HasHeads(Protocol):
    """A feed, whose heads are resolved."""

    heads: Mapping[str, Head]


def outputs(features: Any, heads: Mapping[str, Head] | HasHeads) -> dict[str, keras.KerasTensor]:
    """Make the output layers of the heads.

    Each layer has the name of its head, with ``_`` in place of characters that layer names can't have.

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
    by_name = heads if isinstance(heads, Mapping) else getattr(heads, "heads", None)
    if by_name is None or not all(isinstance(head, Head) for head in by_name.values()):
        fix = "Give the feed, or feed.heads."
        raise ContractError(Problem("outputs(heads)", "heads by name", shown(heads), fix))
    tensors = {}
    for (name, head), layer in zip(by_name.items(), layer_names(by_name), strict=True):
        if isinstance(features, Mapping):
            tensor = features.get(name, features.get(None))
            if tensor is None:
                expected = f"features for it among {shown(list(features))}"
                near = similar(name, [key for key in features if key is not None])
                raise ContractError(Problem(f"outputs(), {place(head=name)}", expected, "none", near))
        else:
            tensor = features
        if not hasattr(tensor, "shape"):
            expected = "a tensor of features, or {head: tensor}"
            raise ContractError(Problem(f"outputs(features), {place(head=name)}", expected, shown(tensor)))
        _require_resolved(name, head)
        tensors[name] = head.output(tensor, layer)
    return tensors


def _require_resolved(name: str, head: Head) -> None:
    try:
        _ = head.output_shape
    except AssertionError:
        fix = "Give feed.heads, which know what the data says."
        expected = "a head whose shape is known"
        raise ContractError(Problem(f"outputs(), {place(head=name)}", expected, repr(head), fix)) from None


def compile(model: Any, feed: Any, *, optimizer: Any, normalize: str = "data", **kwargs: Any) -> Any:
    """Call ``model.compile`` with the losses, weighted metrics and loss weights of the feed's heads.

    A head's loss is the weighted mean over its labels, both in a step and in the logged epoch. A step divides the sum
    of weight times value by the number of values in the batch and by the head's mean weight over the training rows, so
    class weights, sample weights, rare ``given=`` and missing labels take effect with any batch size. That mean is
    over all rows if labels are in memory or small, else over 1,024 rows spread over the source.

    Whether an output is logits or probabilities is inferred from its layer, or else from its values on one batch. The
    feed is bound to the model.

    Write ``ph.compile``: ``from polyhead import *`` omits it, so as not to hide Python's own ``compile``.

    Args:
        model: a Keras model, built or not.
        feed: a `Feed` of the training rows.
        optimizer: as for ``model.compile``.
        normalize: ``"data"``, or ``"batch"`` to divide a step by the weights of its own batch instead: then the weight
            of a single row in a batch has no effect.
        **kwargs: other arguments of ``model.compile``, such as ``jit_compile`` or ``steps_per_execution``.

    Returns:
        The model.

    Raises:
        ContractError: the feed does not fit the model, or an argument belongs to a head.
    """
    from polyhead.keras_bridge.metrics import HeadMetrics, fitted_to, resolve
    from polyhead.keras_bridge.model_losses import HeadLosses, install
    from polyhead.keras_bridge.saving import save_for_every_backend

    require_model(model, "compile(model)")
    if not hasattr(feed, "_bind"):
        fix = "Make one: feed = ph.Feed(data, inputs=..., heads=...)."
        raise ContractError(Problem("compile(feed)", "a ph.Feed", shown(feed), fix))
    if not feed.heads:
        fix = "Say model.compile(optimizer=...), for a model that makes its loss itself."
        raise ContractError(Problem("compile(feed)", "a feed with heads", "heads={}", fix))
    structure = _binding_structure(
        model, feed, _wrong_arguments(model, feed, normalize, {"optimizer": optimizer, **kwargs})
    )
    if structure.own_loss:
        fix = "Say model.compile(optimizer=...): the model gets the labels, and makes its loss of them."
        found = f"{type(model).__name__}, whose outputs are not the heads, with a loss of its own"
        raise ContractError(Problem("compile()", "a model with an output for each head", found, fix))
    _warn_of_half_precision(model, feed, structure)
    outputs_at = {name: path for path, name in leaves(structure.outputs)}
    paths = {name: outputs_at[name] for name in feed.heads}
    logits, contradictions = logits_by_head(model, feed, paths)
    losses = _labeled_losses(feed, logits, normalize)
    metrics = {
        name: head.default_metrics(logits[name]) if head.metrics is None else as_metrics(head.metrics)
        for name, head in feed.heads.items()
    }
    metrics = {
        name: [resolve(metric, feed.heads[name], logits[name]) for metric in of_head]
        for name, of_head in metrics.items()
    }
    _require_suited(feed, losses, metrics, logits, contradictions)
    metrics = {
        name: [fitted_to(metric, feed.heads[name]) for metric in of_head] for name, of_head in metrics.items()
    }
    weights = {name: float(head.weight) for name, head in feed.heads.items()}
    template = structure.outputs
    model.compile(
        optimizer=optimizer,
        loss=fill(template, losses),
        loss_weights=fill(template, weights),
        weighted_metrics=fill(template, metrics),
        **kwargs,
    )
    installed = HeadLosses(paths, losses, weights)
    installed.normalize(feed.mean_weights(losses))
    install(model, installed, HeadMetrics(paths, metrics, installed))
    save_for_every_backend(model)
    feed._binding.compiled(model)
    return model


def _labeled_losses(feed: Any, logits: Mapping[str, bool], normalize: str) -> dict[str, Any]:
    from polyhead.keras_bridge.losses import LabeledMean

    return {
        name: LabeledMean(
            head.default_loss(logits[name]) if takes_default_loss(head) else keras_loss(head.loss, head),
            elementwise=head.elementwise,
            mean_weight=None if normalize == "batch" else 1.0,
            head=name,
            declared=_declared(feed, name),
            position=position,
            logits=logits[name],
        )
        for position, (name, head) in enumerate(feed.heads.items())
    }


def _declared(feed: Any, name: str) -> str | Declaration:
    """The declaration of one head as JSON, which is saved with its loss.

    It omits a loss or metric that Keras cannot serialize; Keras decides whether such a model can be saved. With a scale
    that JSON cannot represent, the declaration itself is returned, and saving the model raises an error.
    """
    head = feed.heads[name]
    whole, bare = (
        Declaration(feed.inputs, {name: variant}) for variant in (head, head.fixed(loss=None, metrics=None))
    )
    for variant in (whole, bare):
        try:
            return json.dumps(variant.to_dict())
        except ContractError:
            pass
    return bare


def _binding_structure(model: Any, feed: Any, problems: list[Problem]) -> Structure:
    """Bind the feed to the model; raise for its problems together with those found before."""
    try:
        structure: Structure = feed._bind(model, compiled=False)
    except PolyheadError as error:
        if not problems:
            raise
        raise ContractError(*problems, *error.problems) from None
    if problems:
        raise ContractError(*problems)
    return structure


def _wrong_arguments(model: Any, feed: Any, normalize: str, kwargs: Mapping[str, Any]) -> list[Problem]:
    """Return the problems of arguments that belong to a head or do not exist."""
    expected = '"data" or "batch"'
    problems = other_choice("compile(normalize=)", normalize, ("data", "batch"), expected)
    head = {"loss_weights": "weight", "weighted_metrics": "metrics"}
    kind = type(next(iter(feed.heads.values()))).__name__
    problems += [
        Problem(
            f"compile({name}=)",
            f"no {name}= together with a Feed, whose heads have it",
            shown(kwargs[name]),
            f"Set it on a head: ph.{kind}({head.get(name, name)}=...).",
        )
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics")
        if name in kwargs
    ]
    problems += unknown_arguments(model, kwargs)
    problems += unknown_optimizer(kwargs["optimizer"])
    if all(head.weight == 0 for head in feed.heads.values()):
        fix = "Give one of them a weight above 0."
        problems.append(Problem("heads", "a head whose weight is above 0", "weight=0 on every head", fix))
    return problems


def _require_suited(
    feed: Any,
    losses: Mapping[str, Any],
    metrics: Mapping[str, list[Any]],
    logits: Mapping[str, bool],
    problems: list[Problem],
) -> None:
    """Raise for losses and metrics that don't accept a head's labels or weights; warn of those that misread its output.

    Args:
        losses: ``{head: LabeledMean}``.
        problems: those found before.
    """
    weighted = feed.weighted_heads
    chosen = {name: head for name, head in feed.heads.items() if head.metrics is not None}
    problems = [
        *problems,
        *check_head_losses(losses, feed.heads, weighted, feed.finely_weighted),
        *check_metrics(metrics, chosen, weighted, logits),
    ]
    if not Report(tuple(problems)).ok:
        raise ContractError(*problems)
    for problem in problems:
        warn(problem)


def _warn_of_half_precision(model: Any, feed: Any, structure: Structure) -> None:
    """Warn of half-precision outputs of a subclassed model, which are known only once it is called."""
    if symbolic(model) is None and "float16" in str(getattr(model, "compute_dtype", "")):
        values = model(feed.peek()[0], training=False)
        for path, name in leaves(structure.outputs):
            for problem in half_precision(name, output(values, path)):
                warn(problem)
