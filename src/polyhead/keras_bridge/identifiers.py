"""Checks losses, metrics and optimizers given by name, and the arguments of ``model.compile``."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from polyhead.errors import ContractError, Problem, place, shown, similar
from polyhead.keras_bridge.adapter import KerasInput
from polyhead.kinds import Head

_BY_SHAPE = {"loss": ("crossentropy", "ce"), "metric": ("accuracy", "acc")}
"""Names for which Keras and polyhead choose the loss or metric by the form of the labels."""

_NO_NAMES = {"Loss", "Metric", "Optimizer", "deserialize", "get", "legacy", "schedules", "serialize"}
"""Names in the modules of Keras that are no loss, metric or optimizer."""


def is_by_shape(what: str, given: Any) -> bool:
    """Return whether a ``"loss"`` or ``"metric"`` is given by a name that is chosen by the form of the labels."""
    return isinstance(given, str) and given.lower() in _BY_SHAPE[what]


def form_of_labels(head: Head) -> str:
    """Return the form that Keras infers for the labels of a head from the shapes of labels and output.

    >>> from polyhead.kinds import Binary, Categorical
    >>> form_of_labels(Binary()), form_of_labels(Categorical(3)), form_of_labels(Categorical(3, one_hot=True))
    ('binary', 'sparse_categorical', 'categorical')
    """
    if head.output_shape[-1] == 1:
        return "binary"
    ids = len(head.shape) < len(head.output_shape) or head.shape[-1] == 1
    return "sparse_categorical" if ids else "categorical"


def keras_loss(given: Any, head: Head) -> Any:
    """Return a loss as given, or the name of the one that Keras uses for ``"crossentropy"``."""
    return f"{form_of_labels(head)}_crossentropy" if is_by_shape("loss", given) else given


def takes_default_loss(head: Head) -> bool:
    """Return whether a head uses the loss of its kind: by default, or by "crossentropy" for a head of classes."""
    return head.loss is None or (bool(head.losses) and is_by_shape("loss", head.loss))


def as_metrics(given: Any) -> list[Any]:
    """Return the metrics of a head or output, given as one, as several or as None; Keras ignores None among several."""
    metrics = given if isinstance(given, (list, tuple)) else [given]
    return [metric for metric in metrics if metric is not None]


def unknown_loss(name: str, loss: Any) -> Iterator[Problem]:
    """Yield a problem if the loss of a head is not one that Keras knows."""
    import keras

    if isinstance(loss, (list, tuple)):
        fix = "To add several, write a function of (y_true, y_pred) that returns their sum for each row."
        yield Problem(place(head=name), "one loss", shown(loss), fix)
    elif not is_by_shape("loss", loss):
        yield from _unknown_name(place(head=name), "loss", loss, keras.losses)


def unknown_metric(name: str, metric: Any, head: Head | None = None) -> Iterator[Problem]:
    """Yield a problem if a metric of a head is not one that Keras knows.

    Args:
        head: a head whose default metrics may be given by name, too; None for a metric of ``model.compile``.
    """
    import keras

    if not is_by_shape("metric", metric):
        yield from _unknown_name(place(head=name), "metric", metric, keras.metrics, head)


def unknown_optimizer(optimizer: Any) -> Iterator[Problem]:
    """Yield a problem if an optimizer is a name that Keras does not know, a class, or no optimizer of Keras."""
    import keras

    is_class = isinstance(optimizer, type)
    known = (type(None), str, Mapping, keras.optimizers.Optimizer)
    if is_class or not (isinstance(optimizer, known) or callable(optimizer)):
        fix = "Make one of Keras, as keras.optimizers.Adam(learning_rate=0.001)."
        fix = f"Write {optimizer.__name__}() with parentheses." if is_class else fix
        yield Problem("compile(optimizer=)", "an optimizer, or its name", shown(optimizer), fix)
    if isinstance(optimizer, str):
        yield from _unknown_name("compile(optimizer=)", "optimizer", optimizer, keras.optimizers)


def own_metrics(head: Head) -> dict[str, Any]:
    """Return the default metrics of a head by name, such as ``"iou"`` of a mask, which Keras doesn't know by name."""
    return {metric.name: metric for metric in head.default_metrics(False)}


