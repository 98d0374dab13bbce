"""The feed: declared by the user, taken by Keras."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from polyhead.checks.binding import Binding
from polyhead.checks.compiled_model import head_losses
from polyhead.checks.contract import Declared
from polyhead.errors import ContractError, DataError, Problem, Report, as_path, counted, require_size
from polyhead.keras_bridge.feed_adapter import FeedAdapter
from polyhead.keras_bridge.feed_iterator import EpochInProgress, FeedIterator
from polyhead.keras_bridge.keras_call import Call
from polyhead.keras_bridge.structure import Structure
from polyhead.kinds import Head, Input, for_boxes
from polyhead.kinds.declaration import Declaration
from polyhead.notebook import feed_html
from polyhead.order import Order
from polyhead.order.block_shuffle import plan
from polyhead.order.epochs import checked_shard, evaluated_shard, this_shard
from polyhead.pipeline import Assembler, Batch, feed_arguments
from polyhead.pipeline.saved_state import Identity
from polyhead.profiling import Speed
from polyhead.readers.as_source import as_source

_PUBLIC = {"batches", "bind", "check", "declaration", "describe", "epoch", "heads", "inputs"}
_PUBLIC |= {"num_samples", "on", "peek", "preview", "profile", "restore", "source", "state"}


class Feed(FeedAdapter):
    """Feeds batches to a multi-output Keras model.

    A feed has a position that training advances: the next `fit` continues where the last one stopped, with the same
    model or another. ``feed.epoch = 0`` starts again; `state` and `restore` continue in another process.

    Args:
        data: a mapping of arrays, a list of rows (dicts), a `Source`, a frame, an Arrow table, or the path of a table.
        inputs: a column, a list of columns, or ``{name: input kind}``.
        heads: ``{name: head kind}``.
        batch_size: rows in a batch.
        shuffle: True draws a new order each epoch; False goes from the first row to the last. ``"blocks"`` is for
            data larger than memory on storage with slow random access: blocks of about a megabyte, or the chunks of
            an HDF5 or zarr file, come in a new order, and rows are mixed over 64 blocks (at least 8 large ones).
        seed: determines the order and the augmentations, identically on every machine.
        augment: augmentations, as ``[ph.Flip(), ph.Rotate(10)]``, in the order in which they run. They transform
            images, masks, boxes and keypoints together, and run only during training: `evaluate` and `predict` get
            rows unchanged. `MixUp`, `CutMix` and `Mosaic`, which make one row of several, come last.
        workers: threads that prepare batches ahead; 0 prepares them in line. ``"auto"`` takes up to four if batches
            have to be read or decoded; if all data is in memory, the first steps of an epoch are timed to find how
            many pay off. The batches are the same.
        drop_remainder: leave out a smaller last batch.
        shard: ``(rank, count)``, this process's part; ``"auto"`` asks ``torch.distributed`` or JAX, if they are set
            up. With ``(0, 1)``, each process gets all rows, to train its own model. With ``"auto"`` on PyTorch, each
            process evaluates all rows, also as ``validation_data``.
        warn_if_slow: ``fit`` prints one line to stderr if it waits for data for more than a fifth of its first
            seconds; not with ``verbose=0``.
        cache: a folder for decoded images: the first epoch decodes, later ones read, in this run and in others with
            the same rows and images. Without augmentation the batches are the same. With it, images are stored as
            large as the augmentations of eight epochs need, so only pixels differ slightly.

    Attributes:
        inputs: the input kinds, resolved against the data.
        heads: the head kinds, resolved: classes learned, balanced weights worked out.
        epoch: the current or next epoch; can be set.
        num_samples: rows in the source.
        source: where the rows are.

    Raises:
        DataError: the data does not match the declaration; lists every problem found.
        ContractError: the declaration contradicts itself.

    >>> import numpy as np
    >>> import polyhead as ph
    >>> feed = ph.Feed(
    ...     {"x": np.zeros((5, 2)), "y": [1, 0, None, 1, 0]}, inputs="x", heads={"y": ph.Binary()}, batch_size=2
    ... )
    >>> x, y, w = feed.peek()
    >>> x["x"].shape, y["y"].tolist(), w["y"].tolist()
    ((2, 2), [[1.0], [0.0]], [1.0, 1.0])
    """

    def __init__(
        self,
        data: Any,
        *,
        inputs: str | Sequence[str] | Mapping[str, Input],
        heads: Mapping[str, Head],
        batch_size: int = 32,
        shuffle: bool | str = False,
        seed: int = 0,
        augment: Sequence[Any] | None = (),
        workers: int | str = "auto",
        drop_remainder: bool = False,
        shard: tuple[int, int] | str = "auto",
        warn_if_slow: bool = True,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        feed_arguments.require_integers(batch_size, seed, workers)
        self._shard = checked_shard(shard)
        self._as_given = {
            "shuffle": shuffle,
            "workers": workers,
            "warn_if_slow": warn_if_slow,
            "cache": cache,
        }
        self._given = as_source(data, feed_arguments.columns_asked_for(inputs, heads))
        if len(self._given) == 0:
            raise DataError(Problem("data", "at least one row", "an empty source"))
        self.drop_remainder = feed_arguments.as_switch("drop_remainder", drop_remainder)
        self.warn_if_slow = feed_arguments.as_switch("warn_if_slow", warn_if_slow)
        self.source, chunk_rows = feed_arguments.shuffled_by(self._given, shuffle)
        input_kinds = feed_arguments.require_kinds(feed_arguments.as_inputs(self.source, inputs), heads)
        self.augment = tuple(augment or ()) if isinstance(augment, (list, tuple, type(None))) else (augment,)
        self.batch_size, self.shuffle, self.seed = int(batch_size), bool(shuffle), int(seed)
        self._lacking = feed_arguments.lacking_columns(self.source, heads)
        labeled = {} if self._lacking.columns else heads
        self._assembler = Assembler(self.source, input_kinds, labeled, self.augment, self.seed)
        self.inputs = self._fixed("inputs", self._assembler.inputs)
        self.heads = self._fixed("heads", self._assembler.heads if labeled else for_boxes(heads))
        self.shard = this_shard() if isinstance(self._shard, str) else self._shard
        if cache is not None:
            self._assembler = self._assembler.cached(as_path(cache, "Feed(cache=)"), self.shard)
        blocks = plan(self._assembler.row_bytes, chunk_rows) if isinstance(shuffle, str) else None
        ordering = self.shuffle, self.seed, self.drop_remainder, self.shard, blocks
        order = Order(len(self.source), self.batch_size, *ordering)
        evaluated = evaluated_shard() if isinstance(self._shard, str) else self._shard
        self._iterator = FeedIterator(self._assembler, order, workers, evaluated)
        self._identity = Identity(self._assembler, self.source, order)
        self.workers = workers
        self._bound: Structure | None = None
        learned = self.weighted_heads, self.finely_weighted, self.shuffle, self._assembler.collapsing
        declared = Declared(self.inputs, self.heads, self.batch_size, *learned)
        self._binding = Binding(declared, self._assembler, order)

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: the same feed at the same position, if its rows can be opened again."""
        same = {name: getattr(self, name) for name in ("batch_size", "seed", "augment", "drop_remainder")}
        make = partial(self.declaration.feed, **same, **self._as_given, shard=self._shard)
        return make, (self._given,), (self.epoch, self._iterator.position.step, self._bound)

    def __setstate__(self, state: tuple[int, int, Structure | None]) -> None:
        if any(state[:2]):
            self._iterator.position.set_epoch(*state[:2])
        self._bound = state[2]

    def __dir__(self) -> list[str]:
        """The names for users, without those that only Keras and other parts of the library call."""
        return sorted({*_PUBLIC, *(name for name in super().__dir__() if name.startswith("__"))})

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._iterator.order)

    @property
    def num_samples(self) -> int:
        """Rows in the source."""
        return len(self.source)

    @property
    def declaration(self) -> Declaration:
        """The resolved inputs and heads, without the data."""
        return Declaration(self.inputs, self.heads)

    @property
    def epoch(self) -> int:
        """The current or next epoch. It can be set: ``feed.epoch = 0`` starts again.

        Raises:
            ContractError: if it is set to anything but an integer of at least 0.
        """
        return self._iterator.position.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        require_size("feed.epoch", epoch, 0)
        self._iterator.position.set_epoch(int(epoch))

    @property
    def labeled(self) -> dict[str, Head]:
        """The heads with labels in batches: all, or none if `on` got rows without label columns."""
        return self._assembler.heads

    def _unlabeled(self, where: str) -> tuple[Problem, ...]:
        return self._lacking.problems_in(where)

    def _require_labels(self, where: str) -> None:
        if self._lacking.columns:
            raise DataError(*self._unlabeled(where))

    def __repr__(self) -> str:
        lines = [
            f"Feed({counted(self.num_samples, 'row')}, {counted(len(self), 'batch')} of {self.batch_size}"
        ]
        how = "in blocks " if self._iterator.order.blocks else ""
        lines[0] += f", shuffled {how}by seed {self.seed})" if self.shuffle else ", in row order)"
        for word, kinds in (("input", self.inputs), ("head", self.heads)):
            lines += [
                f"  {word} {name}: {kind!r} -> {kind.dtype} {kind.shape}" for name, kind in kinds.items()
            ]
        lines += [f"  {self._lacking}"] if self._lacking.columns else []
        return "\n".join(lines)

    _repr_html_ = feed_html

    def describe(self) -> Any:
        """Describe the data: shape and dtype of each input, coverage and distribution of each head.

        Returns:
            A `Description`; print it, or read its rows.
        """
        from polyhead.pipeline.description import describe

        return describe(self._assembler, self.num_samples, self.heads)

    def preview(self, path: str | os.PathLike[str] | None = None, n: int = 16, **options: Any) -> Any:
        """Show samples as the model will see them, with all heads drawn.

        Args:
            path: of a page (``.html``) or a contact sheet (``.png``) to write; None writes nothing.
            n: number of samples.
            **options: ``rows=``, ``draws=``, ``predictions=`` and ``model=`` of `polyhead.report.preview`.

        Returns:
            A `Preview`, which a notebook shows as the page; its function has the errors.
        """
        from polyhead.report import preview

        return preview(self, path, n, **options)

    def profile(self, steps: int | None = None) -> Speed:
        """Measure this feed without a model: samples per second by stage, the bottleneck, and a remedy.

        Batches of the coming epoch are made in line, then by the feed's workers; none counts as used.

        Args:
            steps: batches of each; by default as many as fit into a few seconds, at most an epoch.

        Returns:
            A `Speed`: print it, or read ``bottleneck``, ``remedy``, ``samples_per_s``, ``as_dict()``.

        Raises:
            ContractError: ``steps`` is not an integer of at least 1.
            DataError: for a row that does not match the declaration.
        """
        from polyhead.report.profile import profile

        return profile(self, steps)

    # Batches -----------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        """Iterate over an epoch of training, ``(x, y)`` or ``(x, y, weights)``, and advance the position."""
        return EpochInProgress(self._batches(Call()))

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of the coming epoch without moving the position. To train, iterate over the feed.

        >>> import numpy as np
        >>> import polyhead as ph
        >>> data = {"x": np.arange(3.0), "y": [0, 1, 0]}
        >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=2)
        >>> [batch.ids.tolist() for batch in feed.batches()]
        [[0, 1], [2]]

        Selected rows keep their ids:

        >>> [batch.ids.tolist() for batch in feed.on(feed.source.select([2, 1])).batches()]
        [[2, 1]]
        """
        for batch in self._numbered():
            yield replace(batch, ids=self.source.ids_of(batch.ids))

    def _numbered(self) -> Iterator[Batch]:
        """Yield the batches of `batches`, but with indices into the feed's own source as ids."""
        for block in self._iterator.blocks(self.epoch):
            yield from block.batches()

    def peek(self) -> Any:
        """Return the next batch without consuming it."""
        return self._iterator.peek(self._own)

    def on(self, data: Any, *, shuffle: bool | str = False, **changes: Any) -> Feed:
        """Make a feed of other rows, as for validation, with the inputs and heads resolved here.

        Rows without labels can be predicted: if a column of labels or weights is missing, batches have inputs only,
        and `fit` and `evaluate` raise an error.

        Args:
            data: as for `Feed`.
            shuffle: as for `Feed`; False by default, even if this feed is shuffled.
            **changes: other arguments of `Feed` that replace this feed's.

        >>> import numpy as np
        >>> import polyhead as ph
        >>> feed = ph.Feed({"x": np.arange(3.0), "y": [0, 1, 0]}, inputs="x", heads={"y": ph.Binary()})
        >>> feed.on({"x": np.arange(2.0)}).peek()[0]["x"].tolist()
        [[0.0], [1.0]]
        """
        feed_arguments.require_changes(Feed, changes)
        same = {name: getattr(self, name) for name in ("batch_size", "seed", "workers", "warn_if_slow")}
        arguments: dict[str, Any] = {**same, "shard": self._shard, "shuffle": shuffle, **changes}
        return self.declaration.feed(data, **arguments)

    # The model -----------------------------------------------------------------------------------------

    def check(self, model: Any, rows: int | str | None = None) -> Report:
        """Compare this feed with a model, and check rows; reports every mistake at once, the worst first.

        Checks names, structure, dimensions and dtypes; activations, losses and labels against each other; the
        losses, loss weights and metrics that the model was compiled with; and the values of the first batches.

        Args:
            model: functional, sequential or subclassed, compiled or not.
            rows: how many rows to check, ``"all"`` for the whole source, with a progress bar; by default a few
                batches. Small labels in memory are always checked as a whole.

        Returns:
            A `Report`: ``report.ok``, ``report.problems``, ``print(report)``.

        Raises:
            ContractError: ``rows`` is not a number of at least 1.
        """
        fit, wrong = self._binding.check(model, rows)
        notes = (*fit.notes, str(self._lacking)) if self._lacking.columns else fit.notes
        return Report((*wrong, *fit.problems), notes)

    def bind(self, model: Any) -> Feed:
        """Yield batches in a model's structure from now on, if `check` finds no problem.

        Raises:
            ContractError: with every problem.
        """
        self._bind(model)
        return self

    def _bind(self, model: Any, compiled: bool = True) -> Structure:
        if not compiled:
            self._require_labels("compile()")
        self._bound = self._binding.structure(model, compiled)
        return self._bound

    def _structure_for(self, call: Call) -> Structure:
        if call.refused:
            raise ContractError(*call.refused)
        if call.model is None:
            return self._own
        if call.use == "predict":
            return self._binding.structure_to_predict(call.model)
        self._require_labels(f"{call.use}()")
        structure = self._binding.structure(call.model)
        if call.use == "fit":
            self._prepare_to_fit(call, head_losses(call.model))
        return structure

    @property
    def _own(self) -> Structure:
        """The structure of batches in the user's own loop."""
        return self._bound or Structure.flat(self.inputs, self.heads)

    # The position ---------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the position of this feed, as a small dict that can be saved as JSON.

        It also identifies the feed: rows, batch size, order, shard, and fingerprints of a few rows and the declaration.
        For a bound feed it includes the structure of batches, which `restore` gives to an unbound feed.

        >>> import numpy as np
        >>> import polyhead as ph
        >>> data = {"x": np.arange(4.0), "y": [0, 1, 0, 1]}
        >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=2)
        >>> batches = iter(feed)
        >>> _ = next(batches)
        >>> state = feed.state()
        >>> state["epoch"], state["step"], state["rows"], state["batch_size"]
        (0, 1, 4, 2)
        """
        position = {"epoch": self.epoch, "step": self._iterator.position.step}
        structure = {} if self._bound is None else {"structure": self._bound.as_state()}
        return {**position, **self._identity.as_state(), **structure}

    def restore(self, state: Mapping[str, Any]) -> Feed:
        """Continue where `state` was taken, exact to the sample; the next epoch starts at its step.

        ``fit(initial_epoch=)`` does not change the position of a restored feed. An epoch in progress ends first.

        Raises:
            ContractError: if the state belongs to a feed of other rows, batches, order or declaration.
        """
        self._identity.require(state)
        self._iterator.position.set_epoch(int(state["epoch"]), int(state["step"]))
        self._bound = self._bound or Structure.of_state(state.get("structure"), self.inputs, self.heads)
        return self
