"""Finds the call of Keras that raised an error: the model and the arguments of ``fit``, ``evaluate`` or ``predict``.

Keras removes its own frames from a traceback but keeps that of ``error_handler``, which has the arguments of the call.
Without such a frame, the call is unknown.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.checks.compiled_model import user_losses, user_metrics
from polyhead.checks.model_match import symbolic
from polyhead.checks.range_rules import ONE_CLASS
from polyhead.doctor.model_signature import ExaminedTensor, examined_tensors, nested_code
from polyhead.errors import Problem
from polyhead.foreign_errors import line_of_text, line_of_user, origin
from polyhead.keras_bridge.structure import Path, Structure, rebuild
from polyhead.kinds.keras_names import SIGMOID

ON_BATCH = ("train_on_batch", "test_on_batch")
METHODS = ("fit", "evaluate", "predict", *ON_BATCH)
_QUOTED = re.compile(
    r"^(?P<message>\w[\w.]*(: .*)?)\nTraceback \(most recent call last\):\n(?P<traceback>(.|\n)*)", re.M
)
_LIBRARIES = ("keras", "jax", "tensorflow", "torch", "optree", "polyhead")


@dataclass(frozen=True)
class FailedCall:
    """A call of Keras that failed.

    Attributes:
        method: the name of the method, or empty.
        model: the model, or None.
    """

    method: str = ""
    model: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        """The data given to the model, in a form that `examine` takes; None if unknown."""
        x, y = self.arguments.get("x"), self.arguments.get("y")
        weights = self.arguments.get("sample_weight")
        if x is None or y is None:
            return x
        if self.streams:
            return None  # a generator and labels
        return (x, y) if weights is None else (x, y, weights)

    @property
    def validation(self) -> Any:
        """The ``validation_data`` of ``fit``, with arrays in tuples; None if there was none."""
        validation = self.arguments.get("validation_data")
        return tuple(validation) if isinstance(validation, list) else validation

    @property
    def streams(self) -> bool:
        """Whether a generator or a dataset gives the batches."""
        x = self.arguments.get("x")
        return x is not None and not hasattr(x, "shape") and not isinstance(x, (Mapping, list, tuple))

    @property
    def in_memory(self) -> bool:
        """Whether the data is in memory, so that reading it runs no user's code."""
        return self.arguments.get("y") is not None


def failed_call(error: BaseException) -> FailedCall:
    """Return the outermost call of Keras that an error passed through."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        names = frame.f_locals
        function, args = names.get("fn"), names.get("args")
        if frame.f_code.co_name == "error_handler" and callable(function) and args:
            call = bound(function, args, names.get("kwargs") or {})
            if call.method:
                return call
        if frame.f_code.co_name in ON_BATCH and hasattr(names.get("self"), "compute_loss"):
            arguments = {name: names.get(name) for name in ("x", "y", "sample_weight", "class_weight")}
            return FailedCall(frame.f_code.co_name, names["self"], _not_none(arguments))
    return FailedCall()


def raised_by_user(error: BaseException) -> bool:
    """Return whether the user's own code, such as a callback or a generator, raised an error or called what did."""
    return bool(_own_frames(error))


def _own_frames(error: BaseException) -> list[Any]:
    """Return the frames of the user's code behind the last frame of a library."""
    frames = [frame for frame, _ in traceback.walk_tb(origin(error).__traceback__)]
    packages = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    last = max((i for i, package in enumerate(packages) if package in _LIBRARIES), default=-1)
    return [frame for frame in frames[last + 1 :] if "site-packages" not in frame.f_code.co_filename]


def raised_in_data(error: BaseException) -> tuple[str, str] | None:
    """Return the message of an error that the user's generator or dataset raised, and the line; None for another.

    TensorFlow raises an error of its own instead, whose text has both.
    """
    reads = (
        frame.f_code.co_name == "__getitem__" or frame.f_code.co_flags & inspect.CO_GENERATOR
        for frame in _own_frames(error)
    )
    if any(reads):
        return f"{type(error).__name__}: {error}", line_of_user(error)
    quoted = _QUOTED.search(str(error))
    line = None if quoted is None else line_of_text(quoted["traceback"])
    return (quoted["message"], line) if quoted is not None and line else None


def bound(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> FailedCall:
    """Return the call of a model's method with these arguments; an empty call for other methods."""
    name = getattr(method, "__name__", "")
    if name not in METHODS or not args or not hasattr(args[0], "compute_loss"):
        return FailedCall()
    try:
        arguments = dict(inspect.signature(method).bind(*args, **kwargs).arguments)
    except TypeError:
        return FailedCall(name, args[0])
    arguments.pop("self", None)
    arguments.update(arguments.pop("kwargs", {}))
    return FailedCall(name, args[0], _not_none(arguments))


def _not_none(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}


def compile_problems(model: Any) -> list[Problem]:
    """Return the problems of losses, loss weights and metrics of ``model.compile`` that match no or a wrong output."""
    tensors = None if model is None else symbolic(model)
    if tensors is None:
        return []
    names = {slot.path: slot.name for slot in _output_tensors(tensors[1], model)}
    structure = Structure({}, rebuild(tensors[1], lambda path, _: names[path]))
    _, losses = user_losses(model, structure) or ({}, [])
    return [p for p in (*losses, *user_metrics(model, structure)[1]) if p.code != "loss-missing"]


def _output_tensors(outputs: Any, model: Any) -> list[ExaminedTensor]:
    return examined_tensors(outputs, model, getattr(model, "output_names", None))


@dataclass(frozen=True)
class OutputNames:
    """The names of a model's outputs, to write code with.

    Attributes:
        names: the names, in the order of declaration.
        paths: the keys that lead to each output.
        classes: the outputs of probabilities.
        one_of: those among them that choose one class of several.
    """

    names: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    classes: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()

    def code(self, values: Mapping[str, str] | None = None) -> str:
        """Return code with a value for each output, in the structure of the outputs.

        >>> OutputNames(("bought", "price"), ((0,), (1,))).code()
        '(bought, price)'
        >>> OutputNames(("bought", "price"), (("bought",), ("price",))).code()
        '{"bought": bought, "price": price}'
        """
        names = self.names or ("first", "second")
        texts = [(values or {}).get(name, name if name.isidentifier() else "...") for name in names]
        return nested_code(list(zip(self.paths or ((0,), (1,)), texts, strict=True)))


def inputs_code(model: Any) -> str:
    """Return code with a name for each input, in the structure of the model's inputs; an example without a model."""
    tensors = None if model is None else symbolic(model)
    if tensors is None:
        return '{"image": image, "meta": meta}'
    slots = examined_tensors(tensors[0], model, getattr(model, "input_names", None))
    return nested_code([(slot.path, slot.name if slot.name.isidentifier() else "...") for slot in slots])


def outputs_of(model: Any) -> OutputNames:
    """Return the outputs of a model; without names if it has none."""
    tensors = None if model is None else symbolic(model)
    if tensors is None:
        names = tuple(map(str, getattr(model, "output_names", None) or ()))
        return OutputNames(names, tuple((i,) for i in range(len(names))))
    slots = _output_tensors(tensors[1], model)
    classes = tuple(slot.name for slot in slots if slot.activation in (*ONE_CLASS, *SIGMOID))
    one_of = tuple(slot.name for slot in slots if slot.activation in ONE_CLASS)
    return OutputNames(
        tuple(slot.name for slot in slots), tuple(slot.path for slot in slots), classes, one_of
    )
