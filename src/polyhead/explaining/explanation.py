"""`explain`: explains error messages of Keras for models with several outputs."""

from __future__ import annotations

import inspect
import re
import string
import sys
import textwrap
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyhead.doctor.examination import Examination
from polyhead.doctor.examine import examine_first
from polyhead.errors import ContractError, PolyheadError, Problem, Report, shown
from polyhead.explaining.keras_error import (
    FailedCall,
    OutputNames,
    compile_problems,
    failed_call,
    inputs_code,
    outputs_of,
    raised_by_user,
    raised_in_data,
)
from polyhead.explaining.known_messages import KNOWN
from polyhead.explaining.message_match import KnownMessage
from polyhead.foreign_errors import line_of_user


@dataclass(frozen=True)
class Explanation(Report):
    """An explanation of an error message.

    Attributes:
        name: the name of the known message; empty for an unknown one.
        what: what happened, in a sentence or two.
        keras: the code to write in plain Keras.
        polyhead: the code to write with polyhead.
        heading: the heading of the answer on the page of questions.
        feed: the code of a feed of the same data, if the data could be read.
    """

    name: str = ""
    what: str = ""
    keras: str = ""
    polyhead: str = ""
    heading: str = ""
    feed: str = ""

    @property
    def note(self) -> str:
        """The explanation without the feed, as in the note under a traceback."""
        lines = [f"polyhead: {self.what}", *(f"  {problem}" for problem in self.problems)]
        for title, code in (("in Keras", self.keras), ("with polyhead", self.polyhead)):
            lines += [f"  {title}:", textwrap.indent(code, "      ")] if code else []
        lines += [f'  more: the page Questions of the docs, "{self.heading}"'] if self.heading else []
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON-able objects."""
        names = ("name", "what", "keras", "polyhead", "heading", "feed")
        return super().as_dict() | {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        lines = [self.note.removeprefix("polyhead: "), *(f"  {note}" for note in self.notes)]
        return "\n".join([*lines, "", "the same data as a feed:", "", self.feed] if self.feed else lines)


def explain(error: Any = None, model: Any = None, data: Any = None) -> Explanation:
    """Explain an error or warning of Keras: what happened, in which head and row, and the code to write.

    The model and the data are taken from the traceback of ``fit``, ``evaluate`` or ``predict``. The first batches of
    the data are compared with the model, as in `examine`: arrays, a ``PyDataset`` and a ``tf.data`` dataset are read
    from the beginning, a generator from where it stopped.

    Args:
        error: an exception, a warning, the text of either, or what ``fit`` returned if a loss is NaN. None for the last
            error of an interactive session.
        model: the model, if it is not in the traceback.
        data: the data given to ``fit``, if it is not in the traceback; arrays as ``(x, y)`` or ``(x, y, weights)``.

    Returns:
        A report: ``what`` happened, ``problems`` with head and row, the code in ``keras`` and ``polyhead``, the same
        data as a ``feed``; ``print(explanation)``.

    Raises:
        ContractError: if there is no error to explain.

    >>> import polyhead as ph
    >>> print(ph.explain("ValueError: `class_weight` is only supported for Models with a single output.").what)
    Keras takes class_weight for models with one output only.
    """
    error = _last_error() if error is None else error
    if isinstance(error, PolyheadError):
        return Explanation(error.problems, what="polyhead refuses this before the first step.")
    raised = error if isinstance(error, BaseException) else None
    call = FailedCall() if raised is None else failed_call(raised)
    models = (model, call.model, getattr(error, "model", None))
    call = replace(call, model=next((known for known in models if known is not None), None))
    history = getattr(error, "history", None)
    if isinstance(history, dict):
        text = _nan_message(history)
    elif raised is not None:
        text = f"{type(raised).__name__}: {raised}"
    elif isinstance(error, str) and error.strip():
        text = error
    else:
        expected = "an error, a warning, the text of either, or the History that fit returned"
        raise ContractError(Problem("explain(error)", expected, shown(error)))
    data = call.data if data is None else data
    report = with_validation(examined(data, call.model), call)
    if not text:
        return _of_finite_losses(report)
    in_data = None if raised is None else raised_in_data(raised)
    if in_data is not None and not _of_the_model(report):
        return _unknown(*in_data, report)
    line = line_of_user(raised) if raised is not None and raised_by_user(raised) else ""
    return explain_message(text, call, report, data, line)


def explain_message(
    text: str, call: FailedCall, report: Examination, data: Any = None, line: str = ""
) -> Explanation:
    """Return the explanation of a message.

    Args:
        line: the line of the user's own code that raised it; empty if Keras raised it.
    """
    compiled = tuple(compile_problems(call.model))
    codes = {problem.code for problem in (*report.errors, *compiled)}
    ranks = [
        (rank, entry)
        for entry in KNOWN
        if (rank := entry.rank(text, call.arguments, codes, type(data).__name__)) is not None
        if entry.codes & codes or not codes & _TELLING
    ]
    _, entry = max(ranks, key=lambda ranked: ranked[0], default=(None, None))
    if line and call.method and entry is not None and not entry.codes & codes:
        entry = None  # words such as "out of bounds" are those of NumPy and PyTorch, too
    if entry is None or "exhausted" not in entry.codes:  # that a generator ended may be intended
        report = replace(report, problems=tuple(p for p in report.problems if p.code != "exhausted"))
    if entry is None:
        return _unknown(text, line, report)
    if entry.compiled:
        report = replace(report, problems=compiled)
    problems = tuple(p for p in report.problems if p.code in entry.codes)
    problems = report.errors if entry.codes and not problems else problems
    outputs = outputs_of(call.model)
    names = _names_in_code(outputs, problems, call, report.declaration)
    wrong_input = re.match(r"input `(\w+)`", problems[0].place) if problems else None
    names["input"] = wrong_input[1] if wrong_input else "x"
    code = entry.keras_input if wrong_input and entry.keras_input else entry.keras
    return Explanation(
        problems,
        name=entry.name,
        what=_with_outputs(entry, outputs),
        keras=string.Template(code).safe_substitute(names),
        polyhead=string.Template(entry.polyhead).safe_substitute(names),
        heading=entry.heading,
        feed=report.declaration,
    )


def _unknown(text: str, line: str, report: Examination) -> Explanation:
    """Return what is known of a message of its own: the problems of the data, or the line that raised it."""
    what = f"Your own code raised this, at {line}" if line else "This message isn't one that polyhead knows"
    what = f"{what}: {text.strip().splitlines()[0][:200]}"
    tip = "ph.examine(data, model) compares your data with your model."
    what = "The data does not fit the model." if _of_the_model(report) else what
    return Explanation(report.errors, (tip,), what=what, feed=report.declaration)


def _of_the_model(report: Examination) -> bool:
    """Return whether the data has another problem than an error that it raises itself."""
    return any(problem.code != "raises" for problem in report.errors)


_TELLING = {"single-rows", "structure"}
"""Mistakes in data that explain any message."""


def often_of_data(text: str) -> bool:
    """Return whether batches that don't fit a model often lead to this message."""
    return any(
        entry.codes and entry.perhaps and re.search(entry.perhaps, text, re.IGNORECASE) for entry in KNOWN
    )


