"""Runs a model over labelled rows, and judges each head by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.checks.activation import activation
from polyhead.checks.compiled_declaration import declaration_of
from polyhead.checks.compiled_model import head_losses
from polyhead.checks.model_match import symbolic
from polyhead.checks.output_rules import as_loss
from polyhead.errors import ContractError, DataError, Problem, is_number, place, require_size, shown
from polyhead.feed import Feed
from polyhead.keras_bridge.identifiers import require_model
from polyhead.keras_bridge.structure import Structure, at, fill, leaves, output
from polyhead.kinds import Head, Image
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.judging import Items, Judge, Judged, together_of
from polyhead.kinds.missing import plain
from polyhead.pipeline import Batch
from polyhead.results.bootstrap import Intervals
from polyhead.results.evaluation import Evaluation
from polyhead.sources.scanning import first_rows


def evaluate(
    model: Any,
    data: Any,
    *,
    declaration: Declaration | None = None,
    batch_size: int | None = None,
    intervals: float | None = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Measure how good a model is at each head, over all rows, with the metrics by which its kind is judged.

    All rows count once, in their order, without augmentation, whatever ``drop_remainder=`` and ``shard=`` say; the size
    of the batches changes nothing. Rows without a label, and rows that ``given=`` leaves out, do not count for a head.
    Rows count by their ``sample_weight=``, but not by ``class_weight=``, which steers training and says nothing about
    how often a class occurs. Numbers are in the units of the data.

    Args:
        model: compiled or not; also one that was loaded.
        data: a `Feed`, or anything that `Feed` takes.
        declaration: of ``data``; by default that of the feed, or the one that the model carries.
        batch_size: rows that the model gets at once; by default that of the feed, or 32.
        intervals: the level of the intervals, as 0.95; None for none, which is faster.
        resamples: the number of samples of rows from which intervals are made, by the percentile bootstrap.
        seed: of the samples.

    Returns:
        An `Evaluation`: print it, or read ``evaluation["animal"]["accuracy"].value``, ``.low`` and ``.high``.

    Raises:
        ContractError: the data does not fit the model, or an argument is not valid.
        DataError: rows without labels, or labels that do not match the declaration.

    >>> import keras, numpy as np, polyhead as ph
    >>> data = {"x": np.linspace(-1, 1, 50), "y": np.linspace(-1, 1, 50) > 0}
    >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()})
    >>> x = keras.Input((1,), name="x")
    >>> model = keras.Model(x, {"y": keras.layers.Activation("sigmoid", name="y")(x)})
    >>> evaluation = ph.evaluate(model, feed)
    >>> evaluation["y"]["accuracy"].value, evaluation["y"]["roc_auc"].value
    (1.0, 1.0)
    """
    require_model(model, "evaluate(model)")
    how = _intervals(intervals, resamples, seed)
    if batch_size is not None:
        require_size("evaluate(batch_size=)", batch_size)
    feed = _labelled_feed(model, data, declaration, batch_size)
    judges, items, ids = judge_rows(model, feed)
    return Evaluation(judges, items, ids, how)


def judge_rows(model: Any, feed: Feed) -> tuple[dict[str, Judge], dict[str, Items], np.ndarray]:
    """Run a model over the rows of a feed, and return for each head its judge and items, and the ids of the rows."""
    structure = _structure(model, feed)
    heads = dict(feed.heads)
    more = {
        key: one
        for name, head in heads.items()
        for key, one in head.also_read(name, _hint_values(feed, head)).items()
    }
    if more:  # labels that the model does not predict
        feed = feed.on(feed.source, heads={**heads, **more}, shard=(0, 1))
    size = _image_sizes(feed)
    judges = {name: head.judge(name, feed.heads, size(head)) for name, head in heads.items()}
    outputs = _BatchOutputs(model, heads, structure)
    parts: dict[str, list[Items]] = {name: [] for name in heads}
    ids: list[np.ndarray] = []
    start = 0
    for batch in feed.batches():
        answers = outputs.of(batch, feed.heads)
        for name, judge in judges.items():
            items = judge.look(answers)
            parts[name].append({**items, "row": items["row"] + start})
        ids.append(batch.ids.copy())
        start += len(batch.ids)
    return judges, {name: together_of(found) for name, found in parts.items()}, np.concatenate(ids)


def _structure(model: Any, feed: Feed) -> Structure:
    """The places of inputs and heads in a model that the feed fits, without warnings, which are about training."""
    fit, wrong = feed._binding.check(model)
    if fit.structure is None:
        raise ContractError(*fit.errors, *wrong)
    if wrong:
        raise DataError(*wrong)
    return fit.structure


