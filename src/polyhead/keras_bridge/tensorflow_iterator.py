"""A dataset from which a compiled TensorFlow step draws batches directly.

A dataset from ``from_generator`` runs a function for each batch in the runtime's threads, which takes longer than all
the work of a feed for a batch in memory. Here the step calls Python directly, and uses the arrays' memory without a
copy. Keras treats the iterator like that of a dataset. It is an extension type, so a trace is valid for all iterators
of the same structure.
"""

import itertools
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_DRAWING: weakref.WeakValueDictionary[int, Iterator[Any]] = weakref.WeakValueDictionary()
"""The batches of each iterator in use. The references are weak, as the batches refer back to their iterator."""

_SPECS: dict[str, Any] = {}
"""The structure of ``TensorSpec`` for each form."""

_NUMBERS = itertools.count()


class StepDataset:
    """A replacement for a dataset, with iterators from which a compiled step draws batches.

    Args:
        batches: returns an iterator over batches, structures of NumPy arrays.
        specs: the same structure of ``tf.TensorSpec``, with None for an omitted input.
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
    """Holds batches outside of the fields and ``__dict__`` of an extension type, which traces keep alive."""

    __slots__ = ("batches",)


def _begun(batches: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    # Keras also makes iterators that it never draws from, so start only with the first batch
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
    """Return the class of the iterators, which needs TensorFlow."""
    import tensorflow as tf

    # mypy sees the base as Any if TensorFlow is installed, and as unknown if it is not
    class DrawnIterator(_Holds, tf.experimental.ExtensionType):  # type: ignore[misc, name-defined, unused-ignore]
        """Draws batches inside traced functions; outside of a step, as in `predict`, it returns tensors directly."""

        key: tf.Tensor
        form: str

        def get_next(self) -> Any:
            """Return the next batch, inside a step or outside."""
            if tf.executing_eagerly():
                return tf.nest.map_structure(_tensor, next(self.batches))
            specs = _SPECS[self.form]
            flat = tf.nest.flatten(specs)
            there = [spec for spec in flat if spec is not None]  # None is an omitted input
            drawn = tf.numpy_function(_draw, [self.key], [spec.dtype for spec in there])
            for tensor, spec in zip(drawn, there, strict=True):
                tensor.set_shape(spec.shape)
            tensors = iter(drawn)
            return tf.nest.pack_sequence_as(specs, [None if spec is None else next(tensors) for spec in flat])

        def get_next_as_optional(self) -> Any:
            """Return the next batch, or an empty optional; Keras 3.16 calls this, outside of a step."""
            try:
                return tf.experimental.Optional.from_value(self.get_next())
            except StopIteration:
                return tf.experimental.Optional.empty(_SPECS[self.form])

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            return self.get_next()

    # Keras requires an instance of this, but uses nothing else of a dataset
    tf.data.Iterator.register(DrawnIterator)
    return DrawnIterator
