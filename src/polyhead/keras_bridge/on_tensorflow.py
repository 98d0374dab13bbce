"""Datasets from which a compiled TensorFlow step draws batches directly, and the errors raised while it draws them.

A dataset from ``from_generator`` runs a function for each batch in the runtime's threads, which takes longer than all
the work of a feed for a batch in memory. Here the step calls Python directly, and uses the arrays' memory without a
copy. Keras treats the iterator like that of a dataset. It is an extension type, so a trace is valid for all iterators
of the same structure.
"""

import contextlib
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from polyhead.keras_bridge.devices import own_step
from polyhead.keras_bridge.fit_epochs import steps_per_execution
from polyhead.keras_bridge.keras_call import Call

_DRAWING: weakref.WeakValueDictionary[int, Iterator[Any]] = weakref.WeakValueDictionary()
"""The batches of each iterator in use. The references are weak, as the batches refer back to their iterator."""

_SPECS: dict[str, Any] = {}
"""The structure of ``TensorSpec`` for each form."""

_NUMBERS = itertools.count()


def dataset_for(call: Call, batches: Callable[[], Iterator[Any]], specs: Any) -> Any:
    """Return a dataset for a call of Keras: a `StepDataset`, or one of TensorFlow's where no `StepDataset` can be used.

    Args:
        batches: returns an iterator over batches, structures of NumPy arrays.
        specs: the `Spec` of each array in the same structure, with None for an omitted input.
    """
    import tensorflow as tf

    flat = [
        None if spec is None else tf.TensorSpec((None, *spec.shape), spec.dtype)
        for spec in tf.nest.flatten(specs)
    ]
    specs = tf.nest.pack_sequence_as(specs, flat)
    if _draws_in_step(call):
        return StepDataset(batches, specs)
    if any(spec is None for spec in flat):  # which a generator of TensorFlow's cannot yield
        given_specs = tuple(_given_leaves(specs))
        tuples = tf.data.Dataset.from_generator(
            lambda: map(tuple, map(_given_leaves, batches())), output_signature=given_specs
        )
        pack = tf.autograph.experimental.do_not_convert(lambda *tensors: _packed(specs, tensors))
        dataset = tuples.map(pack)
    else:
        dataset = tf.data.Dataset.from_generator(batches, output_signature=specs)
    options = tf.data.Options()
    options.autotune.enabled = False  # the feed itself prefetches, and counts the batches used
    options.experimental_optimization.inject_prefetch = False
    return dataset.with_options(options)


def _draws_in_step(call: Call) -> bool:
    """Return whether a `StepDataset` can be used: for single steps, on one device."""
    if call.model is None or (call.use != "predict" and steps_per_execution(call.model) > 1):
        return False
    strategy, probe = call.model.distribute_strategy, object()
    try:
        return strategy.experimental_distribute_dataset(probe) is probe  # like the default strategy
    except Exception:  # a strategy that accepts only datasets
        return False


def _given_leaves(structure: Any) -> list[Any]:
    """Return the leaves of a structure, without those of omitted inputs."""
    import tensorflow as tf

    return [leaf for leaf in tf.nest.flatten(structure) if leaf is not None]


def _packed(specs: Any, tensors: Iterable[Any]) -> Any:
    """Return tensors in the structure of their specs, with None for an omitted input."""
    import tensorflow as tf

    left = iter(tensors)
    return tf.nest.pack_sequence_as(
        specs, [None if spec is None else next(left) for spec in tf.nest.flatten(specs)]
    )


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
        iterator = _iterator()(key=tf.constant(key, tf.int64), form=form)
        object.__setattr__(iterator, "batches", batches)
        return iterator


class _Holds:
    """Holds batches outside of the fields and ``__dict__`` of an extension type, which traces keep alive."""

    __slots__ = ("batches",)


def _begun(batches: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    # Keras also makes iterators that it never draws from, so start only with the first batch
    yield from batches()


def _draw(key: Any) -> list[Any]:
    return _given_leaves(next(_DRAWING[int(key)]))


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
            flat = _given_leaves(specs)
            tensors = tf.numpy_function(_draw, [self.key], [spec.dtype for spec in flat])
            for tensor, spec in zip(tensors, flat, strict=True):
                tensor.set_shape(spec.shape)
            return _packed(specs, tensors)

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


class Raised:
    """Keeps the error of making a batch, and raises it when Keras gets TensorFlow's error for it.

    TensorFlow replaces an error in a function called by its graph by its own, with the traceback as text. Keras draws
    all batches of a call inside its ``catch_stop_iteration``, which is wrapped here.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def watch(self, batches: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
        """Wrap the function that makes batches, so that their errors are kept."""

        def begun() -> Iterator[Any]:
            try:
                yield from batches()
            except Exception as error:
                self.error = error
                raise

        return begun

    def raise_in(self, run: Any) -> None:
        """Make Keras's iterator over a call's epochs raise the error that was kept.

        Args:
            run: the iterator; None, or an iterator of another form, stays unchanged.
        """
        catch = getattr(type(run), "catch_stop_iteration", None)
        if catch is None:
            return
        refers = weakref.ref(run)  # the iterator gets the function below, which must not keep it alive

        @contextlib.contextmanager
        def catch_stop_iteration() -> Iterator[None]:
            import tensorflow as tf

            try:
                with catch(refers()):
                    yield
            except tf.errors.OpError:
                error, self.error = self.error, None
                if error is None:
                    raise
                raise error from None

        run.catch_stop_iteration = catch_stop_iteration


def build_optimizer(model: Any) -> None:
    """Create the variables of an optimizer before the step is traced: with those that it creates, it is traced twice.

    It does nothing if the variables might differ from those in the step: if layers are not yet built, or the step or
    the optimizer is the user's own. A strategy with several devices itself builds before the trace.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or model.run_eagerly or own_step(model):
        return
    optimizer, layers = model.optimizer, getattr(model, "_flatten_layers", None)
    if optimizer is None or optimizer.built or layers is None or not all(layer.built for layer in layers()):
        return
    if getattr(model, "_distribute_strategy", None) is None:
        optimizer.build(model.trainable_variables)
