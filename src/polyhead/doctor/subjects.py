"""Recognizes what to examine, which is anything that Keras accepts, and how to read it."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from polyhead.doctor.misread import is_call, misread, plain_frames
from polyhead.errors import ContractError, Problem, shown
from polyhead.feed import Feed
from polyhead.keras_bridge.keras_call import Call
from polyhead.keras_bridge.structure import leaves, rebuild
from polyhead.sources.generator import required_arguments

ARRAY_BATCH = 32
_MOST_BYTES = 64 << 20
_ITERATORS = "function that makes an iterator"
_NEVER = 10**12
"""A length that means no end: grain gives a huge length to a dataset that repeats forever."""


@dataclass(frozen=True)
class Subject:
    """An object to examine.

    Attributes:
        name: its name in code.
        open: starts a reading and returns the iterator over the object's own batches.
        again: whether it can be read more than once.
        length: the number of batches in an epoch, if the object declares it.
        bad_length: the length that it declares, if that is no integer, which Python refuses.
        endless: whether the object declares that it has no end.
        runs_out: whether Keras cannot restart it after its end, as for generators and other iterators.
        shuffled: whether it needs no shuffling, such as arrays, which `fit` shuffles.
        item: returns batch ``i`` of a dataset that is read by number.
        next_epoch: what Keras calls between two epochs.
        workers: the number of threads or processes in which Keras or the object reads it.
        processes: whether these are processes.
        iterated: whether it is a torch loader of an ``IterableDataset``, which each worker reads from the beginning.
        samples: the object that is copied to each worker, if it can have random state.
        refused: whether Keras rejects it.
        whole: all rows, if it is arrays.
        cut: the number of rows in the batches that were cut from them.
        timed: whether a training step is measured, to compare it with a batch.
        listed: the code for a list of its batches, if `list` does not make it.
        dropped: the number of rows that a loader leaves out, the same in each epoch.
        made_by: the function of the user's program that made a generator, if it is found and needs no arguments.
    """

    kind: str
    name: str
    open: Callable[[], Iterator[Any]]
    again: bool = True
    length: int | None = None
    endless: bool = False
    runs_out: bool = False
    shuffled: bool = False
    item: Callable[[int], Any] | None = None
    next_epoch: Callable[[], None] = lambda: None
    workers: int = 0
    processes: bool = False
    iterated: bool = False
    samples: Any = None
    refused: bool = False
    whole: Any = None
    cut: int = 0
    timed: bool = True
    listed: str = ""
    made_by: str = ""
    bad_length: str = ""
    dropped: int = 0

    @property
    def makes_generators(self) -> bool:
        """Whether code can call a function that makes a generator of these batches."""
        return self.kind in ("generator function", _ITERATORS) or bool(self.made_by)

    @property
    def declared(self) -> bool:
        """Whether code can read its rows again, as a feed needs to."""
        return self.makes_generators or self.kind not in ("generator", "iterator")

    @property
    def yields(self) -> bool:
        """Whether Keras requires batches to be tuples, and rejects lists on TensorFlow."""
        return self.kind in ("generator", "generator function", "PyDataset")


def recognize(obj: Any, model: Any = None, batches: int = 50) -> Subject:
    """Recognize an object.

    Args:
        obj: anything that Keras accepts.
        model: a feed is read in the structure of this model and in the order of rows, without moving its position.
        batches: the number of batches that will be read; arrays are cut so that these have all rows, if not too many.

    Raises:
        ContractError: if no batches can be read from it.

    >>> recognize(iter([])).kind, recognize(lambda: (batch for batch in [])).kind
    ('iterator', 'generator function')
    """
    if isinstance(obj, Feed):
        call = Call("evaluate", model)
        return Subject("feed", "feed", lambda: obj._batches(call), length=len(obj), shuffled=True)
    if inspect.isgenerator(obj):
        by = _maker(obj)
        return Subject("generator", by or "generator", lambda: obj, again=False, runs_out=True, made_by=by)
    if inspect.isclass(obj):
        name = obj.__name__
        fix = f"Give an object of it: data = {name}(...)."
        raise ContractError(Problem("examine(obj)", "an object", f"the class {name}", fix))
    for recognizes, make in _KINDS:
        if recognizes(obj):
            return make(obj)
    if from_module(obj, ("Model",), "keras"):
        fix = "Give the data, and the model as examine(data, model=...); in a shell: --model FILE.PY:NAME."
        raise ContractError(Problem("examine(obj)", "data to train on", "a Keras model", fix))
    obj = plain_frames(obj)
    wrong = misread(obj)
    if wrong is not None:
        raise ContractError(wrong)
    if callable(obj) and not hasattr(obj, "__iter__") and not hasattr(obj, "__getitem__"):
        return _function(obj, model, batches)
    if _is_arrays(obj):
        return _arrays(obj, batches)
    if is_call(obj):  # what is wrong with it, its checks as a batch report
        return Subject("arrays", "arrays", lambda: iter([obj]), False, length=1, shuffled=True, whole=obj)
    if hasattr(obj, "__next__"):
        return Subject("iterator", "iterator", lambda: obj, again=False, runs_out=True, refused=True)
    if not isinstance(obj, (str, bytes, Mapping)):
        if hasattr(obj, "__iter__"):
            return Subject(type(obj).__name__, "dataset", lambda: iter(obj), refused=True)
        if hasattr(obj, "__getitem__") and hasattr(obj, "__len__"):
            return _numbered(obj)
    expected = (
        "a generator, a function that makes one, a PyDataset, a tf.data, torch or grain dataset, or arrays"
    )
    fix = "Give what you would give to fit; arrays as a tuple: examine((x, y))."
    raise ContractError(Problem("examine(obj)", expected, shown(obj), fix))


def _maker(generator: Any) -> str:
    """Return the name of the function that made a generator, if code can call it by that name without arguments."""
    code, frame = generator.gi_code, generator.gi_frame
    function = frame.f_globals.get(code.co_name) if frame is not None else None
    alike = inspect.isfunction(function) and function.__code__ is code
    return code.co_name if alike and not required_arguments(function) else ""


def from_module(obj: Any, names: tuple[str, ...], module: str) -> bool:
    """Return whether a class of ``obj`` has one of these names in a package, without importing the package.

    >>> from_module(dict(), ("dict",), "builtins")
    True
    """
    bases = type(obj).__mro__
    return any(base.__name__ in names and f".{module}." in f".{base.__module__}." for base in bases)


def _function(function: Any, model: Any, batches: int) -> Subject:
    name = getattr(function, "__name__", "generator")
    name = name if name.isidentifier() else "generator"
    needed = required_arguments(function)
    if needed:
        expected = "a function that needs no arguments"
        fix = f"Give lambda: {name}(...), or functools.partial; in a shell, a name in the file for it."
        fix = f"Give the method of an object: rows.{name}." if needed == ["self"] else fix
        raise ContractError(Problem(f"examine({name})", expected, f"one that needs {', '.join(needed)}", fix))
    if inspect.ismethod(function):  # code cannot call it by its name
        name = "generator"
    returned = function()
    refused = not inspect.isgenerator(returned)
    if refused:
        subject = recognize(returned, model, batches)
        if subject.kind != "iterator":
            return subject
    unread = [returned]  # the first reading uses the one that was made to recognize it
    kind = _ITERATORS if refused else "generator function"
    return Subject(kind, name, lambda: unread.pop() if unread else function(), runs_out=True, refused=refused)


def _length(dataset: Any, declared: Callable[[], int | None]) -> tuple[int | None, str]:
    """Return the number of batches that a dataset declares, and that number as text if it is no integer."""
    try:
        return declared(), ""
    except TypeError:
        length = type(dataset).__len__(dataset)  # `len` takes integers alone
        if not isinstance(length, (float, np.floating)) or not math.isfinite(length):
            raise
        return math.ceil(length), repr(float(length))


def _numbered(dataset: Any) -> Subject:
    """Return a dataset whose batches are read by number: a ``PyDataset``, or an object of a class like it."""
    derived = from_module(dataset, ("PyDataset",), "keras")
    length, bad_length = _length(
        dataset, lambda: getattr(dataset, "num_batches", None) if derived else len(dataset)
    )
    workers = int(getattr(dataset, "workers", 1) or 0) if derived else 0
    count = length if bad_length else "dataset.num_batches" if derived else "len(dataset)"

    def one_epoch() -> Iterator[Any]:
        return (dataset[i] for i in (itertools.count() if length is None else range(length)))

    def next_epoch() -> None:
        for name in ("on_epoch_end", "on_epoch_begin"):  # the oldest supported Keras has no `on_epoch_begin`
            getattr(dataset, name, lambda: None)()

    return Subject(
        "PyDataset" if derived else type(dataset).__name__,
        "dataset",
        one_epoch,
        length=length,
        bad_length=bad_length,
        endless=length is None,
        item=lambda i: dataset[i],
        next_epoch=next_epoch,
        workers=workers,
        processes=bool(getattr(dataset, "use_multiprocessing", False)) and workers > 0,
        samples=dataset,
        refused=not derived,
        # iterating over a flow of `ImageDataGenerator` has no end
        listed="" if length is None else f"[dataset[i] for i in range({count})]",
    )


def _torch_dataset(dataset: Any) -> Subject:
    fix, has = "Give torch.utils.data.DataLoader(dataset, batch_size=32).", "has"
    if from_module(dataset, ("IterableDataset",), "torch"):
        fix, has = f"{fix[:-1]}, or batch_size=None if it yields batches.", "may have"
    found = f"a torch {type(dataset).__name__}, which {has} single rows"
    raise ContractError(Problem("examine(obj)", "batches", found, fix))


def _tf(dataset: Any) -> Subject:
    count = int(dataset.cardinality())  # -1 is endless, -2 unknown
    return Subject(
        "tf.data dataset",
        "dataset",
        lambda: iter(dataset),
        length=count if count >= 0 else None,
        endless=count == -1,
    )


def _loader(loader: Any) -> Subject:
    batches = loader.batch_sampler
    dropping = type(batches).__name__ == "BatchSampler" and batches.drop_last
    in_order = dropping and from_module(batches.sampler, ("SequentialSampler",), "torch")
    return Subject(
        "torch DataLoader",
        "loader",
        lambda: iter(loader),
        length=len(loader) if hasattr(loader.dataset, "__len__") else None,
        workers=loader.num_workers,
        processes=loader.num_workers > 0,
        iterated=from_module(loader.dataset, ("IterableDataset",), "torch"),
        samples=loader.dataset,
        dropped=len(batches.sampler) % batches.batch_size if in_order else 0,
    )


def _grain(dataset: Any) -> Subject:
    try:
        length: int | None = len(dataset)
    except (TypeError, AttributeError, NotImplementedError):
        length = None
    endless = length is not None and length > _NEVER  # repeat() without a number
    return Subject(
        "grain dataset", "dataset", lambda: iter(dataset), length=None if endless else length, endless=endless
    )


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Subject]], ...] = (
    (partial(from_module, names=("PyDataset",), module="keras"), _numbered),
    (partial(from_module, names=("DatasetV2",), module="tensorflow"), _tf),
    (partial(from_module, names=("DataLoader",), module="torch"), _loader),
    (partial(from_module, names=("Dataset",), module="torch"), _torch_dataset),
    (partial(from_module, names=("MapDataset", "IterDataset", "DataLoader"), module="grain"), _grain),
)


def _is_arrays(obj: Any) -> bool:
    """Return whether ``obj`` is an array, or up to three nestings of arrays, x, y and weights."""
    if hasattr(obj, "shape") and hasattr(obj, "dtype"):
        return True
    if not isinstance(obj, tuple) or not 1 <= len(obj) <= 3:
        return False
    arrays = _arrays_in(obj)
    return bool(arrays) and all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in arrays)


def _arrays_in(parts: tuple[Any, ...]) -> list[Any]:
    """Return the leaves of x, y and weights, without inputs that are None next to others."""
    return [leaf for path, leaf in leaves(parts) if leaf is not None or path[0] != 0 or len(path) == 1]


def _arrays(obj: Any, batches: int) -> Subject:
    parts = obj if isinstance(obj, tuple) else (obj,)
    arrays = _arrays_in(parts)
    rows = max(map(len, arrays))
    each = sum(int(np.prod(leaf.shape[1:])) * 8 for leaf in arrays)
    size = max(ARRAY_BATCH, min(-(-rows // batches), _MOST_BYTES // max(1, each)))
    steps = -(-rows // size)

    def cut(step: int) -> Any:
        part = slice(step * size, (step + 1) * size)
        return rebuild(parts, lambda _, leaf: None if leaf is None else leaf[part])

    return Subject(
        "arrays", "arrays", lambda: map(cut, range(steps)), length=steps, shuffled=True, whole=parts, cut=size
    )
