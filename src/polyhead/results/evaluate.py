"""Measures how good a model is at each head."""

from __future__ import annotations

from typing import Any

from polyhead.checks.output_rules import check_spelling
from polyhead.errors import ContractError, DataError, Problem, is_number, require_size, shown, warn
from polyhead.feed import Feed
from polyhead.keras_bridge.identifiers import require_model
from polyhead.keras_bridge.jax_state import in_turn
from polyhead.kinds.declaration import Declaration
from polyhead.pipeline.feed_arguments import columns_asked_for
from polyhead.results.bootstrap import Intervals
from polyhead.results.evaluation import Evaluation
from polyhead.results.judge_rows import RowJudges
from polyhead.results.rows import as_rows, declaration_for, require_inputs
from polyhead.results.tuning import carried_heads, tuned_as


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
    """Measure how good a model is at each head, over all rows, with the metrics that suit its kind.

    Every row counts once, in order and without augmentation, whatever the feed's ``drop_remainder=`` and ``shard=``;
    the batch size does not change the results. Rows without a label, and rows that ``given=`` excludes, do not count
    for a head. Rows are weighted by ``sample_weight=``, but not by ``class_weight=``, which is meant for training and
    does not tell how often a class occurs. Metrics of numbers are in the units of the data.

    Args:
        model: a model, compiled or not, or loaded from a file.
        data: a `Feed`, or whatever `Feed` or `predict` accepts, with labels; also a list of rows, ``{column: value}``.
        declaration: the declaration of ``data``; by default the feed's, or the one that the model carries.
        batch_size: rows per batch; by default the feed's, or 32.
        intervals: the confidence level, such as 0.95; None for no intervals, which is faster.
        resamples: the number of bootstrap samples; the intervals are percentiles over them.
        seed: the seed of the bootstrap samples.

    Returns:
        An `Evaluation`: print it, or read ``evaluation["animal"]["accuracy"].value``, ``.low`` and ``.high``.

    Raises:
        ContractError: the data does not fit the model, or an argument is not valid.
        DataError: no rows, rows without labels, or labels that do not match the declaration.

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
    how = _checked_intervals(intervals, resamples, seed)
    feed, resolved = labeled_feed(model, data, declaration, batch_size)
    with in_turn(model):
        return evaluated(RowJudges(model, feed), how, resolved)


def evaluated(row_judges: RowJudges, how: Intervals, declaration: Declaration | None) -> Evaluation:
    """Run the model over all rows, and return the evaluation of their labels."""
    items, ids = row_judges.read_items()
    return Evaluation(row_judges.judges, items, ids, how, row_judges, declaration)


def _checked_intervals(level: Any, resamples: Any, seed: Any) -> Intervals:
    require_size("evaluate(resamples=)", resamples)
    require_size("evaluate(seed=)", seed, 0)
    if level is not None and not (is_number(level) and 0 < level < 1):
        expected = "a number between 0 and 1, such as 0.95, or None"
        raise ContractError(Problem("evaluate(intervals=)", expected, shown(level)))
    return Intervals(None if level is None else float(level), int(resamples), int(seed))


def labeled_feed(model: Any, data: Any, declaration: Any, batch_size: Any) -> tuple[Feed, Declaration]:
    """Make a feed of all rows in order, without augmentation and class weights; also return their declaration.

    A threshold or temperature that the model carries takes precedence over the feed's.
    """
    if batch_size is not None:
        require_size("evaluate(batch_size=)", batch_size)
    resolved = declaration_for("evaluate", model, data, declaration, prefer_feed=True)
    if not resolved.heads:
        fix = "Say model.evaluate(feed): without heads, only the model knows its loss."
        raise ContractError(Problem("evaluate(data)", "a declaration with heads", "heads={}", fix))
    options: dict[str, Any] = {"batch_size": 32}
    if isinstance(data, Feed):
        options = {"batch_size": data.batch_size, "workers": data.workers}
        data = data.source
    if batch_size is not None:
        options["batch_size"] = int(batch_size)
    carried = carried_heads(model)
    heads = {name: tuned_as(head, carried.get(name)) for name, head in resolved.heads.items()}
    unweighted = {name: head.fixed(class_weight=None) for name, head in heads.items()}
    source = as_rows(data, resolved.inputs, columns_asked_for(resolved.inputs, unweighted))
    if not len(source):
        fix = "No metric can be measured without rows: leave such data out."
        raise DataError(Problem("evaluate(data)", "at least one row", "none", fix))
    require_inputs(source, resolved.inputs)
    feed = Declaration(resolved.inputs, unweighted).feed(source, shard=(0, 1), **options)
    feed._require_labels("evaluate()")
    for name, head in feed.heads.items():
        if head.inner.spellings != unweighted[name].inner.spellings:  # other than in training
            for problem in check_spelling(name, head):
                warn(problem)
    return feed, Declaration(resolved.inputs, heads)