def _with_outputs(entry: KnownMessage, outputs: OutputNames) -> str:
    if not outputs.names or not entry.lists_outputs:
        return entry.what
    return f"{entry.what} The outputs of this model: {', '.join(f'`{name}`' for name in outputs.names)}."


def _named_in(problems: tuple[Problem, ...], outputs: OutputNames) -> str:
    """Return the output that the problems name first, else one with classes, else the first."""
    words = " ".join(f"{problem.place} {problem.found}" for problem in problems)
    named = [name for name in outputs.names if f"`{name}`" in words]
    return next(iter([*named, *outputs.classes, *outputs.names]), "first")


def _class_weights(class_weight: Any) -> tuple[str, str]:
    """Return the output and the weights of ``fit(class_weight=)`` as code, or an example if it was not given."""
    if isinstance(class_weight, dict) and class_weight:
        first, weights = next(iter(class_weight.items()))
        return (str(first), repr(weights)) if isinstance(weights, dict) else ("", repr(class_weight))
    return "", "{0: 1.0, 1: 5.0}"


def _names_in_code(
    outputs: OutputNames, problems: tuple[Problem, ...], call: FailedCall, feed: str
) -> dict[str, str]:
    """Return the code that stands for each ``$name`` in the code of an entry, for the outputs of this model."""
    weighted, weights = _class_weights(call.arguments.get("class_weight"))
    wrong = weighted if weighted in outputs.names else _named_in(problems, outputs)
    names = outputs.names or ("first", "second")
    keys = {name: name if name.isidentifier() else f"y{i}" for i, name in enumerate(names)}
    first = keys.get(wrong, "first")
    kind = re.search(rf'"{re.escape(wrong)}": ph\.(\w+)', feed)
    fallback = "Binary" if wrong in outputs.classes or not outputs.names else "Regression"
    y = outputs.code(keys)
    y_weights = outputs.code({n: f"{k}_weight" if k == first else "np.ones(len(x))" for n, k in keys.items()})
    give, give_weighted = f"model.fit(x, {y})", f"model.fit(x, {y}, sample_weight={y_weights})"
    if call.streams:
        give, give_weighted = f"yield x, {y}", f"yield x, {y}, {y_weights}"
    return {
        "x": inputs_code(call.model),
        "give": give,
        "give_weighted": give_weighted,
        "first": first,
        "kind": kind[1] if kind else fallback,
        "class_weight": weights,
        "y": y,
        "y_flat": ", ".join(keys.values()),
        "y_rows": outputs.code({name: f"{key}[rows]" for name, key in keys.items()}),
        "losses": outputs.code({name: f'"{_usual_loss(name, outputs)}"' for name in names}),
        "metrics": outputs.code(
            {name: '["accuracy"]' if name in outputs.classes else '["mae"]' for name in names}
        ),
        "weights": outputs.code({name: f"{key}_weight" for name, key in keys.items()}),
    }


