"""Batches that a compiled step of TensorFlow draws by itself.

A dataset made by ``from_generator`` runs a function of its own for each batch, in the runtime's threads, which takes
longer than all that a feed does for a batch in memory. Here the step calls Python directly, and takes the arrays'
memory as it is. Keras takes the iterator for one of a dataset; it is an extension type, so what is traced once
serves every iterator of the same structure.
"""

import itertools
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_DRAWING: weakref.WeakValueDictionary[int, Iterator[Any]] = weakref.WeakValueDictionary()
"""The batches of each iterator that is in use. The iterator itself keeps them: what they hold leads back to it."""

_SPECS: dict[str, Any] = {}
"""The structure of ``TensorSpec`` behind each form."""

_NUMBERS = itertools.count()


class StepDataset:
    """A stand-in for a dataset, with iterators whose batches a compiled step draws.

    Args:
        batches: begins to make batches, structures of NumPy arrays.
        specs: the same structure of ``tf.TensorSpec``, or None for what is left out.
    """

    def __init__(self, batches: Callable[[], Iterator[Any]], specs: Any) -> None:
        self._batches, self._specs = batches, specs

    def __iter__(self) -> Any:
        import tensorflow as tf

        form, key = repr(self._specs), next(_NUMBERS)
        _SPECS[form] = self._specs
        _DRAWING[key] = batches = _begun(self._batches)
        found = _iterator()(key=tf.constant(key, tf.int64), form=form)
        object.__setattr__(found, "batches", batches)
        return found


class _Holds:
    """Batches that are no field of an extension type: what is traced keeps fields, and all else in ``__dict__``."""

    __slots__ = ("batches",)


def _begun(batches: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    # Keras also makes iterators that it never draws from: nothing is begun before the first batch
    yield from batches()


def _draw(key: Any) -> list[Any]:
    import tensorflow as tf

    flat = tf.nest.flatten(next(_DRAWING[int(key)]))
    return [array for array in flat if array is not None]


def _tensor(array: Any) -> Any:
    import tensorflow as tf

    return None if array is None else tf.convert_to_tensor(array)


@cache
def _iterator() -> Any:
    """The class of the iterators; made when TensorFlow is there."""
    import tensorflow as tf

    # to mypy the base is Any where TensorFlow is installed, and unknown where it is not
    class DrawnIterator(_Holds, tf.experimental.ExtensionType):  # type: ignore[misc, name-defined, unused-ignore]
        """Its batches are drawn where it is traced; outside of a step, as in `predict`, they are tensors at once."""

        key: tf.Tensor
        form: str

        def get_next(self) -> Any:
            """The next batch, in a step or outside of one."""
            if tf.executing_eagerly():
                return tf.nest.map_structure(_tensor, next(self.batches))
            specs = _SPECS[self.form]
            flat = tf.nest.flatten(specs)
            there = [spec for spec in flat if spec is not None]  # None is an input that is left out
            drawn = tf.numpy_function(_draw, [self.key], [spec.dtype for spec in there])
            for tensor, spec in zip(drawn, there, strict=True):
                tensor.set_shape(spec.shape)
            tensors = iter(drawn)
            return tf.nest.pack_sequence_as(specs, [None if spec is None else next(tensors) for spec in flat])

        def get_next_as_optional(self) -> Any:
            """The next batch, or none: Keras 3.16 asks this way, outside of a step."""
            try:
                return tf.experimental.Optional.from_value(self.get_next())
            except StopIteration:
                return tf.experimental.Optional.empty(_SPECS[self.form])

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            return self.get_next()

    # Keras asks for one of these; nothing of a dataset is used
    tf.data.Iterator.register(DrawnIterator)
    return DrawnIterator
