"""Translates ``timeseries_dataset_from_array``: windows as views of the series, without a copy."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from polyhead.doctor.column_survey import survey_values
from polyhead.doctor.feed_code import Guess, feed_code
from polyhead.doctor.kind_guess import guess_head
from polyhead.migrating.script import call_argument, literal

_ARGUMENTS = (
    *("data", "targets", "sequence_length", "sequence_stride", "sampling_rate", "batch_size", "shuffle"),
    *("seed", "start_index", "end_index"),
)


def window_feed(call: ast.Call, targets: Any) -> tuple[str, list[str]]:
    """The code of a feed of windows, and notes on what changed; empty code if the call has no targets.

    Args:
        call: the call of ``timeseries_dataset_from_array``.
        targets: the targets; None if they are not known.
    """
    arguments = {name: call_argument(call, i, name) for i, name in enumerate(_ARGUMENTS)}
    if arguments["data"] is None or literal(arguments["targets"], "") is None or arguments["targets"] is None:
        return "", ["there are no targets: take windows from the dataset, and say by hand what is predicted"]
    rows = ""
    if arguments["start_index"] is not None or arguments["end_index"] is not None:
        ends = [_as_code(arguments[name], "").removesuffix("None") for name in ("start_index", "end_index")]
        rows = f"[{ends[0]}:{ends[1]}]"
    data, labels = _as_code(arguments["data"], ""), _as_code(arguments["targets"], "")
    length = _as_code(arguments["sequence_length"], "10")
    stride, rate = _as_code(arguments["sequence_stride"], "1"), _as_code(arguments["sampling_rate"], "1")
    span = f"{length}" if rate == "1" else f"({length} - 1) * {rate} + 1"
    lines = [
        "import numpy as np",
        "",
        "import polyhead as ph",
        "",
        f"series, targets = np.asarray({data}){rows}, np.asarray({labels})",
        f"windows = np.lib.stride_tricks.sliding_window_view(series, {span}, axis=0)  # a view: nothing is copied",
        f"windows = np.moveaxis(windows, -1, 1)[: len(targets), ::{rate}]",
        f'data = {{"window": windows[::{stride}], "target": targets[: len(windows)][::{stride}]}}',
    ]
    head = Guess("Regression", (), "ph.Categorical() for class ids")
    changed = []
    if targets is not None:
        head = guess_head(survey_values("target", np.asarray(targets))) or head
    if np.ndim(targets) > 1:
        changed.append('several columns of targets can be heads of their own: data["day"] = targets[:, 0]')
    batch, shuffle = literal(arguments["batch_size"], 128), bool(literal(arguments["shuffle"], False))
    return feed_code(lines, {"window": Guess("Array")}, {"target": head}, batch, shuffle), changed


def _as_code(node: ast.expr | None, default: str) -> str:
    return default if node is None else ast.unparse(node)
