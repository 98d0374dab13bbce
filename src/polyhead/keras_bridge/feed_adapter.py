"""Implements the data adapter of a feed: its batches, their number and shapes, and the weights of its heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from polyhead.errors import ContractError, DataError
from polyhead.keras_bridge.adapter import KerasInput, Spec
from polyhead.keras_bridge.devices import BATCH_SIZE, LAST_BATCH, require_one_model
from polyhead.keras_bridge.feed_iterator import FeedIterator
from polyhead.keras_bridge.keras_call import Call, Convert
from polyhead.keras_bridge.structure import Structure, fill
from polyhead.keras_bridge.wait_time import step_timer
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.declaration import FixedKinds
from polyhead.pipeline import Assembler
from polyhead.pipeline.buffer_pool import is_pooled
from polyhead.profiling import cores
from polyhead.remedies import Setup
from polyhead.sources.source import Source

_INSTEAD = {
    "take": "Select rows: feed.on(feed.source.select(range(n))).",
    "skip": "Select rows: feed.on(feed.source.select(range(n, len(feed.source)))).",
    "split": "Split the rows: train, val = feed.source.split((0.8, 0.2)); then feed.on(train), feed.on(val).",
    "batch": "Say ph.Feed(batch_size=...).",
    "repeat": "A feed starts again in each epoch.",
    "prefetch": "A feed prepares batches ahead by itself.",
    "class_names": "The names of the classes, in the order of their ids: feed.heads[name].names.",
    "class_indices": "The names of the classes, in the order of their ids: feed.heads[name].names.",
    "map": "Change the columns before they are fed, or say augment=[ph.Apply(function)] for images.",
}
"""For each method of a `tf.data.Dataset` or a flow of images, what to write with a feed."""

_FIXED = {
    "augment", "batch_size", "drop_remainder", "heads", "inputs", "seed", "shard", "shuffle", "source", "workers"
}  # fmt: skip
"""The attributes that batches would not follow if they were set."""


class FeedAdapter(KerasInput):
    """The part of a feed that Keras and `polyhead.compile` use.

    The attributes are set by the feed.
    """

    inputs: Mapping[str, Input]
    heads: Mapping[str, Head]
    source: Source
    batch_size: int
    shard: tuple[int, int]
    warn_if_slow: bool
    _shard: tuple[int, int] | str
    _assembler: Assembler
    _iterator: FeedIterator

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in _INSTEAD:
                return object.__getattribute__(self, name)  # raises Python's own error
            raise AttributeError(f"A feed has no {name}. {_INSTEAD[name]}")

        def __setattr__(self, name: str, value: Any) -> None:
            """Raise for an argument that the constructor has set: batches would not follow it."""
            if name in _FIXED and name in self.__dict__:
                rows = "rows" if name == "source" else f"feed.source, {name}=..."
                raise AttributeError(f"feed.{name} can't be changed. {self._instead(name, rows)}")
            object.__setattr__(self, name, value)

    def _instead(self, name: str, rows: str) -> str:
        """Say how to make a feed with another value of an argument."""
        not_taken_over = ("shuffle", "augment", "drop_remainder")  # by `on`
        same = [f", {arg}=feed.{arg}" for arg in not_taken_over if arg != name and getattr(self, arg)]
        return f"Make another feed: feed.on({rows}{''.join(same)})."

    def _fixed(self, name: str, kinds: Mapping[str, Any]) -> FixedKinds:
        """The inputs or heads, as a dict that can't be changed."""
        rows = f"feed.source, {name}={{**feed.{name}, ...}}"
        return FixedKinds(kinds, f"feed.{name}", self._instead(name, rows))

    def _structure_for(self, call: Call) -> Structure:
        """The structure of the batches for a call."""
        raise NotImplementedError

    def _prepare_to_fit(self, call: Call, losses: Any) -> None:
        """Set the divisors of the losses to those of these rows; raise if the model does not fit the validation data.

        Keras would read that only after an epoch.

        Args:
            losses: the `HeadLosses` of the model, or None.
        """
        if losses is not None:
            losses.normalize(self.mean_weights(losses.losses))
        rows = call.validation
        try:
            if issubclass(type(rows), FeedAdapter):  # `isinstance` would ask Keras, which comes back here
                rows._structure_for(Call("evaluate", call.model))
            elif losses is not None and type(rows) in (tuple, list):
                self._check_arrays(rows[1], losses)
        except (ContractError, DataError) as error:
            where = "fit(validation_data=), "
            problems = [replace(problem, place=where + problem.place) for problem in error.problems]
            raise type(error)(*problems) from None

    def _check_arrays(self, arrays: Any, losses: Any) -> None:
        """Raise for validation labels of another shape than the outputs."""
        from polyhead.keras_bridge.by_head import by_head, checked_labels

        for name, labels in by_head(arrays, losses.paths).items():
            head = self.heads.get(name)
            if head is None or len(head.output_shape) != 1 or not hasattr(labels, "dtype"):
                continue
            checked_labels(name, labels, np.broadcast_to(0.0, (len(labels), *head.output_shape)))

    # Weights, for `compile` --------------------------------------------------------------------------------

    @property
    def weighted_heads(self) -> frozenset[str]:
        """The heads whose sample weights are not all 1."""
        return frozenset(name for name, label in self._assembler.labels.items() if label.weighted)

    @property
    def finely_weighted(self) -> frozenset[str]:
        """The heads whose column of weights has one for each label of a row."""
        return frozenset(name for name, label in self._assembler.labels.items() if label.finely_weighted)

    def mean_weights(self, losses: Mapping[str, Any]) -> dict[str, float]:
        """Return the mean sample weight over the rows of each head, by which `compile` divides its loss.

        Args:
            losses: ``{head: LabeledMean}``; heads whose loss divides by the weights of each batch are left out.
        """
        labels = self._assembler.labels
        return {
            name: labels[name].mean_weight(
                loss.whole_vectors and bool(labels[name].head.elementwise), loss.ignored
            )
            for name, loss in losses.items()
            if name in labels and not loss.batch_mean
        }

    def between(self, first: int, last: int) -> Self:
        """Return a feed that predicts only the rows from ``first`` up to, but not including, ``last``."""
        part = object.__new__(type(self))  # `copy` would construct the feed again, like pickle
        part.__dict__.update(self.__dict__)
        part._iterator = self._iterator.between(first, last)
        return part

    def input_blocks(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the inputs of the rows to predict, several batches at a time."""
        return self._iterator.input_blocks()

    # Batches, for Keras -----------------------------------------------------------------------------------

    @property
    def partial_batch_size(self) -> int | None:
        """For Keras: the number of rows in a smaller last batch."""
        return self._iterator.sizes("fit").get(LAST_BATCH)

    def _steps(self, call: Call) -> int | None:
        if call.use == "predict":
            # Keras asks for the number of batches first. Once it draws batches, JAX has taken the variables out of the
            # model, and a subclassed model can no longer be called to find its structure.
            self._structure_for(call)
        # with steps_per_epoch the rows continue from epoch to epoch, and Keras ends epochs
        return None if call.use == "fit" and call.steps else len(self._iterator.orders[call.use])

    def _begin(self, call: Call) -> None:
        if call.use != "predict":
            from polyhead.keras_bridge.model_losses import begin_epoch

            begin_epoch(call.model, call.use)
        if call.use == "fit" and call.run is not None:
            if not call.probing:
                require_one_model(call.model, self._shard == (0, 1))
            self._iterator.begin_epoch(call)

    def _end(self, call: Call) -> None:
        if call.use == "fit" and call.run is not None:
            self._iterator.end_epoch(call)

    def _sizes(self, call: Call) -> dict[str, int]:
        sizes, order = self._iterator.sizes(call.use), self._iterator.orders[call.use]
        ends_before = call.use != "fit" and call.steps is not None and call.steps < len(order)
        return {BATCH_SIZE: sizes[BATCH_SIZE]} if ends_before else sizes

    def _specs(self, call: Call) -> Any:
        structure = self._structure_for(call)
        x = fill(structure.inputs, {n: Spec(k.shape, k.dtype) for n, k in self.inputs.items()}, tuples=True)
        if call.use == "predict" or not self._assembler.heads:
            return (x,)
        y = fill(structure.outputs, {n: Spec(h.shape, h.dtype) for n, h in self.heads.items()}, tuples=True)
        if not self._assembler.weighted:
            return x, y
        weights = {n: Spec(s, "float32") for n, s in self._assembler.weight_shapes.items()}
        return x, y, fill(structure.outputs, weights, tuples=True)

    def _lends(self, array: Any) -> bool:
        return is_pooled(array)

    def _batches(self, call: Call, convert: Convert | None = None) -> Iterator[Any]:
        structure, iterator = self._structure_for(call), self._iterator
        call = iterator.current_call(call)
        if call.probing:
            return iter([iterator.peek(structure, convert)])
        if call.use != "fit":
            return iterator.through(call.use, structure, convert)
        timer = step_timer(call, lambda: self._setup, warn=self.warn_if_slow and self.shard[0] == 0)
        meter = None if timer is None else timer.meter
        batches = iterator.train(structure, convert, call, meter)
        return batches if timer is None else timer.timed(batches)

    @property
    def _setup(self) -> Setup:
        images = {name: kind for name, kind in self.inputs.items() if isinstance(kind, Image)}
        return Setup(
            self._iterator.workers,
            self._assembler.row_bytes,
            self.batch_size,
            cores(),
            sequential=self.source.sequential,
            floats=tuple(name for name, kind in images.items() if kind.dtype == "float32"),
        )
