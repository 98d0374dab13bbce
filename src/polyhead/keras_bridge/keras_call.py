"""Finds the call of Keras that asks a feed for batches.

Keras does not tell an adapter which model or method asks for batches, so `caller` reads that from the calling frames.
With it, a feed can check itself against any model, keep validation apart from training, and return predictions in the
order of rows. If there is no such frame, the feed behaves as in ``iter(feed)``.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from threading import get_ident
from types import FrameType
from typing import Any, Literal

from polyhead.errors import ContractError, Problem, shown
from polyhead.keras_bridge.structure import makes_own_loss

_METHODS = ("fit", "evaluate", "predict")
_BUILDING = ("_symbolic_build", "_maybe_symbolic_build")
_DEPTH = 50
_NEAR = 10
"""The most frames between a call from Keras and its public method."""

Use = Literal["fit", "evaluate", "predict"]

Convert = Callable[[Any], Any]
"""Converts an array to a tensor."""


@dataclass(frozen=True)
class Call:
    """A call of Keras that asks for batches.

    Attributes:
        use: the method; training counts epochs and shuffles, evaluation and prediction read rows in order.
        model: the model that asks, or None if it is unknown.
        steps: ``steps_per_epoch``, ``validation_steps`` or ``steps``, if given.
        initial_epoch: the ``initial_epoch`` of ``fit``.
        epochs: the number of epochs left in a run of ``fit``, including this one; None if ``steps`` ends epochs.
        probing: whether Keras only needs one batch, to build the model.
        within: a weak reference to Keras's iterator over the epochs of this call.
        refused: problems of arguments that cannot be combined with a feed, and that Keras would ignore.
        validation: ``validation_data`` of ``fit``.
        validation_steps: ``validation_steps`` of ``fit``.
    """

    use: Use = "fit"
    model: Any = None
    steps: int | None = None
    initial_epoch: int = 0
    epochs: int | None = 1
    probing: bool = False
    within: weakref.ref[Any] | None = None
    verbose: bool = False
    callbacks: tuple[Any, ...] = ()
    refused: tuple[Problem, ...] = ()
    validation: Any = None
    validation_steps: int | None = None

    @property
    def run(self) -> Any:
        """Keras's iterator over the epochs of this call, one object for each call; None without one."""
        return None if self.within is None else self.within()


def caller(feed: Any) -> Call:
    """Find the call of Keras that led here in the calling frames."""
    iterator: Any = None
    probing = False
    for frame in keras_frames():
        name, names = frame.f_code.co_name, frame.f_locals
        owner = names.get("self")
        if iterator is None and _iterates(owner):
            iterator = owner
        probing = probing or name in _BUILDING
        if name in _METHODS and hasattr(owner, "compute_loss"):
            call = _call(name, owner, names, iterator, probing)
            return replace(call, refused=_refused_arguments(name, names)) if names.get("x") is feed else call
    return Call(probing=probing)


def calling_epochs() -> Any:
    """Find Keras's iterator over the epochs of the call that led here; None without one."""
    owners = (frame.f_locals.get("self") for frame in keras_frames())
    return next(filter(_iterates, owners), None)


def data_of_step() -> Any:
    """Return the ``x`` of the method of Keras that takes the current step, such as ``fit``; None outside of one."""
    for frame in keras_frames(sys.getrecursionlimit()):
        if frame.f_code.co_name in (*_METHODS, "train_on_batch", "test_on_batch"):
            names = frame.f_locals
            if hasattr(names.get("self"), "compute_loss"):
                return names.get("x")
    return None


def require_one_thread(runs: Iterable[tuple[Any, int]]) -> None:
    """Raise if ``fit`` trains with a feed in another thread, as the position would move for both.

    Args:
        runs: Keras's iterators over epochs that the feed has met, and their threads.
    """
    for run, thread in runs:
        frame = None if thread == get_ident() else sys._current_frames().get(thread)
        while frame is not None:
            if frame.f_code.co_name == "fit" and frame.f_locals.get("epoch_iterator") is run:
                expected = "a feed that trains one model at a time"
                found = "one in use by fit() in another thread"
                fix = "Give each thread a feed of its own, of the same rows: copy.copy(feed)."
                raise ContractError(Problem("fit(feed)", expected, found, fix))
            frame = frame.f_back


def keras_frames(most: int = _DEPTH) -> Iterator[FrameType]:
    """Yield the frames of Keras among the ``most`` innermost calling frames, from the innermost on."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(most):
        if frame is None:
            return
        if of_keras(frame):
            yield frame
        frame = frame.f_back


def of_keras(frame: FrameType) -> bool:
    """Return whether Keras's own code runs in a frame."""
    return str(frame.f_globals.get("__name__", "")).startswith("keras.")


def _iterates(owner: Any) -> bool:
    return hasattr(owner, "steps_per_epoch") and hasattr(owner, "data_adapter")


