"""How Keras takes a feed: `fit`, `evaluate` and `predict` ask it for iterators.

Keras passes an instance of its ``DataAdapter`` through unchanged, on every backend. The class is private, so:

- it is never imported here; a feed says that it is one only once Keras has loaded it (`KerasInput.__class__`);
- Keras does not tell an adapter which model asks, nor what for, so that is read from the calling frames
  (`caller`): a feed can then check itself against any model it meets, keep validation apart from training, and
  give predictions in row order. Where no such frame is found the feed behaves as in ``iter(feed)``.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Literal

from polyhead.errors import ContractError, Problem, shown
from polyhead.keras_bridge.devices import require_shares
from polyhead.keras_bridge.jax_state import keeps_weights, surviving
from polyhead.keras_bridge.tensorflow_errors import Raised
from polyhead.keras_bridge.tensorflow_iterator import Drawn

_ADAPTER = "keras.src.trainers.data_adapters.data_adapter"
_METHODS = ("fit", "evaluate", "predict")
_BUILDING = ("_symbolic_build", "_maybe_symbolic_build")
_DEPTH = 48
_NEAR = 8
"""Frames between a question of Keras's and the function that it is for."""

Use = Literal["fit", "evaluate", "predict"]

Convert = Callable[[Any], Any]
"""Makes a tensor of an array."""


@dataclass(frozen=True)
class Call:
    """Who asks for batches, and what for.

    Attributes:
        use: training counts epochs and shuffles; evaluation and prediction go from first row to last.
        model: the one that asks, or None where it is not known.
        steps: ``steps_per_epoch``, ``validation_steps`` or ``steps``, if given.
        initial_epoch: of ``fit``.
        epochs: how many are to come in a run of ``fit``, this one included; None where ``steps`` says when one ends.
        probing: Keras only wants to see one batch, to build the model.
        within: refers to Keras's iterator over the epochs of this call, and does not keep it.
        verbose: whether the call prints.
        callbacks: of the call.
        refused: arguments of the method that have no meaning beside a feed, and that Keras would drop.
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

    @property
    def run(self) -> Any:
        """Keras's iterator over the epochs of this call, one object for each call; None where there is none."""
        return None if self.within is None else self.within()


def caller(feed: Any) -> Call:
    """The call of Keras that stands behind the present one, read from the frames."""
    frame: FrameType | None = sys._getframe(2)
    iterator: Any = None
    probing = False
    for _ in range(_DEPTH):
        if frame is None:
            break
        if str(frame.f_globals.get("__name__", "")).startswith("keras."):
            name = frame.f_code.co_name
            owner = frame.f_locals.get("self")
            if iterator is None and _iterates(owner):
                iterator = owner
            probing = probing or name in _BUILDING
            if name in _METHODS and hasattr(owner, "compute_loss"):
                call = _call(name, owner, frame.f_locals, iterator, probing)
                return (
                    replace(call, refused=_refused(name, frame.f_locals))
                    if frame.f_locals.get("x") is feed
                    else call
                )
        frame = frame.f_back
    return Call(probing=probing)