def _unknown_name(
    where: str, what: str, given: Any, module: Any, head: Head | None = None
) -> Iterator[Problem]:
    is_name = isinstance(given, str)
    if given is None or callable(given) or (isinstance(given, Mapping) and "class_name" in given):
        return
    names = [name for name in dir(module) if not name.startswith("_") and name not in _NO_NAMES]
    # Keras makes an object to check a name, and numbers the names of its next ones: check only what is left
    classes = {snake_name(name): name for name in names}
    if is_name and (given in names or given in classes):
        known = classes.get(given, given)
        if needed := _arguments_needed(getattr(module, known)):
            expected = f"a {what} that needs no arguments, or an object"
            call = f"{known}({', '.join(f'{name}=...' for name in needed)})"
            fix = f"Say keras.{module.__name__.rpartition('.')[2]}.{call}."
            yield Problem(where, expected, shown(given), fix)
        return
    try:
        module.get(given)
    except (TypeError, ValueError):
        of_head = [] if head is None else list(own_metrics(head))
        if given in of_head:
            return
        choices = [name.lower() for name in names]
        if what in _BY_SHAPE:
            choices = [*of_head, *_BY_SHAPE[what][:1], *names]
        thing = f"{'an' if what == 'optimizer' else 'a'} {what} of Keras"
        expected = f"the name of {thing}" if is_name else f"{thing}, its name, or a function"
        fix = (similar(given, choices) or _containing(given, classes)) if is_name else ""
        if what == "metric" and given == "rmse":
            fix = 'Say keras.metrics.RootMeanSquaredError(name="rmse").'
        yield Problem(where, expected, shown(given), fix)


def _containing(given: str, names: Iterable[str]) -> str:
    """Return a hint at the names that contain a word, as "focal"; empty if none does."""
    word = given.lower().removesuffix("loss").strip("_ ")
    similar_names = [f"`{name}`" for name in names if len(word) > 1 and word in name]
    return f"Did you mean {' or '.join(similar_names[:3])}?" if similar_names else ""


def _arguments_needed(keras_class: Any) -> list[str]:
    """The required arguments of a Keras class."""
    if not isinstance(keras_class, type):
        return []
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(keras_class).parameters.values()
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind in kinds
    ]


@functools.cache
def weights_parameter(update_state: Any) -> str:
    """The name of the weights in ``update_state`` of a class of metrics, ``"*"`` by position; empty for none."""
    parameters = list(inspect.signature(update_state).parameters.values())
    if any(
        parameter.name == "sample_weight" or parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters
    ):
        return "sample_weight"
    return (
        "*"
        if any(
            "weight" in parameter.name or parameter.kind is parameter.VAR_POSITIONAL
            for parameter in parameters
        )
        else ""
    )


def snake_name(name: str) -> str:
    """Return the name of a class in Keras's snake case.

    >>> snake_name("BinaryCrossentropy"), snake_name("AUC"), snake_name("OneHotIoU"), snake_name("KLDivergence")
    ('binary_crossentropy', 'auc', 'one_hot_io_u', 'kl_divergence')
    """
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def require_model(model: Any, where: str) -> None:
    """Raise for anything but a Keras model.

    Raises:
        ContractError: for any other value, or a class.
    """
    if not callable(model) or not hasattr(model, "compile"):
        fix = "Give an instance, with parentheses." if isinstance(model, type) else ""
        if isinstance(model, KerasInput):
            fix = "The model comes first, then the feed."
        if isinstance(model, (str, os.PathLike)):
            fix = f"Load it: keras.saving.load_model({os.fspath(model)!r})."
        raise ContractError(Problem(where, "a Keras model", shown(model), fix))


HEAD_ARGUMENTS = ("loss", "loss_weights", "weighted_metrics")
"""The arguments of ``model.compile`` that `polyhead.compile` makes from the heads."""


def unknown_arguments(model: Any, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each argument that ``model.compile`` does not have, and one for those of the heads."""
    parameters = inspect.signature(model.compile).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for name in given:
        if name not in known:
            found, near = "none of that name", similar(name, [*known, "normalize"])
            yield Problem(f"compile({name}=)", "an argument of model.compile", found, near)
    if not set(HEAD_ARGUMENTS).issubset(known):
        expected = f"a compile method that takes {', '.join(HEAD_ARGUMENTS)}"
        fix = (
            "Give it **kwargs, and pass them to super().compile. If the model makes its own loss, call model.compile, "
            "not ph.compile."
        )
        yield Problem("compile(model)", expected, f"{type(model).__name__}.compile({', '.join(known)})", fix)
