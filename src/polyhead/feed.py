"""The feed: what the user declares, and what Keras gets."""

from __future__ import annotations

import inspect
import itertools
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from polyhead.checks.compiled_model import compiled_loss, head_losses, user_loss
from polyhead.checks.contract import Declared, check
from polyhead.checks.model_match import Fit, match_model
from polyhead.errors import (
    ContractError,
    DataError,
    Problem,
    Report,
    as_path,
    is_integer,
    is_size,
    other_choice,
    plain_scalar,
    require_choice,
    require_size,
    shown,
    similar,
    warn,
)
from polyhead.keras_bridge.adapter import Call, Convert, KerasInput, Spec
from polyhead.keras_bridge.devices import require_one_model
from polyhead.keras_bridge.feed_iterator import Drawing
from polyhead.keras_bridge.identifiers import require_model
from polyhead.keras_bridge.structure import Structure, fill
from polyhead.keras_bridge.wait_time import step_timer
from polyhead.kinds import Head, Image, Input, for_boxes
from polyhead.order.block_shuffle import plan
from polyhead.order.shards import checked_shard, this_shard
from polyhead.pipeline import Assembler, Batch
from polyhead.pipeline.buffer_pool import pooled
from polyhead.pipeline.declaration import Known, as_inputs, asked, lacking, require_kinds
from polyhead.profiling import Setup, Speed, cores
from polyhead.readers.as_source import as_source
from polyhead.sources.arrays import in_chunks

_PUBLIC = {"batches", "bind", "check", "describe", "epoch", "heads", "inputs", "num_samples", "on", "peek"}
_PUBLIC |= {"preview", "profile", "restore", "source", "state"}


