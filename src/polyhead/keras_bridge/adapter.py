"""Presents a feed to Keras as a data adapter, from which `fit`, `evaluate` and `predict` get iterators.

Keras accepts an instance of its ``DataAdapter`` unchanged, on every backend. The class is private, so it is never
imported here: a feed claims to be an instance only once Keras has loaded the class (`KerasInput.__class__`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from polyhead.keras_bridge.devices import require_shares, sharing_devices, sharing_replicas
from polyhead.keras_bridge.jax_state import keep_weights, with_kept_weights
from polyhead.keras_bridge.keras_call import Call, Convert, caller, calling_epochs, refuse_split
from polyhead.keras_bridge.on_tensorflow import Raised, build_optimizer, dataset_for

_ADAPTER = "keras.src.trainers.data_adapters.data_adapter"


class KerasInput:
    """The methods that Keras calls; a subclass defines ``_steps``, ``_batches``, ``_specs`` and ``_sizes``."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The feed's own class, which is also Keras's ``DataAdapter`` once Keras is loaded."""
        refuse_split(self)
        module = sys.modules.get(_ADAPTER)
        base = getattr(module, "DataAdapter", None)
        if base is None:
            return type(self)
        return _feed_and_adapter(type(self), base)  # type: ignore[arg-type]  # mypy does not see that classes are hashable

    def _steps(self, call: Call) -> int | None:
        raise NotImplementedError

    def _batches(self, call: Call, convert: Convert | None = None) -> Iterator[Any]:
        """Iterate over batches of arrays; ``convert``, if given, makes tensors of the arrays of several batches."""
        raise NotImplementedError

    def _specs(self, call: Call) -> Any:
        raise NotImplementedError

    def _sizes(self, call: Call) -> dict[str, int]:
        """The numbers of rows that a batch can have, by the name that messages show."""
        raise NotImplementedError

    def _begin(self, call: Call) -> None:
        """Called when an epoch of a Keras method begins, or when it draws a batch to build the model."""

    def _end(self, call: Call) -> None:
        """Called when an epoch ends; Keras also calls it before the first one."""

    def _lends(self, array: Any) -> bool:
        """Return whether a tensor may own an array's memory, and write to it."""
        return False

    @property
    def num_batches(self) -> int | None:
        """For Keras: the number of batches in an epoch; None if ``steps_per_epoch`` sets it."""
        return self._steps(caller(self))

    @property
    def has_partial_batch(self) -> bool:
        """For Keras: whether the last batch is smaller."""
        return self.partial_batch_size is not None

    @property
    def partial_batch_size(self) -> int | None:
        """For Keras: the number of rows in a smaller last batch."""
        return None

    @property
    def builtin_prefetch(self) -> bool:
        """For Keras 3.11 to 3.13 on JAX: True on a CPU, where sending batches to the device ahead has no use."""
        import jax

        return bool(jax.default_backend() == "cpu")

    def on_epoch_begin(self) -> None:
        """For Keras, before each epoch; JAX has not yet taken the weights out of the model then."""
        call = caller(self)
        self._begin(call)
        if call.use == "fit" and call.model is not None and not call.probing:
            build_optimizer(call.model)

    def on_epoch_end(self) -> None:
        """For Keras; it also calls this before the first epoch."""
        self._end(caller(self))

    def get_numpy_iterator(self) -> Iterator[Any]:
        """For Keras: iterate over batches of NumPy arrays."""
        return self._batches(caller(self))

    def get_jax_iterator(self) -> Iterator[Any]:
        """For Keras on JAX: iterate over batches of NumPy arrays, which JAX does not copy."""
        with keep_weights():
            call = caller(self)
            _require_shared(self, call, sharing_devices())
            return with_kept_weights(self._batches(call))

    def get_torch_dataloader(self) -> Iterator[Any]:
        """For Keras on PyTorch: iterate over batches of tensors on the model's device; whole blocks are sent there."""
        import keras
        import torch

        convert = keras.ops.convert_to_tensor  # moves a tensor to the device; it would copy an array first

        def tensor(array: Any) -> Any:
            return convert(torch.from_numpy(array) if self._lends(array) else array)

        return self._batches(caller(self), tensor)

    def get_tf_dataset(self) -> Any:
        """For Keras on TensorFlow: a dataset with a known signature, so that Keras draws no batch to infer it.

        On one device, it is a `StepDataset`, from which compiled steps draw batches directly.
        """
        call, raised = caller(self), Raised()
        if call.use != "predict":
            _require_shared(self, call, sharing_replicas(call.model), first=True)
        raised.raise_in(calling_epochs())
        return dataset_for(call, raised.watch(lambda: self._batches(call)), self._specs(call))


def _require_shared(feed: KerasInput, call: Call, devices: int, first: bool = False) -> None:
    """Raise for batches that the devices cannot share, of validation too: before the first step, not after an epoch.

    Args:
        first: whether only the first batch has to be shared, as by the replicas of TensorFlow: Keras averages its parts
            to build the model.
    """
    sizes_by_use: dict[str, dict[str, int]] = {call.use: feed._sizes(call)}
    validation = call.validation
    if issubclass(type(validation), KerasInput):  # `isinstance` would call `__class__`, and so come back here
        sizes_by_use["validation"] = validation._sizes(Call("evaluate", call.model, call.validation_steps))
    for use, sizes in sizes_by_use.items():
        require_shares(use, dict([*sizes.items()][:1]) if first else sizes, devices)


@dataclass(frozen=True)
class Spec:
    """The shape of a row and the dtype of an array."""

    shape: tuple[int, ...]
    dtype: str


@cache
def _feed_and_adapter(own: type, base: type) -> type:
    """Return a class that derives from both, for ``isinstance``; it is never instantiated."""
    return type(own.__name__, (own, base), {"__doc__": own.__doc__, "__module__": own.__module__})