def asking() -> Any:
    """Keras's iterator over the epochs of the call that stands behind the present one; None where there is none."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            return None
        owner = frame.f_locals.get("self")
        if str(frame.f_globals.get("__name__", "")).startswith("keras.") and _iterates(owner):
            return owner
        frame = frame.f_back
    return None


def _iterates(owner: Any) -> bool:
    return hasattr(owner, "steps_per_epoch") and hasattr(owner, "data_adapter")


def _call(name: str, model: Any, names: dict[str, Any], iterator: Any, probing: bool) -> Call:
    steps = getattr(iterator, "steps_per_epoch", None)
    if name == "fit":
        # inside `fit`, a second iterator is the one for validation
        if iterator is not None and names.get("epoch_iterator", iterator) is not iterator:
            return Call("evaluate", model, steps, probing=probing)
        start = getattr(model, "_initial_epoch", None) or names.get("initial_epoch") or 0
        given = names.get("callbacks")
        given = getattr(given, "callbacks", given)  # Keras puts them into a list of its own
        callbacks = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        verbose = bool(names.get("verbose", True))
        left = None if steps else names.get("epochs", 1) - names.get("epoch", start)
        within = None if iterator is None else weakref.ref(iterator)
        return Call(
            "fit",
            model,
            steps,
            initial_epoch=start,
            epochs=left,
            probing=probing,
            within=within,
            verbose=verbose,
            callbacks=callbacks,
        )
    return Call("evaluate" if name == "evaluate" else "predict", model, steps, probing=probing)


_REMEDY = {
    "y": "The feed has its labels.",
    "batch_size": "Say Feed(batch_size=...).",
    "sample_weight": "Say it on the heads: class_weight=, given= and missing= make weights.",
    "class_weight": "Say it on a head: ph.Binary(class_weight=...).",
    "validation_split": (
        "Split the rows first: train, val = ph.read_table(data).split((0.8, 0.2)); make the feed of train, and give "
        "fit(validation_data=feed.on(val))."
    ),
    "validation_batch_size": "Say feed.on(val, batch_size=...).",
}


def _refused(method: str, names: dict[str, Any]) -> tuple[Problem, ...]:
    found = tuple(
        Problem(f"{method}({name}=)", "nothing beside a feed", shown(names[name]), fix)
        for name, fix in _REMEDY.items()
        if names.get(name) is not None and not (name == "validation_split" and names[name] == 0)
    )
    order = names.get("shuffle", True)
    shuffles = getattr(names.get("x"), "shuffle", False)
    if method == "fit" and (order == "batch" or (not order and shuffles)):
        other = (
            'Say Feed(shuffle="blocks").' if order else "Say Feed(shuffle=False): the feed orders the rows."
        )
        found += (Problem("fit(shuffle=)", "nothing beside a feed that has an order", shown(order), other),)
    validation = names.get("validation_data")  # it is asked for batches only after an epoch
    return found + (
        validation._unlabelled(f"{method}(validation_data=)") if isinstance(validation, KerasInput) else ()
    )


def _refuse_split() -> None:
    """Raise for ``fit(validation_split=)``: Keras asks what a feed is, and would say that it is no array."""
    frame: FrameType | None = sys._getframe(2)
    splits = False
    for _ in range(_NEAR):
        if frame is None:
            return
        if frame.f_code.co_name == "fit" and "validation_split" in frame.f_locals:
            data = frame.f_locals.get("x")
            if splits and type(data).__mro__.count(KerasInput):
                raise ContractError(*_refused("fit", frame.f_locals))
            return
        splits = splits or frame.f_code.co_name == "train_validation_split"
        frame = frame.f_back


class KerasInput:
    """What Keras calls on a feed. A feed defines ``_steps(call)``, ``_batches(call, convert)`` and ``_specs(call)``."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The feed's own class, which is also Keras's ``DataAdapter`` once Keras is loaded."""
        _refuse_split()
        module = sys.modules.get(_ADAPTER)
        base = getattr(module, "DataAdapter", None)
        return type(self) if base is None else _both(type(self), base)

    def _steps(self, call: Call) -> int | None:
        raise NotImplementedError

    def _batches(self, call: Call, convert: Convert | None = None) -> Iterator[Any]:
        """Batches of arrays, or of what ``convert`` makes of arrays of several batches."""
        raise NotImplementedError

    def _specs(self, call: Call) -> Any:
        raise NotImplementedError

    def _sizes(self, call: Call) -> tuple[int, ...]:
        """The numbers of rows that a batch can have; the last one comes last."""
        raise NotImplementedError

    def _unlabelled(self, where: str) -> tuple[Problem, ...]:
        """The problems of a feed without labels, for a place that needs them."""
        return ()

    def _begin(self, call: Call) -> None:
        """An epoch of a method of Keras begins, or it looks at a first batch."""

    def _end(self, call: Call) -> None:
        """An epoch has ended; Keras also says so before the first one."""

    def _lends(self, array: Any) -> bool:
        """Whether a tensor may share an array's memory for good, and write to it."""
        return False

    @property
    def num_batches(self) -> int | None:
        """For Keras: batches in an epoch, or None where ``steps_per_epoch`` says when one ends."""
        return self._steps(caller(self))

    @property
    def has_partial_batch(self) -> bool:
        """For Keras: whether a last batch is smaller."""
        return self.partial_batch_size is not None

    @property
    def partial_batch_size(self) -> int | None:
        """For Keras: rows in a smaller last batch."""
        return None

    @property
    def builtin_prefetch(self) -> bool:
        """For Keras 3.11 to 3.13 on JAX: whether batches need not be sent to the device one ahead, as on a CPU."""
        import jax

        return bool(jax.default_backend() == "cpu")

    def on_epoch_begin(self) -> None:
        """For Keras, before each epoch; on every backend this comes before the model's weights are taken from it."""
        self._begin(caller(self))

    def on_epoch_end(self) -> None:
        """For Keras; it also calls this before the first epoch."""
        self._end(caller(self))

    def get_numpy_iterator(self) -> Iterator[Any]:
        """For Keras: batches as NumPy arrays."""
        return self._batches(caller(self))

    def get_jax_iterator(self) -> Iterator[Any]:
        """For Keras on JAX: batches as NumPy arrays, which JAX takes without a copy."""
        with keeps_weights():
            call = caller(self)
            require_shares(call.use, self._sizes(call))
            return surviving(self._batches(call))

    def get_torch_dataloader(self) -> Iterator[Any]:
        """For Keras on PyTorch: batches as tensors on the model's device; those of a block are sent at once."""
        import keras
        import torch

        convert = keras.ops.convert_to_tensor  # to the device; an array it would copy first

        def tensor(array: Any) -> Any:
            return convert(torch.from_numpy(array) if self._lends(array) else array)

        return self._batches(caller(self), tensor)

    def get_tf_dataset(self) -> Any:
        """For Keras on TensorFlow: a dataset with the exact signature, so that no batch is drawn to find it.

        A compiled step of one device, or an evaluation, draws batches by itself, without a dataset.
        """
        import keras
        import tensorflow as tf

        call, raised = caller(self), Raised()
        raised.through(asking())
        batches = raised.watched(lambda: self._batches(call))
        specs = keras.tree.map_structure(
            lambda spec: None if spec is None else tf.TensorSpec((None, *spec.shape), spec.dtype),
            self._specs(call),
        )
        if _draws(call):
            return Drawn(batches, specs)
        dataset = _dataset(batches, specs)
        options = tf.data.Options()
        options.autotune.enabled = (
            False  # nothing is drawn ahead here: the feed prefetches, and counts what is used
        )
        options.experimental_optimization.inject_prefetch = False
        return dataset.with_options(options)