class Feed(KerasInput):
    """Batches of a source, in the structure that a model with many heads wants.

    A feed has a position, which training moves: the next `fit` continues where the last one stopped, with the same
    model or another. ``feed.epoch = 0`` starts again; `state` and `restore` continue in another process.

    Args:
        data: a mapping of arrays, a `Source`, a frame or an Arrow table, or the path of a table.
        inputs: a column, a list of columns, or ``{name: input kind}``.
        heads: ``{name: head kind}``.
        batch_size: rows in a batch.
        shuffle: a new order each epoch; else first row to last. ``"blocks"`` is for data larger than memory on a disk
            that dislikes reading here and there: blocks of about a megabyte, or the chunks of an HDF5 or zarr file,
            come in a new order, and rows are mixed over 64 of them (8 at least, where they are large).
        seed: fixes the order, and the chance of the augmentations: the same on every machine.
        augment: augmentations, as ``[ph.Flip(), ph.Rotate(10)]``, in the order in which they happen. They move images,
            masks, boxes and keypoints together, in training alone: `evaluate` and `predict` get rows as they are.
            `MixUp`, `CutMix` and `Mosaic`, which make one row of several, come last.
        workers: threads that prepare batches ahead; 0 prepares them in line. ``"auto"`` takes up to four where a
            batch has to be read or decoded, and where all is in memory as many as pay, by what the first steps of an
            epoch took. The batches are the same.
        drop_remainder: leave out a last batch that would be smaller.
        shard: ``(rank, count)``, this process's part; ``"auto"`` asks ``torch.distributed`` or JAX, where they
            are set up. ``(0, 1)`` gives each process all rows, and a model of its own.
        warn_if_slow: ``fit`` prints one line to stderr if it waits for data for more than a fifth of its first
            seconds; not with ``verbose=0``.
        cache: a folder in which decoded images are kept: the first epoch decodes, later ones read, in this run and
            in others of the same rows and images. Without augmentation batches are the same. With it, images are kept
            as large as the augmentations of eight epochs ask for, so that pixels differ a little, and nothing else.

    Attributes:
        inputs: the input kinds, resolved against the data.
        heads: the head kinds, resolved: classes learnt, balanced weights worked out. Give them to the feeds of
            other splits, or use `on`.
        epoch: the epoch that comes next; may be set.
        num_samples: rows in the source.
        source: where the rows are.

    Raises:
        DataError: the data is not what is declared; every problem that can be found at once is named.
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
        augment: Sequence[Any] = (),
        workers: int | str = "auto",
        drop_remainder: bool = False,
        shard: tuple[int, int] | str = "auto",
        warn_if_slow: bool = True,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        _require_integers(batch_size, seed, workers)
        self._shard = checked_shard(shard)
        self.source = as_source(data, asked(inputs, heads))
        if len(self.source) == 0:
            raise DataError(Problem("data", "at least one row", "an empty source"))
        drop_remainder = _switch("drop_remainder", drop_remainder)
        warn_if_slow = _switch("warn_if_slow", warn_if_slow)
        if not isinstance(plain_scalar(shuffle), bool):
            require_choice("Feed(shuffle=)", shuffle, ("blocks",), 'True, False or "blocks"')
        blocks = isinstance(shuffle, str)
        self.source, chunk_rows = in_chunks(self.source) if blocks else (self.source, None)
        if shuffle and self.source.sequential:
            found = "shuffle=True, for rows that come in one order"
            fix = "Shuffle where the generator is written, or give arrays, a table or a ph.Source."
            raise ContractError(Problem("Feed(shuffle=)", "False", found, fix))
        declared = as_inputs(self.source, inputs)
        require_kinds(declared, heads)
        self.augment = tuple(augment) if isinstance(augment, (list, tuple)) else (augment,)
        self._lacking = lacking(self.source, heads)
        read = {} if self._lacking.columns else heads
        self._assembler = Assembler(self.source, declared, read, self.augment, int(seed))
        self.inputs = self._assembler.inputs
        self.heads = for_boxes(heads) if self._lacking.columns else self._assembler.heads
        self.batch_size, self.shuffle, self.seed = int(batch_size), bool(shuffle), int(seed)
        self.drop_remainder, self.workers, self.warn_if_slow = (
            bool(drop_remainder),
            workers,
            bool(warn_if_slow),
        )
        self.shard: tuple[int, int] = this_shard() if isinstance(self._shard, str) else self._shard
        if cache is not None:
            self._assembler = self._assembler.cached(as_path(cache, "Feed(cache=)"), self.shard)
        self._drawing = Drawing(
            self._assembler,
            self.source,
            self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            drop_remainder=self.drop_remainder,
            shard=self.shard,
            mixed=plan(self._assembler.row_bytes, chunk_rows) if blocks else None,
            workers=workers,
        )
        self._bound: Structure | None = None
        self._met: weakref.WeakKeyDictionary[Any, tuple[Any, Structure]] = weakref.WeakKeyDictionary()

    # What it is --------------------------------------------------------------------------------------

    def __dir__(self) -> list[str]:
        """The names for users, without those that Keras and other parts of the library call."""
        return sorted({*_PUBLIC, *(name for name in super().__dir__() if name.startswith("__"))})

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._drawing.order)

    @property
    def num_samples(self) -> int:
        """Rows in the source."""
        return len(self.source)

    @property
    def epoch(self) -> int:
        """The epoch that comes next, or is under way. It may be set: ``feed.epoch = 0`` begins again.

        Raises:
            ContractError: for what is no integer of at least 0.
        """
        return self._drawing.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        require_size("feed.epoch", epoch, 0)
        self._drawing.position.go(int(epoch))

    @property
    def labelled(self) -> dict[str, Head]:
        """The heads whose labels batches have: all, or none where `on` got rows that lack label columns."""
        return self._assembler.heads

    def _unlabelled(self, where: str) -> tuple[Problem, ...]:
        return self._lacking.refused(where)

    def _require_labels(self, where: str) -> None:
        """Raise where columns of labels are absent."""
        if self._lacking.columns:
            raise DataError(*self._unlabelled(where))

    @property
    def weighted(self) -> bool:
        """Whether batches have sample weights."""
        return self._assembler.weighted

    @property
    def weighted_heads(self) -> frozenset[str]:
        """The heads whose sample weights are not all 1."""
        return frozenset(name for name, label in self._assembler.labels.items() if label.weighted)

    @property
    def finely_weighted(self) -> frozenset[str]:
        """The heads whose column of weights has one for each label of a row."""
        return frozenset(name for name, label in self._assembler.labels.items() if label.finely_weighted)

    def mean_weights(self, losses: Mapping[str, Any]) -> dict[str, float]:
        """For each head the mean sample weight over the rows, which `compile` divides its loss by.

        Args:
            losses: ``{head: LabelledMean}``; those that divide by the weights of each batch are left out.
        """
        labels = self._assembler.labels
        return {
            name: labels[name].mean_weight(loss.whole_vectors)
            for name, loss in losses.items()
            if name in labels and not loss.batch_mean
        }

    def __repr__(self) -> str:
        lines = [f"Feed({self.num_samples:,} rows, {len(self):,} batches of {self.batch_size}"]
        how = "in blocks " if self._drawing.order.blocks else ""
        lines[0] += f", shuffled {how}by seed {self.seed})" if self.shuffle else ", in row order)"
        lines += [
            f"  input {name}: {kind!r} -> {kind.dtype} {kind.shape}" for name, kind in self.inputs.items()
        ]
        lines += [
            f"  head {name}: {head!r} -> {head.dtype} {head.shape}" for name, head in self.heads.items()
        ]
        lines += [f"  {self._lacking}"] if self._lacking.columns else []
        return "\n".join(lines)

    def describe(self) -> Any:
        """What the data holds: per input its shape and dtype, per head its coverage and distribution.

        Returns:
            A `Description`; print it, or read its rows.
        """
        from polyhead.pipeline.description import describe

        return describe(self._assembler, self.num_samples, self.heads)

    def preview(self, path: str | os.PathLike[str] | None = None, n: int = 16, *, model: Any = None) -> Any:
        """Samples as the model will see them, with all heads drawn.

        Args:
            path: of a page (``.html``) that needs nothing else, or of a contact sheet (``.png``); None writes
                nothing.
            n: samples.
            model: its check against this feed stands on the page.

        Returns:
            What a notebook shows as the page.

        Raises:
            ContractError: a path that ends otherwise, or fewer than one sample.
        """
        from polyhead.report import preview

        return preview(self, path, n, model=model)

    def profile(self, steps: int | None = None) -> Speed:
        """How fast this feed is without a model: samples a second by stage, the bottleneck, and what would help.

        Batches of the coming epoch are made in line, then with the feed's workers; none counts as used.

        Args:
            steps: batches of each; by default as many as a few seconds allow, at most an epoch.

        Returns:
            A `Speed`: print it, or read ``bottleneck``, ``remedy``, ``samples_per_s``, ``as_dict()``.

        Raises:
            ContractError: ``steps`` is no integer of at least 1.
            DataError: for a row that is not what is declared.
        """
        from polyhead.report.profile import profile

        return profile(self, steps)

    @property
    def _setup(self) -> Setup:
        images = {name: kind for name, kind in self.inputs.items() if isinstance(kind, Image)}
        return Setup(
            self._drawing.workers,
            self._assembler.row_bytes,
            self.batch_size,
            cores(),
            sequential=self.source.sequential,
            floats=tuple(name for name, kind in images.items() if kind.dtype == "float32"),
        )

    # Batches -----------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        """One epoch, ``(x, y)`` or ``(x, y, weights)``: dicts, or the model's structure once bound."""
        return _Epoch(self._batches(Call(steps=None)))

    def batches(self) -> Iterator[Batch]:
        """One epoch as `Batch` objects, with the ids of their rows; it does not count as an epoch used.

        >>> import numpy as np
        >>> import polyhead as ph
        >>> data = {"x": np.arange(3.0), "y": [0, 1, 0]}
        >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=2)
        >>> [batch.ids.tolist() for batch in feed.batches()]
        [[0, 1], [2]]

        Rows that were selected keep the ids that they had:

        >>> [batch.ids.tolist() for batch in feed.on(feed.source.select([2, 1])).batches()]
        [[2, 1]]
        """
        for batch in self._numbered():
            yield replace(batch, ids=self.source.ids_of(batch.ids))

    def _numbered(self) -> Iterator[Batch]:
        """The same, with the places of rows in the feed's own source as their ids."""
        for block in self._drawing.blocks(self.epoch):
            yield from block.batches()

    def peek(self) -> Any:
        """The batch that comes next; nothing is consumed."""
        return self._drawing.peek(self._own)

    def on(self, data: Any, *, shuffle: bool | str = False, **changes: Any) -> Feed:
        """The same declaration over other rows, as for validation: the same inputs and heads, as learnt here.

        Rows without labels can be predicted: where a column of labels or weights is absent, batches have inputs alone,
        and `fit` and `evaluate` refuse the feed.

        Args:
            data: as for `Feed`.
            shuffle: off by default.
            **changes: other arguments of `Feed`, in place of this feed's.

        >>> import numpy as np
        >>> import polyhead as ph
        >>> feed = ph.Feed({"x": np.arange(3.0), "y": [0, 1, 0]}, inputs="x", heads={"y": ph.Binary()})
        >>> feed.on({"x": np.arange(2.0)}).peek()[0]["x"].tolist()
        [[0.0], [1.0]]
        """
        same: dict[str, Any] = {
            "inputs": self.inputs,
            "heads": self.heads,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "workers": self.workers,
            "drop_remainder": False,
            "shard": self._shard,
            "warn_if_slow": self.warn_if_slow,
        }
        _require_arguments(changes)
        given = {**same, **changes}
        if isinstance(given["heads"], Mapping):
            given["heads"] = Known(given["heads"])
        return Feed(data, shuffle=shuffle, **given)

    # The model -----------------------------------------------------------------------------------------

    def check(self, model: Any, rows: int | str | None = None) -> Report:
        """Compare this feed with a model, and look at rows; every mistake at once, the worst first.

        Names, structure and every dimension; dtypes; activations, losses and labels against each other; the
        losses, loss weights and metrics that the model was compiled with; the values of the first batches.

        Args:
            model: functional, sequential or subclassed, compiled or not.
            rows: how many rows to look at, ``"all"`` for the whole source, with a progress bar; by default a
                few batches. Labels that are small and in memory are always looked at as a whole.

        Returns:
            A `Report`: ``report.ok``, ``report.problems``, ``print(report)``.

        Raises:
            ContractError: ``rows`` is no number of at least 1.
        """
        fit, wrong = self._check(model, rows)
        notes = (*fit.notes, str(self._lacking)) if self._lacking.columns else fit.notes
        return Report((*wrong, *fit.problems), notes)

    def _check(
        self, model: Any, rows: int | str | None = None, compiled: bool = True
    ) -> tuple[Fit, list[Problem]]:
        from polyhead.pipeline.row_checks import look

        seen, wrong = look(self._assembler, self._drawing.order, rows)
        declared = Declared(
            self.inputs, self.heads, self.batch_size, self.weighted_heads, self.finely_weighted, self.shuffle
        )
        return check(model, declared, seen, compiled), wrong

    def bind(self, model: Any) -> Feed:
        """Fix this feed to a model's structure, once `check` finds nothing.

        Raises:
            ContractError: with every problem.
        """
        self._bind(model)
        return self

    def _bind(self, model: Any, compiled: bool = True) -> Structure:
        if not compiled:
            self._require_labels("compile()")
        self._bound = self._structure(model, compiled)
        return self._bound

    def _structure(self, model: Any, compiled: bool = True) -> Structure:
        """Where inputs and heads stand in a model that this feed was found to fit; looked up from then on.

        Args:
            model: the one to check, once for each time that it is compiled.
            compiled: False leaves out what it was compiled with.
        """
        require_model(model, "feed.bind(model)")
        known = self._met.get(model)
        if known is None or (compiled and self._recompiled(model, known[0])):
            fit, wrong = self._check(model, compiled=compiled)
            if fit.structure is None:
                raise ContractError(*fit.errors, *wrong)
            if wrong:
                raise DataError(*wrong)
            for problem in fit.warnings:
                if not (compiled and problem.code == "label-scale" and head_losses(model) is not None):
                    warn(problem)  # polyhead.compile warned of the scale of its own rows
            known = self._met[model] = (compiled_loss(model) if compiled else None, fit.structure)
        return known[1]

    def _recompiled(self, model: Any, known: Any) -> bool:
        """Return whether a model was compiled again since this feed checked it."""
        loss = compiled_loss(model)
        return loss is not None and loss is not known and (known is not None or user_loss(model) is not None)

    def _place(self, model: Any) -> Structure:
        """Where inputs and heads stand in a model that is only asked to predict."""
        known = self._met.get(model)
        if known is not None:
            return known[1]
        fit = match_model(model, self.inputs, self.heads, self.batch_size)
        if fit.structure is None:
            raise ContractError(*fit.errors)
        return fit.structure

    # Where it stands -------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Where this feed stands, as a small dict that JSON takes.

        It also says of what: rows, batch size, order and shard, and fingerprints of a few rows and of the declaration.

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
        return self._drawing.state()

    def restore(self, state: Mapping[str, Any]) -> Feed:
        """Continue from where `state` was taken, exact to the sample; the next epoch starts at its step.

        ``fit(initial_epoch=)`` does not move a restored feed. An epoch that is under way ends first.

        Raises:
            ContractError: for the state of a feed of other rows, batches, order or declaration.
        """
        if not isinstance(state, Mapping):
            raise ContractError(Problem("feed.restore(state)", "what feed.state() gave", shown(state)))
        self._drawing.restore(state)
        return self

    # For Keras ---------------------------------------------------------------------------------------------

    @property
    def partial_batch_size(self) -> int | None:
        """For Keras: rows in a smaller last batch."""
        rows = self._drawing.sizes("fit")[-1]
        return rows if rows < self.batch_size else None

    def _steps(self, call: Call) -> int | None:
        # with steps_per_epoch the rows go on from epoch to epoch, and Keras says when one ends
        return None if call.use == "fit" and call.steps else len(self._drawing.orders[call.use])

    def _begin(self, call: Call) -> None:
        if call.use == "fit" and call.run is not None:
            if not call.probing:
                require_one_model(call.model, self._shard == (0, 1))
            self._drawing.begin(call)

    def _end(self, call: Call) -> None:
        if call.use == "fit" and call.run is not None:
            self._drawing.end(call)

    def _sizes(self, call: Call) -> tuple[int, ...]:
        return self._drawing.sizes(call.use)

    def _specs(self, call: Call) -> Any:
        structure = self._structure_for(call)
        x = fill(structure.inputs, {n: Spec(k.shape, k.dtype) for n, k in self.inputs.items()}, tuples=True)
        if call.use == "predict" or not self.labelled:
            return (x,)
        y = fill(structure.outputs, {n: Spec(h.shape, h.dtype) for n, h in self.heads.items()}, tuples=True)
        if not self.weighted:
            return x, y
        weights = {n: Spec(s, "float32") for n, s in self._assembler.weight_shapes.items()}
        return x, y, fill(structure.outputs, weights, tuples=True)

    def _lends(self, array: Any) -> bool:
        return pooled(array)

    def _structure_for(self, call: Call) -> Structure:
        if call.refused:
            raise ContractError(*call.refused)
        if call.model is not None and call.use == "predict":
            return self._place(call.model)
        if call.model is None:
            return self._own
        self._require_labels(f"{call.use}()")
        structure = self._structure(call.model)
        losses = head_losses(call.model) if call.use == "fit" else None
        if losses is not None:
            losses.normalize(self.mean_weights(losses.losses))
        return structure

    @property
    def _own(self) -> Structure:
        """The structure of what is drawn by hand."""
        return self._bound or Structure.flat(list(self.inputs), list(self.heads))

    def _batches(self, call: Call, convert: Convert | None = None) -> Iterator[Any]:
        structure = self._structure_for(call)
        drawing = self._drawing
        if call.probing:
            return iter([drawing.peek(structure, convert)])
        if call.use != "fit":
            return drawing.through(call.use, structure, convert)
        timer = step_timer(call, self._setup, warn=self.warn_if_slow and self.shard[0] == 0)
        meter = None if timer is None else timer.meter
        batches = drawing.train(structure, convert, call.run, call.epochs, meter)
        return batches if timer is None else timer.timed(batches)