class _BatchOutputs:
    """Predicts batch by batch, and puts labels and outputs together by head."""

    def __init__(self, model: Any, heads: Mapping[str, Head], structure: Structure) -> None:
        self._model, self._heads, self._structure = model, heads, structure
        self._paths = {name: path for path, name in leaves(structure.outputs)}
        self._logits: dict[str, bool] = {}
        self._rows = 0

    def of(self, batch: Batch, heads: Mapping[str, Head]) -> dict[str, Judged]:
        """The labels and outputs of a batch by head; of heads that the model does not have, the labels alone."""
        rows = len(batch.ids)
        self._rows = max(self._rows, rows)
        x = fill(self._structure.inputs, {n: _filled_up(a, self._rows) for n, a in batch.inputs.items()})
        found = self._model.predict_on_batch(x)
        answers = {}
        for name, head in heads.items():
            weights = None if batch.weights is None else batch.weights[name]
            labels = batch.labels[name]
            if name not in self._heads:
                outputs, logits = np.zeros((rows, *head.output_shape), np.float32), False
            else:
                outputs = self._output(found, name)[:rows]
                if name not in self._logits:
                    self._logits[name] = told_logits(self._model, name, head, self._paths[name], outputs)
                logits = self._logits[name]
            answers[name] = Judged.of(head, labels, outputs, weights, logits)
        return answers

    def _output(self, found: Any, name: str) -> np.ndarray:
        if self._structure.own_loss and not (isinstance(found, Mapping) and name in found):
            fix = "Let the model return a dict with this name when it predicts."
            raise ContractError(
                Problem(f"evaluate(), {place(head=name)}", "an output of this name", "none", fix)
            )
        return np.asarray(output(found, self._paths[name]))


def _filled_up(array: np.ndarray, rows: int) -> np.ndarray:
    """A smaller last batch filled up with its last row, so that no step is compiled for it."""
    more = rows - len(array)
    return array if not more else np.concatenate([array, np.repeat(array[-1:], more, axis=0)])


def _hint_values(feed: Feed, head: Head) -> dict[str, Any]:
    """The first value of each column that helps to judge a head."""
    names = [name for name in head.hint_columns if name in feed.source.columns]
    return {name: plain(first_rows(feed.source, name, 1))[0] for name in names}


def _intervals(level: Any, resamples: Any, seed: Any) -> Intervals:
    require_size("evaluate(resamples=)", resamples)
    require_size("evaluate(seed=)", seed, 0)
    if level is not None and not (is_number(level) and 0 < level < 1):
        expected = "a number between 0 and 1, such as 0.95, or None"
        raise ContractError(Problem("evaluate(intervals=)", expected, shown(level)))
    return Intervals(None if level is None else float(level), int(resamples), int(seed))


def _labelled_feed(model: Any, data: Any, declaration: Any, batch_size: int | None) -> Feed:
    """The feed of all rows, in their order, as they are, without class weights."""
    if declaration is not None and not isinstance(declaration, Declaration):
        raise ContractError(Problem("evaluate(declaration=)", "a ph.Declaration", shown(declaration)))
    own: dict[str, Any] = {"batch_size": 32}
    if isinstance(data, Feed):
        declaration = declaration or data.declaration
        own = {"batch_size": data.batch_size, "workers": data.workers}
        data = data.source
    declaration = declaration or declaration_of(model)
    if batch_size is not None:
        own["batch_size"] = int(batch_size)
    heads = {name: head.fixed(class_weight=None) for name, head in declaration.heads.items()}
    feed = Declaration(declaration.inputs, heads).feed(data, shard=(0, 1), **own)
    feed._require_labels("evaluate()")
    return feed


def _image_sizes(feed: Feed) -> Any:
    """A function that tells the size of the image in which a head's labels lie; None if it is not known."""
    images = {name: kind.shape[:2] for name, kind in feed.inputs.items() if isinstance(kind, Image)}
    only = next(iter(images.values())) if len(set(images.values())) == 1 else None
    return lambda head: images.get(head.of, only)


def told_logits(model: Any, name: str, head: Head, path: Any, outputs: np.ndarray) -> bool:
    """Whether an output is logits: by the loss it was compiled with, its layer's activation, or else its values."""
    if not head.probabilities:
        return False
    compiled = head_losses(model)
    losses = [compiled.losses[name].loss] if compiled is not None and name in compiled.losses else []
    for given in (*losses, *([head.loss] if head.loss is not None else [])):
        loss = as_loss(given)
        if loss.name and loss.from_logits is not None:
            return loss.from_logits
    known = symbolic(model)
    applied = None if known is None else activation(at(known[1], path))
    by_layer = {"linear": True, "sigmoid": False, "hard_sigmoid": False, "softmax": False}.get(applied or "")
    if by_layer is not None:
        return by_layer
    inside = bool((outputs >= 0).all() and (outputs <= 1).all() and outputs.any())
    return not (
        inside and ("softmax" not in head.probabilities or np.allclose(outputs.sum(-1), 1, atol=1e-2))
    )