def _usual_loss(name: str, outputs: OutputNames) -> str:
    if name in outputs.one_of:
        return "sparse_categorical_crossentropy"
    return "binary_crossentropy" if name in outputs.classes else "mse"


def examined(data: Any, model: Any) -> Examination:
    """Examine the data; return an empty examination if it cannot be read."""
    if data is None:
        return Examination()
    try:
        report = examine_first(data, model)
    except PolyheadError as error:  # no batches can be read from it
        inputs_alone = hasattr(data, "keys") or hasattr(data, "shape") or isinstance(data, list)
        return Examination() if inputs_alone else Examination(error.problems)
    over = inspect.isgenerator(data) and not report.batches  # a generator that raised has ended
    return Examination() if over else report


def with_validation(report: Examination, call: FailedCall) -> Examination:
    """Add the problems of ``validation_data``, if the training data has none."""
    if report.errors or call.validation is None:
        return report
    problems = examined(call.validation, call.model).problems
    beside = tuple(replace(p, place=f"validation_data, {p.place}") for p in problems)
    return replace(report, problems=(*report.problems, *beside))


def _nan_message(history: dict[str, list[float]]) -> str:
    """Return a message for losses that are not finite; empty if all are."""
    wrong = [name for name, values in history.items() if not all(map(_is_finite, values))]
    return f"the loss is nan: {', '.join(wrong)}" if wrong else ""


def _is_finite(value: Any) -> bool:
    """Return whether a log is finite; logs that are no numbers, from callbacks, count as finite."""
    array = np.asarray(value)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _of_finite_losses(report: Examination) -> Explanation:
    """Return the explanation of a training with finite losses: the problems of its data."""
    what = "All losses are finite." + " The data does not fit the model." * bool(report.errors)
    tip = "ph.examine(data, model) reads whole epochs and finds mistakes that raise no error."
    return Explanation(report.errors, (tip,), what=what, feed=report.declaration)


def _last_error() -> BaseException:
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if error is None:
        fix = "Pass it: except Exception as error: print(ph.explain(error))."
        raise ContractError(Problem("explain()", "an error", "none, as no error ended a command here", fix))
    return error