def _call(method: str, model: Any, names: dict[str, Any], iterator: Any, probing: bool) -> Call:
    """Describe a call by the local names of Keras's method."""
    steps = getattr(iterator, "steps_per_epoch", None)
    # a second iterator inside `fit` is that of validation
    validates = iterator is not None and names.get("epoch_iterator", iterator) is not iterator
    if method != "fit" or validates:
        return Call("predict" if method == "predict" else "evaluate", model, steps, probing=probing)
    start = getattr(model, "_initial_epoch", None) or names.get("initial_epoch") or 0
    callbacks = names.get("callbacks")
    callbacks = getattr(callbacks, "callbacks", callbacks)  # Keras wraps them in a `CallbackList`
    return Call(
        "fit",
        model,
        steps,
        initial_epoch=start,
        epochs=None if steps else names.get("epochs", 1) - names.get("epoch", start),
        probing=probing,
        within=None if iterator is None else weakref.ref(iterator),
        verbose=bool(names.get("verbose", True)),
        callbacks=tuple(callbacks) if isinstance(callbacks, (list, tuple)) else (callbacks,),
        validation=names.get("validation_data"),
        validation_steps=names.get("validation_steps"),
    )


_REMEDY = {
    "y": "The labels are in the feed.",
    "batch_size": "Say Feed(batch_size=...).",
    "sample_weight": 'Name a column of weights on a head: ph.Binary(sample_weight="...").',
    "class_weight": "Set it on a head: ph.Binary(class_weight=...).",
    "validation_split": (
        "Split the rows first: train, val = ph.read_table(data).split((0.8, 0.2)); make the feed of train, and give "
        "fit(validation_data=feed.on(val))."
    ),
    "validation_batch_size": "Say feed.on(val, batch_size=...).",
}

_SPLIT_OF_STREAM = (
    "The rows of a generator can't be split: write a generator for the validation rows, and give "
    "fit(validation_data=feed.on(ph.from_generator(val_batches, length=...)))."
)


def _refused_arguments(method: str, names: dict[str, Any]) -> tuple[Problem, ...]:
    # for its validation, `fit` passes on the batch size of its arrays
    arguments = [name for name in _REMEDY if name != "batch_size" or not names.get("use_cached_eval_dataset")]
    streams = getattr(getattr(names.get("x"), "source", None), "sequential", False)
    remedies = _REMEDY | {"validation_split": _SPLIT_OF_STREAM} if streams else _REMEDY
    problems = tuple(
        Problem(f"{method}({name}=)", f"no {name}= together with a Feed", shown(names[name]), remedies[name])
        for name in arguments
        if names.get(name) is not None and not (name == "validation_split" and names[name] == 0)
    )
    shuffle = names.get("shuffle", True)
    shuffles = getattr(names.get("x"), "shuffle", False)
    if method == "fit" and (shuffle == "batch" or (not shuffle and shuffles)):
        fix = 'Say Feed(shuffle="blocks").' if shuffle else "Say Feed(shuffle=False)."
        expected = "no shuffle= together with a Feed, which orders its rows"
        problems += (Problem("fit(shuffle=)", expected, shown(shuffle), fix),)
    # it is asked for batches only after an epoch; `isinstance` would call its `__class__`, and so come back here
    validation = names.get("validation_data")
    unlabeled = getattr(type(validation), "_unlabeled", None)
    where = f"{method}(validation_data=)"
    if unlabeled is not None:
        return problems + tuple(unlabeled(validation, where))
    model = names.get("self")
    needs_labels = not makes_own_loss(model) or getattr(model, "_compile_loss", None) is not None
    labeled = needs_labels and bool(getattr(names.get("x"), "heads", ()))
    return problems + _rows_of_no_feed(where, validation, labeled)


_LOADERS = ("PyDataset", "DataLoader")
"""Classes of batches, of Keras and PyTorch; what is derived from them may have a shape or columns of its own."""


def _rows_of_no_feed(where: str, rows: Any, labeled: bool) -> tuple[Problem, ...]:
    """Return the problem of validation rows that are no feed and have no labels: Keras would take them for inputs.

    Args:
        labeled: whether the model needs labels.
    """
    if rows is None or any(base.__name__ in _LOADERS for base in type(rows).__mro__):
        return ()
    if isinstance(rows, (tuple, list)):
        has_feed = any(hasattr(type(part), "_unlabeled") for part in rows)
        wrong = has_feed or not 1 <= len(rows) <= 3 or (labeled and (len(rows) == 1 or rows[1] is None))
    else:
        columns = any(hasattr(rows, name) for name in ("shape", "column_names", "columns"))
        batches = hasattr(rows, "__iter__") or hasattr(rows, "__getitem__")
        inputs = columns or isinstance(rows, Mapping)
        wrong = not batches or isinstance(rows, (str, bytes, type)) or (labeled and inputs)
    if not wrong:
        return ()
    fix = _REMEDY["validation_split"] if isinstance(rows, float) else f"Say {where[4:-1]}feed.on(rows)."
    return (Problem(where, "a feed of the validation rows", shown(rows), fix),)


def refuse_split(feed: Any) -> None:
    """Raise for ``fit(validation_split=)`` when Keras asks for the type of a feed, before its own misleading error."""
    splits = False
    for frame in keras_frames(_NEAR):
        if frame.f_code.co_name == "fit" and "validation_split" in frame.f_locals:
            if splits and frame.f_locals.get("x") is feed:
                raise ContractError(*_refused_arguments("fit", frame.f_locals))
            return
        splits = splits or frame.f_code.co_name == "train_validation_split"
