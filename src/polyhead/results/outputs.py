"""Predicts the rows of a feed in chunks, and names the outputs by head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.checks.logits import LogitsSeen
from polyhead.checks.model_match import match_model
from polyhead.errors import ContractError, DataError, Problem, place, shown, warn
from polyhead.feed import Feed
from polyhead.keras_bridge.devices import sharing_devices
from polyhead.keras_bridge.structure import Path, fill, leaves, output
from polyhead.kinds import Head, Input
from polyhead.kinds.likelihood import likelihoods
from polyhead.pipeline.unmoved_targets import mirrored_numbers
from polyhead.results.tta import ImageMove, merge_views, moves_of

CHUNK_BYTES, CHUNK_ROWS = 1 << 26, 1 << 16
"""The most bytes of outputs, and the most rows, of one call of ``model.predict``: they limit memory use."""


Named = dict[str, np.ndarray]
"""Outputs by head, or by their own names."""


class Outputs:
    """Predicts rows in their order.

    Args:
        model: a Keras model, built or not, compiled or not.
        inputs: the inputs of the feeds to predict.
        heads: the resolved heads by name.
        batch_size: the batch size of the feeds to predict.
        tta: the number of views of each image whose outputs are merged; None for the image alone.

    Attributes:
        heads: the heads that the model has outputs for. A model with its own loss may lack some, and have other outputs
            under their own names.

    Raises:
        ContractError: the model does not fit.
    """

    def __init__(
        self,
        model: Any,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        batch_size: int,
        tta: int | None = None,
    ) -> None:
        self._model, self._kinds, self._batch_size = model, inputs, batch_size
        self._moves = [] if tta is None else moves_of(tta, inputs)
        fit = match_model(model, inputs, heads, batch_size)
        if not fit.ok:
            raise ContractError(*fit.errors)
        self._inputs = fit.structure.inputs
        self._paths: dict[str, Path] | None = None
        self.heads = dict(heads)
        if not fit.structure.own_loss:
            self._paths = {name: path for path, name in leaves(fit.structure.outputs)}
        for problem in mirrored_numbers(self.heads) if len(self._moves) > 1 else ():
            warn(problem)
        self._logits = LogitsSeen(model, "predict()")

    def of_zeros(self) -> tuple[Named, Named]:
        """The outputs for one row of zeros, with non-finite numbers replaced, and those of each view.

        They show the form of outputs.
        """
        block = {name: np.zeros((1, *kind.shape), kind.dtype) for name, kind in self._kinds.items()}
        views: Named = {}
        if self._moves:
            outputs, views = self._merged(block)
        else:
            outputs = self._by_name(self._model.predict_on_batch(fill(self._inputs, block, tuples=True)))
        return {name: np.nan_to_num(values) for name, values in outputs.items()}, views

    def of_feed(
        self, feed: Feed, done: Callable[[int], None] = lambda rows: None
    ) -> Iterator[tuple[np.ndarray, Named, Named]]:
        """Yield the indices of rows in the feed's source, int64 ``(B,)``, their outputs, and those of each view.

        Args:
            done: called with the number of newly predicted rows.

        Yields:
            Outputs are ``(B, *output_shape)``, those of views ``(views, B, *output_shape)``; without ``tta=``, there
            are no views.
        """
        from polyhead.keras_bridge.callbacks import RowCounter

        rows, step, start = feed.num_samples, self._rows_at_once(), 0
        views: Named = {}
        if self._moves:
            for block in feed.input_blocks():
                outputs, views = self._merged(block)
                stop = start + len(next(iter(block.values())))
                done(stop - start)
                yield np.arange(start, stop, dtype=np.int64), outputs, views
                start = stop
        shared = rows - self._unshared(rows)
        while start < rows:
            stop = min(start + step, shared if start < shared else rows)
            chunk = feed.between(start, stop)
            if start < shared:
                counter = RowCounter(done, self._batch_size, stop - start)
                outputs = self._by_name(self._model.predict(chunk, verbose=0, callbacks=[counter]))
            else:
                (block,) = chunk.input_blocks()
                outputs = self._of_arrays(block)
                done(stop - start)
            yield np.arange(start, stop, dtype=np.int64), outputs, views
            start = stop

    def _unshared(self, rows: int) -> int:
        """The number of rows in a last batch that cannot be split over devices; each device predicts them all."""
        last = rows % self._batch_size
        return last if last % sharing_devices() else 0

    def _of_arrays(self, x: Mapping[str, np.ndarray]) -> Named:
        """The outputs for some rows; a last batch that cannot be split over devices is predicted separately."""
        rows = len(next(iter(x.values())))
        shared, outputs = rows - self._unshared(rows), []
        if shared:
            block = fill(self._inputs, {name: array[:shared] for name, array in x.items()}, tuples=True)
            predicted = self._model.predict(block, batch_size=self._batch_size, verbose=0)
            outputs.append(self._by_name(predicted))
        if shared < rows:
            block = fill(self._inputs, {name: array[shared:] for name, array in x.items()}, tuples=True)
            outputs.append(self._by_name(self._model.predict_on_batch(block)))
        return {name: np.concatenate([named[name] for named in outputs]) for name in outputs[0]}

    def _merged(self, block: Mapping[str, np.ndarray]) -> tuple[Named, Named]:
        """The outputs for some rows, merged over the views, and the outputs of each view."""
        views = []
        for moves in self._moves:
            x = {name: moves[name].images(a) if name in moves else a for name, a in block.items()}
            outputs = self._of_arrays(x)
            views.append({name: self._unmoved(name, values, moves) for name, values in outputs.items()})
        return merge_views(self.heads, views)

    def _unmoved(self, name: str, outputs: np.ndarray, moves: Mapping[str, ImageMove]) -> np.ndarray:
        head = self.heads.get(name)
        if head is None:
            return outputs
        owner = self.heads.get(head.each or name, head)
        move = moves.get(owner.of or "") or next(iter(moves.values()))
        # the temperature is applied later, in decoding
        likelihood = likelihoods(outputs, self._raw_logits(name, outputs), head.probabilities)
        return likelihood if move.is_still else head.unmoved(likelihood, move)

    def _rows_at_once(self) -> int:
        row_bytes = sum(4 * int(np.prod(head.output_shape)) for head in self.heads.values())
        rows = min(CHUNK_BYTES // max(1, row_bytes), CHUNK_ROWS)
        return max(1, rows // self._batch_size) * self._batch_size

    def _by_name(self, predicted: Any) -> Named:
        if self._paths is None:
            named = {"_".join(map(str, path)) or "output": value for path, value in leaves(predicted)}
            self.heads = {n: h for n, h in self.heads.items() if _has_shape(h, named.get(n))}
        else:
            named = {name: output(predicted, self._paths[name]) for name in self.heads}
        return {name: np.asarray(value, np.float32) for name, value in named.items()}

    def logits(self, name: str, outputs: np.ndarray) -> bool:
        """Return whether the outputs of a head are logits; merged views are probabilities."""
        return False if self._moves else self._raw_logits(name, outputs)

    def _raw_logits(self, name: str, outputs: np.ndarray) -> bool:
        path = None if self._paths is None else self._paths[name]
        return self._logits.of(name, self.heads[name], path, outputs)


def require_finite_outputs(
    where: str, name: str, head: Head | None, outputs: np.ndarray, ids: np.ndarray
) -> None:
    """Raise a `DataError` if outputs are not finite, or not in the units of the data; ``ids`` are those of the rows."""
    expected, values = "finite outputs", outputs
    fix = "Look for a loss that became NaN in training, and for inputs without a finite number."
    bad = ~np.isfinite(outputs.reshape(len(outputs), -1))
    if not bad.any() and head is not None and head.scaling is not None:
        with np.errstate(all="ignore"):
            values = head.unscaled(outputs)
        bad = ~np.isfinite(values.reshape(len(values), -1))
        expected = "finite numbers in the units of the column"
        fix = (
            "The model gives far more than in training: look for inputs unlike those that it was trained on."
        )
    if bad.any():
        i = int(bad.any(1).argmax())
        row, value = int(ids[i]), shown(values[i].ravel()[bad[i]][0])
        where = f"{where}, {place(head=name, row=row)}"
        raise DataError(Problem(where, expected, value, fix, rows=(row,)))


def _has_shape(head: Head, values: Any) -> bool:
    return values is not None and tuple(np.shape(values)[1:]) == head.output_shape
