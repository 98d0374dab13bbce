"""Makes output layers, losses, metrics and loss weights from the heads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from polyhead.checks.logits import contradicted, declared_logits, layer_logits, probable
from polyhead.checks.loss_rules import check_head_losses
from polyhead.checks.metric_rules import check_metric_names, check_metrics, check_reductions, check_signatures
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import half_precision
from polyhead.checks.range_rules import SLACK
from polyhead.errors import ContractError, PolyheadError, Problem, other_choice, place, shown, similar, warn
from polyhead.keras_bridge.identifiers import (
    keras_loss,
    require_model,
    takes_default_loss,
    unknown_arguments,
    unknown_names,
)
from polyhead.keras_bridge.structure import Structure, fill, leaves, output
from polyhead.kinds import Head
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.output_layers import layer_names

if TYPE_CHECKING:
    import keras


class BoundFeed(Protocol):
    """The part of a feed that `compile` needs."""

    heads: Mapping[str, Head]
    weighted_heads: frozenset[str]
    finely_weighted: frozenset[str]

    def peek(self) -> Any:
        """The next batch."""

    def mean_weights(self, losses: Mapping[str, Any]) -> dict[str, float]:
        """The mean sample weight of each head over the rows, as its loss uses weights."""

    def _bind(self, model: Any, compiled: bool = True) -> Structure: ...


def outputs(features: Any, heads: Mapping[str, Head] | BoundFeed) -> dict[str, keras.KerasTensor]:
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
                where, near = (
                    f"outputs(), {place(head=name)}",
                    similar(name, [n for n in features if n is not None]),
                )
                raise ContractError(Problem(where, expected, "none", near))
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
    from polyhead.keras_bridge.losses import LabeledMean
    from polyhead.keras_bridge.metrics import HeadMetrics, UnscaledMetric, elementwise, resolve
    from polyhead.keras_bridge.model_losses import HeadLosses, install
    from polyhead.keras_bridge.saving import save_for_every_backend

    require_model(model, "compile(model)")
    if not hasattr(feed, "_bind"):
        fix = "Make one: feed = ph.Feed(data, inputs=..., heads=...)."
        raise ContractError(Problem("compile(feed)", "a ph.Feed", shown(feed), fix))
    structure = _binding_structure(
        model, feed, _wrong_arguments(model, feed, normalize, {"optimizer": optimizer, **kwargs})
    )
    if structure.own_loss:
        fix = "Say model.compile(optimizer=...): the model gets the labels, and makes its loss of them."
        found = f"{type(model).__name__}, whose outputs are not the heads, with a loss of its own"
        raise ContractError(Problem("compile()", "a model with an output for each head", found, fix))
    _warn_of_half_precision(model, feed, structure)
    logits, contradictions = _logits_by_head(model, feed, structure)
    losses = {
        name: LabeledMean(
            _loss_of(head, logits[name]),
            elementwise=bool(head.elementwise),
            mean_weight=None if normalize == "batch" else 1.0,
            head=name,
            declared=_declared(feed, name),
            position=position,
            logits=logits[name],
        )
        for position, (name, head) in enumerate(feed.heads.items())
    }
    metrics = {
        name: [resolve(metric, head, logits[name]) for metric in _metrics_of(head, logits[name])]
        for name, head in feed.heads.items()
    }
    _require_suited(feed, losses, metrics, logits, contradictions)
    metrics = {
        name: [elementwise(metric) for metric in of_head] if losses[name].elementwise else of_head
        for name, of_head in metrics.items()
    }
    for name, head in feed.heads.items():
        if head.scaling is not None:
            metrics[name] = [UnscaledMetric(metric, head.scaling.inverse) for metric in metrics[name]]
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
    installed = HeadLosses(paths, losses, weights)
    installed.normalize(feed.mean_weights(losses))
    install(model, installed, HeadMetrics(paths, metrics, installed))
    save_for_every_backend(model)
    return model


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
    problems += unknown_names({}, {}, kwargs["optimizer"])
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
    problems = [*problems, *check_head_losses(losses, feed.heads, weighted, feed.finely_weighted)]
    problems += [
        problem
        for name, head in feed.heads.items()
        if head.metrics is not None
        for problem in (
            *check_metrics(name, head, metrics[name], logits[name]),
            *(check_reductions(name, head, metrics[name]) if name in weighted else ()),
        )
    ]
    problems += check_metric_names(metrics)
    problems += check_signatures(metrics) if weighted else ()
    if any(not problem.warning for problem in problems):
        raise ContractError(*problems)
    for problem in problems:
        warn(problem)


def _loss_of(head: Head, logits: bool) -> Any:
    return head.default_loss(logits) if takes_default_loss(head) else keras_loss(head.loss, head)


def _metrics_of(head: Head, logits: bool) -> list[Any]:
    if head.metrics is None:
        return head.default_metrics(logits)
    return list(head.metrics) if isinstance(head.metrics, (list, tuple)) else [head.metrics]


def _logits_by_head(model: Any, feed: Any, structure: Structure) -> tuple[dict[str, bool], list[Problem]]:
    """Tell whether the output of each head is logits, from its loss, the activation of its layer, or its values.

    Returns:
        This for each head, and the problems of outputs whose values contradict their loss, where no layer tells.
    """
    paths = {name: path for path, name in leaves(structure.outputs)}
    layer = {name: layer_logits(model, paths[name]) for name in feed.heads}
    is_logits = {name: declared_logits(head) for name, head in feed.heads.items()}
    unseen = [name for name, head in feed.heads.items() if layer[name] is None and head.probabilities]
    tries = _tried(model, feed) if unseen else []
    problems: list[Problem] = []
    for name in unseen:
        usual, *others = [_output_values(tried, paths[name]) for tried in tries]
        values = np.concatenate([usual, *others])
        overflow = np.isnan(values).reshape(len(values), -1).any(1)  # exp(z) / (1 + exp(z)) of a large z
        head, told = feed.heads[name], not overflow[len(usual) :].all()
        values = values[~overflow]
        unreached = bool(others) and not others[0].any() and bool((values < 1 - SLACK).all())
        logits = unreached or not probable(values, head)  # a sigmoid of 0 is 0.5
        problems += contradicted(name, head, values, logits) if others and told else ()
        if is_logits[name] is None:
            is_logits[name] = logits
    resolved = {name: layer[name] if is_logits[name] is None else is_logits[name] for name in is_logits}
    return {name: bool(value) for name, value in resolved.items()}, problems


def _warn_of_half_precision(model: Any, feed: Any, structure: Structure) -> None:
    """Warn of half-precision outputs of a subclassed model, which are known only once it is called."""
    if symbolic(model) is None and "float16" in str(getattr(model, "compute_dtype", "")):
        values = model(feed.peek()[0], training=False)
        for path, name in leaves(structure.outputs):
            for problem in half_precision(name, output(values, path)):
                warn(problem)


def _tried(model: Any, feed: Any) -> list[Any]:
    """Return the outputs for a batch, for zeros, and for its inputs times 1000 or -1000.

    Logits grow and change sign, probabilities stay in 0-1, and are the same only if the model has a single class. Where
    no inputs may be multiplied, or the model does not take them, there is only the first.
    """
    import keras

    x = feed.peek()[0]
    embeds = any(type(layer).__name__ == "Embedding" for layer in model._flatten_layers())
    rng = np.random.default_rng(0)

    def times(factor: float, array: Any) -> Any:
        # a model takes pixels as floats, too
        pixels = getattr(array, "dtype", None) == np.uint8 and array.ndim == 4
        if not pixels and getattr(array, "dtype", None) != np.float32:
            return array
        whole = array == np.floor(array)
        ids = not pixels and (embeds or not whole.all())  # whole numbers may be those of words or classes
        if ids and whole.all():
            return array
        signs = rng.choice(np.array([-1, 1], np.float32), array.shape)
        product = array * (np.float32(factor) * signs)
        return np.where(whole, array, product) if ids else product

    others = [keras.tree.map_structure(partial(times, factor), x) for factor in (0, 1000)]
    predictions = [model(x, training=False)]
    if any(a is not b for a, b in zip(keras.tree.flatten(x), keras.tree.flatten(others[0]), strict=True)):
        with contextlib.suppress(Exception):  # a model may read the numbers as ids
            predictions += [model(changed, training=False) for changed in others]
    return predictions


def _output_values(values: Any, path: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(output(values, path)), np.float64)