def _dataset(batches: Callable[[], Iterator[Any]], specs: Any) -> Any:
    """A ``tf.data.Dataset`` of batches in the structure of ``specs``, in which None stands for what is left out."""
    import keras
    import tensorflow as tf

    flat = keras.tree.flatten(specs)
    there = [i for i, spec in enumerate(flat) if spec is not None]
    if len(there) == len(flat):
        return tf.data.Dataset.from_generator(batches, output_signature=specs)

    def arrays() -> Iterator[Any]:
        for batch in batches():
            parts = keras.tree.flatten(batch)
            yield tuple(parts[i] for i in there)

    @tf.autograph.experimental.do_not_convert
    def pack(*tensors: Any) -> Any:
        found = dict(zip(there, tensors, strict=True))
        return keras.tree.pack_sequence_as(specs, [found.get(i) for i in range(len(flat))])

    # a generator cannot give None
    dataset = tf.data.Dataset.from_generator(arrays, output_signature=tuple(flat[i] for i in there))
    return dataset.map(pack)


def _draws(call: Call) -> bool:
    """Whether Keras's step can draw batches by itself: one at a time, on one device."""
    if call.model is None or call.use == "predict" or (call.model.steps_per_execution or 1) > 1:
        return False
    strategy, probe = call.model.distribute_strategy, object()
    try:
        return strategy.experimental_distribute_dataset(probe) is probe  # as the default one does
    except Exception:  # whatever others say to what is no dataset
        return False


@dataclass(frozen=True)
class Spec:
    """Shape of a row and dtype of one array."""

    shape: tuple[int, ...]
    dtype: str


_CLASSES: dict[tuple[type, type], type] = {}


def _both(own: type, base: type) -> type:
    """A class that is both; made for ``isinstance`` alone, never called."""
    key = (own, base)
    if key not in _CLASSES:
        _CLASSES[key] = type(
            own.__name__, (own, base), {"__doc__": own.__doc__, "__module__": own.__module__}
        )
    return _CLASSES[key]
