"""`migrate`: writes feeds that replace the data pipelines of a script, and compares their rows."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.doctor.column_survey import survey_values
from polyhead.doctor.declare import IN_MEMORY
from polyhead.doctor.examine import examine_first
from polyhead.doctor.feed_code import Guess, feed_code
from polyhead.doctor.kind_guess import guess_head
from polyhead.doctor.subjects import recognize
from polyhead.errors import DataError, Problem
from polyhead.feed import Feed
from polyhead.foreign_errors import quoted_error
from polyhead.migrating import image_flows, mask_flows
from polyhead.migrating.comparing import compare_rows
from polyhead.migrating.fed_data import draws_from, splits_anew, with_fed_data
from polyhead.migrating.script import (
    DATA,
    FLOWS,
    LOADER,
    WINDOWS,
    Found,
    assigned_values,
    call_argument,
    literal,
    nodes,
    parse_script,
    pipelines,
)
from polyhead.migrating.slicing import Slice, run_slice, slice_for, trains
from polyhead.migrating.zipped_flows import with_masks

_OF_FIT = ("endless", "exhausted", "steps", "not-shuffled")
"""Problems that depend on the call of ``fit``, or no longer matter with a feed."""

_IMAGES = (
    "all images are in memory. A feed reads the files instead: ph.read_folder(folder, classes=True), or with other "
    'labels {"image": dataset.file_paths, "age": ages}, where "image" is ph.Image(height, width)'
)
_SPLIT = (
    "take() and skip() after shuffle() split the rows anew in each reading, so rows for validation are trained on. Say "
    "shuffle(rows, reshuffle_each_iteration=False)"
)
_ONE_EPOCH = (
    "each epoch has the rows of the one that was read: without new augmentations and without rows that were dropped as "
    "a short batch. Pass the table, arrays or files that the pipeline reads to ph.Feed, with augment="
)
_NAMES = "the labels have no names in the script: name the heads like the outputs of the model"


@dataclass(frozen=True)
class Migration:
    """The result of migrating one data pipeline.

    Attributes:
        kind: the kind of pipeline, see `Found`.
        name: the variable that holds it.
        line: the line that creates it.
        code: the code of the feed that replaces it; empty if it could not be migrated.
        changed: what is different with the feed.
        mistakes: the problems that `examine` found in the pipeline.
        compared: how the rows compare, if both were run.
        ran: the lines of the script that were run.
        why: why it was not migrated or not compared.
        by: another pipeline whose feed replaces this one too.
    """

    kind: str
    name: str
    line: int
    code: str = ""
    changed: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    ran: str = ""
    why: str = ""
    by: str = ""

    def __str__(self) -> str:
        name = f" `{self.name}`" if self.name else ""
        lines = [f"line {self.line}: {self.kind}{name}"]
        belongs = "from which it draws" if self.kind == "generator" else "as its masks"
        lines += [f"  replaced by the feed of {self.by}, {belongs}"] if self.by else []
        lines += [f"  not migrated: {self.why}"] if self.why and not self.code else []
        lines += ["", self.code, ""] if self.code else []
        lines += [f"  changed: {words}" for words in self.changed]
        lines += [f"  wrong before: {words}" for words in self.mistakes]
        lines += [f"  ran of the script, and nothing else: lines {self.ran}"] if self.ran else []
        lines += [f"  {words}" for words in self.compared]
        lines += [f"  not compared: {self.why}"] if self.why and self.code else []
        return "\n".join(lines)


def migrate(path: str | Path, *, execute: bool = True, rows: int = 200) -> list[Migration]:
    """Read a script, write feeds that replace its data pipelines, and compare their rows.

    Args:
        path: the script.
        execute: run the lines that create the pipelines, and compare rows; otherwise the script is only read.
        rows: the number of rows to compare.

    Raises:
        DataError: if the file is not valid Python.
    """
    path = Path(path)
    try:
        tree = parse_script(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise DataError(Problem(f"file {path}", "a Python program", quoted_error(error))) from None
    all_pipelines = with_fed_data(tree, with_masks(tree, pipelines(tree)))
    flows = {p.name: p.line for p in all_pipelines if p.kind in FLOWS and p.name}
    chosen: dict[str, Any] = {}
    migrations = []
    for pipeline in all_pipelines:
        names = nodes(ast.parse(pipeline.expression), ast.Name) if pipeline.kind == "generator" else ()
        drawn = [f"line {flows[node.id]}, `{node.id}`" for node in names if node.id in flows]
        by = pipeline.by or next(iter(drawn), "")
        if by:
            migrations.append(Migration(pipeline.kind, pipeline.name, pipeline.line, by=by))
        elif (migration := _migrated(pipeline, tree, path, execute, rows, chosen)) is not None:
            migrations.append(migration)
    return migrations


def _migrated(
    pipeline: Found, tree: ast.Module, path: Path, execute: bool, rows: int, chosen: dict[str, Any]
) -> Migration | None:
    """Migrate a pipeline; None if ``fit`` is that of another library, which gets an array or a table."""
    zipped = " zipped with its masks" if pipeline.masks else ""
    draft = Migration(pipeline.kind + zipped, pipeline.name, pipeline.line)
    if pipeline.function:
        fix = f"call polyhead examine {path.name}:{pipeline.function} if it needs no arguments"
        if pipeline.kind in ("generator", DATA, LOADER):
            fix = f"move it out of {pipeline.function}() to the top of the script"
        why = f"it is made inside of {pipeline.function}(), whose arguments are not known; {fix}"
        return replace(draft, why=why)
    if not pipeline.expression:
        return replace(draft, why="no call outside of functions makes it, so its arguments are not known")
    names: dict[str, Any] = {}
    object_: Any = None
    if execute:
        try:
            names, object_, needed = _created(pipeline, tree, path)
            part = f", and of line {pipeline.line} {pipeline.expression}" if not pipeline.name else ""
            draft = replace(draft, ran=f"{needed.lines}{part}")
        except (Exception, SystemExit) as error:  # a user's program may raise anything at all
            draft = replace(draft, why=f"its lines raised {quoted_error(error)}")
        if pipeline.kind == DATA and (isinstance(object_, (Feed, list)) or hasattr(object_, "shape")):
            return None
    draft = _with_code(draft, pipeline, tree, names, object_, chosen)
    if not draft.code or object_ is None:
        return draft
    if pipeline.kind == "flow_from_directory" and image_flows.sorts_classes(object_, draft.code, rows):
        return replace(draft, why="its rows are in another order than those of the folder")
    try:
        return replace(draft, compared=tuple(_comparison(pipeline, draft.code, names, object_, rows)))
    except Exception as error:
        return replace(draft, why=f"the feed raised {quoted_error(error)}")


def _with_code(
    draft: Migration,
    pipeline: Found,
    tree: ast.Module,
    names: dict[str, Any],
    object_: Any,
    chosen: dict[str, Any],
) -> Migration:
    """Add the code of the feed, or the reason why there is none."""
    if pipeline.masks is not None:
        code, changed, wrong = mask_flows.pair_feed(pipeline, tree, object_)
        return replace(draft, code=code, changed=tuple(changed), mistakes=tuple(wrong))
    if pipeline.call is not None and pipeline.kind in (*FLOWS, WINDOWS):
        code, changed = _code_of_call(pipeline.kind, pipeline.call, tree, names, object_, chosen)
        return replace(draft, code=code, changed=tuple(changed)) if code else replace(draft, why=changed[-1])
    if object_ is None:
        why = draft.why or "its lines were not run, and its code alone does not say what it yields"
        return replace(draft, why=why)
    expression = pipeline.name or pipeline.expression
    if inspect.isfunction(object_):
        expression = _again(pipeline, tree)
        expression = pipeline.name if expression == f"{pipeline.name}()" else f"lambda: {expression}"
    report = examine_first(object_, None, batches=50, seconds=30.0, code=expression)
    mistakes = tuple(str(problem) for problem in report.problems if problem.code not in _OF_FIT)
    mistakes += (_SPLIT,) * (report.kind == "tf.data dataset" and splits_anew(tree, pipeline.expression))
    if not report.declaration:
        reasons = [str(problem) for problem in report.errors]
        return replace(draft, why=reasons[0] if reasons else "its batches are of a form that no feed has")
    draft = replace(draft, kind=report.kind) if pipeline.kind == DATA else draft
    changed = [_NAMES] if re.search(r'"y\d?": ph\.', report.declaration) else []
    images = draws_from(tree, pipeline.expression, "image_dataset_from_directory")
    changed += [_IMAGES] * images + [_ONE_EPOCH] * (IN_MEMORY in report.declaration and not images)
    return replace(draft, code=report.declaration, changed=tuple(changed), mistakes=mistakes)


def _created(pipeline: Found, tree: ast.Module, path: Path) -> tuple[dict[str, Any], Any, Slice]:
    """Run the lines that a pipeline depends on, and create it."""
    if pipeline.masks is not None:
        pair = [p.name or p.expression for p in (pipeline, pipeline.masks)]
        pipeline = replace(pipeline, name="", expression=f"({', '.join(pair)})", masks=None)
    generates, flows = pipeline.kind == "generator", pipeline.kind in FLOWS
    named = pipeline.name and not generates
    assigned = assigned_values(tree.body, pipeline.name) if named else []
    last = (assigned or tree.body)[-1].lineno
    needed = slice_for(tree, ast.parse(pipeline.name if named else pipeline.expression, mode="eval"), last)
    if training := trains(needed):
        fix = "move it below the data, or call polyhead examine for the pipeline"
        raise RuntimeError(f"{training} is one of them, so none was run; {fix}")
    predefined = {}
    if flows:
        from keras.src.legacy.preprocessing.image import ImageDataGenerator  # gone from Keras's public names

        predefined = {"ImageDataGenerator": ImageDataGenerator}
        needed = needed.without_imports_of(predefined)
    names = run_slice(needed, path, predefined)
    if named and (flows or not hasattr(names[pipeline.name], "__next__")):
        return names, names[pipeline.name], needed
    code = compile(ast.parse(_again(pipeline, tree), mode="eval"), str(path), "eval")
    value = None if generates else eval(code, names)
    fresh = generates or (hasattr(value, "__next__") and not flows)
    return names, (lambda: eval(code, names)) if fresh else value, needed


def _again(pipeline: Found, tree: ast.Module) -> str:
    """The code that makes the object of a pipeline anew: what is assigned to its name, or its own expression."""
    values = assigned_values(tree.body, pipeline.name) if pipeline.kind != "generator" else []
    return ast.unparse(values[-1]) if values else pipeline.expression


def _code_of_call(
    kind: str, call: ast.Call, tree: ast.Module, names: dict[str, Any], flow: Any, chosen: dict[str, Any]
) -> tuple[str, list[str]]:
    """The code of the feed for a call of Keras, and notes on what changed; empty code with the reason as a note."""

    def value(position: int, argument: str) -> Any:
        """The value of an argument; None if it was omitted or the script was not run."""
        node = call_argument(call, position, argument)
        return eval(compile(ast.Expression(node), "<argument>", "eval"), names) if node and names else None

    if kind == WINDOWS:
        return window_feed(call, value(1, "targets"))
    settings = image_flows.generator_arguments(tree, call)
    if kind == "flow_from_directory":
        return image_flows.folder_feed(call, settings, image_flows.named_classes(flow, call))
    if kind == "flow_from_dataframe":
        return image_flows.frame_feed(call, settings, value(0, "dataframe"), chosen)
    return image_flows.array_feed(call, settings, value(1, "y"))


def _comparison(pipeline: Found, code: str, names: dict[str, Any], object_: Any, rows: int) -> list[str]:
    scope = dict(names)
    exec(compile(code, "<feed>", "exec"), scope)
    feed = scope["feed"]
    assert isinstance(feed, Feed)
    rows = min(rows, feed.num_samples)
    return compare_rows(lambda: _batches_of(pipeline, object_), feed, rows)


def _batches_of(pipeline: Found, object_: Any) -> Iterable[Any]:
    if pipeline.masks is not None:
        return mask_flows.pairs_of_batches(object_)
    if pipeline.kind in FLOWS:
        return image_flows.plain_batches(object_)
    return recognize(object_).open()


def report_of(migrations: list[Migration], path: Path) -> str:
    """The report on a script."""
    if not migrations:
        kinds = "flow_from_dataframe, flow_from_directory, flow, Sequence, PyDataset, from_generator, generators, "
        kinds += f"{WINDOWS}, DataLoader and other data that fit gets without labels beside it"
        return f"{path}: no data pipeline found. Looked for {kinds}."
    return "\n\n".join(str(migration) for migration in migrations)


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