def _switch(name: str, given: Any) -> bool:
    """An argument that is True or False."""
    found = plain_scalar(given)
    if not isinstance(found, bool):
        raise ContractError(Problem(f"Feed({name}=)", "True or False", shown(given)))
    return found


def _require_arguments(changes: Mapping[str, Any]) -> None:
    """Raise for what is no argument of `Feed`."""
    known = [name for name in inspect.signature(Feed).parameters if name != "data"]
    expected = f"an argument of ph.Feed ({', '.join(known)})"
    problems = [
        Problem(f"feed.on({name}=)", expected, "none of that name", similar(name, known))
        for name in changes
        if name not in known
    ]
    if problems:
        raise ContractError(*problems)


def _require_integers(batch_size: Any, seed: Any, workers: Any) -> None:
    """Raise for an argument that is no integer where one has to be."""
    wrong = []
    if not is_size(batch_size):
        wrong.append(Problem("Feed(batch_size=)", "an integer of at least 1", shown(batch_size)))
    if not is_integer(seed):
        wrong.append(Problem("Feed(seed=)", "an integer", shown(seed)))
    if not is_size(workers, 0):
        wrong += other_choice("Feed(workers=)", workers, ("auto",), '"auto" or an integer of at least 0')
    if wrong:
        raise ContractError(*wrong)


class _Epoch(itertools.chain):
    """One epoch under way.

    It is no generator, as Keras would take one, and train every later epoch on its first two batches.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "one epoch of a feed (fit takes the feed itself: model.fit(feed))"
