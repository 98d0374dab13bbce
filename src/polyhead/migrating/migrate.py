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

from polyhead.doctor.examine import examine_first
from polyhead.doctor.subjects import recognize
from polyhead.errors import DataError, Problem
from polyhead.feed import Feed
from polyhead.foreign_errors import quoted_error
from polyhead.migrating import image_flows, mask_flows
from polyhead.migrating.comparing import compare_rows, rows_before
from polyhead.migrating.fed_data import draws_from, splits_anew, with_fed_data
from polyhead.migrating.script import (
    DATA,
    FLOWS,
    LOADER,
    WINDOWS,
    Found,
    call_argument,
    nodes,
    parse_script,
    pipelines,
)
from polyhead.migrating.slicing import Slice, run_slice, slice_for, trains
from polyhead.migrating.windows import window_feed
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
    found = with_fed_data(tree, with_masks(tree, pipelines(tree)))
    flows = {one.name: one.line for one in found if one.kind in FLOWS and one.name}
    chosen: dict[str, Any] = {}
    made = []
    for one in found:
        if one.by:
            made.append(Migration(one.kind, one.name, one.line, by=one.by))
            continue
        named = nodes(ast.parse(one.expression), ast.Name) if one.kind == "generator" else ()
        drawn = [node.id for node in named if node.id in flows]
        if drawn:
            made.append(Migration(one.kind, one.name, one.line, by=f"line {flows[drawn[0]]}, `{drawn[0]}`"))
            continue
        migration = _migrated(one, tree, path, execute, rows, chosen)
        made += [migration] if migration is not None else []
    return made


def _migrated(
    found: Found, tree: ast.Module, path: Path, execute: bool, rows: int, chosen: dict[str, Any]
) -> Migration | None:
    """Migrate a pipeline; None if ``fit`` is that of another library, which gets an array or a table."""
    zipped = " zipped with its masks" if found.masks else ""
    made = Migration(found.kind + zipped, found.name, found.line)
    if found.function:
        fix = f"call polyhead examine {path.name}:{found.function} if it needs no arguments"
        if found.kind in ("generator", DATA, LOADER):
            fix = f"move it out of {found.function}() to the top of the script"
        return replace(
            made, why=f"it is made inside of {found.function}(), whose arguments are not known; {fix}"
        )
    if not found.expression:
        return replace(made, why="no call outside of functions makes it, so its arguments are not known")
    names: dict[str, Any] = {}
    object_: Any = None
    if execute:
        try:
            names, object_, part = _made(found, tree, path)
            of = f", and of line {found.line} {found.expression}" if not found.name else ""
            made = replace(made, ran=f"{part.lines}{of}")
        except (Exception, SystemExit) as error:  # a user's program may raise anything at all
            made = replace(made, why=f"its lines raised {quoted_error(error)}")
        if found.kind == DATA and (isinstance(object_, (Feed, list)) or hasattr(object_, "shape")):
            return None
    made = _with_code(made, found, tree, names, object_, chosen)
    if not made.code or object_ is None:
        return made
    if found.kind == "flow_from_directory" and image_flows.sorts_classes(object_, made.code, rows):
        return replace(made, why="its rows are in another order than those of the folder")
    try:
        return replace(made, compared=tuple(_comparison(found, made.code, names, object_, rows)))
    except Exception as error:
        return replace(made, why=f"the feed raised {quoted_error(error)}")


def _with_code(
    made: Migration,
    found: Found,
    tree: ast.Module,
    names: dict[str, Any],
    object_: Any,
    chosen: dict[str, Any],
) -> Migration:
    """Add the code of the feed, or the reason why there is none."""
    if found.masks is not None:
        code, changed, wrong = mask_flows.pair_feed(found, tree, object_)
        return replace(made, code=code, changed=tuple(changed), mistakes=tuple(wrong))
    if found.call is not None and found.kind in (*FLOWS, WINDOWS):
        if found.kind == WINDOWS:
            code, changed = window_feed(found.call, _targets_of(found.call, names))
        else:
            code, changed = _flow(found, tree, names, object_, chosen)
        if not code:
            return replace(made, why=changed[-1])
        return replace(made, code=code, changed=tuple(changed))
    if object_ is None:
        why = made.why or "its lines were not run, and its code alone does not say what it yields"
        return replace(made, why=why)
    report = examine_first(object_, None, batches=50, seconds=30.0)
    mistakes = tuple(str(one) for one in report.problems if one.code not in _OF_FIT)
    mistakes += (_SPLIT,) * (report.kind == "tf.data dataset" and splits_anew(tree, found.expression))
    if not report.declaration:
        reasons = [str(problem) for problem in report.errors]
        return replace(made, why=reasons[0] if reasons else "its batches are of a form that no feed has")
    subject = recognize(object_)
    own = found.name or found.expression
    if inspect.isfunction(object_):
        own = _again(found, tree)
        own = found.name if own == f"{found.name}()" else f"lambda: {own}"
    code = _under_own_name(report.declaration, own, subject.name)
    made = replace(made, kind=subject.kind) if found.kind == DATA else made
    changed = [_NAMES] if re.search(r'"y\d?": ph\.', code) else []
    changed += [_IMAGES] * draws_from(tree, found.expression, "image_dataset_from_directory")
    return replace(made, code=code, changed=tuple(changed), mistakes=mistakes)


def _made(found: Found, tree: ast.Module, path: Path) -> tuple[dict[str, Any], Any, Slice]:
    """Run the lines that a pipeline depends on, and create it."""
    if found.masks is not None:
        pair = [one.name or one.expression for one in (found, found.masks)]
        found = replace(found, name="", expression=f"({', '.join(pair)})", masks=None)
    expression = ast.parse(found.expression, mode="eval")
    end = max(node.lineno for node in tree.body)
    named = found.name and found.kind not in ("generator",)
    last = max(
        (n.lineno for n in tree.body if isinstance(n, ast.Assign) and found.name in map(_id, n.targets)),
        default=end,
    )
    part = slice_for(tree, ast.Name(found.name, ast.Load()) if named else expression, last if named else end)
    if training := trains(part):
        raise RuntimeError(f"{training} stands among them, and was not run")
    given = {}
    if found.kind in FLOWS:
        from keras.src.legacy.preprocessing.image import ImageDataGenerator  # gone from Keras's public names

        given = {"ImageDataGenerator": ImageDataGenerator}
        part = part.without_imports_of(given)
    names = run_slice(part, path, given)
    if named and (found.kind in FLOWS or not hasattr(names[found.name], "__next__")):
        return names, names[found.name], part
    code = compile(ast.parse(_again(found, tree), mode="eval"), str(path), "eval")
    made = None if found.kind == "generator" else eval(code, names)
    fresh = found.kind == "generator" or (hasattr(made, "__next__") and found.kind not in FLOWS)
    return names, (lambda: eval(code, names)) if fresh else made, part


def _again(found: Found, tree: ast.Module) -> str:
    """The code that makes the object of a pipeline anew: what is assigned to its name, or its own expression."""
    values = [n.value for n in tree.body if isinstance(n, ast.Assign) and found.name in map(_id, n.targets)]
    named = found.name and found.kind != "generator" and values
    return ast.unparse(values[-1]) if named else found.expression


def _id(node: ast.expr) -> str:
    return getattr(node, "id", "")


def _targets_of(call: ast.Call, names: dict[str, Any], argument: str = "targets") -> Any:
    """The targets of a call as an array; None if they were omitted or the script was not run."""
    node = call_argument(call, 1, argument)
    if node is None or not names:
        return None
    return np.asarray(eval(compile(ast.Expression(node), "<argument>", "eval"), names))


def _flow(
    found: Found, tree: ast.Module, names: dict[str, Any], flow: Any, chosen: dict[str, Any]
) -> tuple[str, list[str]]:
    assert found.call is not None
    settings = image_flows.generator_arguments(tree, found.call)
    if found.kind == "flow_from_directory":
        return image_flows.folder_feed(found.call, settings, image_flows.named_classes(flow, found.call))
    if found.kind == "flow_from_dataframe":
        node = call_argument(found.call, 0, "dataframe")
        frame = eval(compile(ast.Expression(node), "<frame>", "eval"), names) if node and names else None
        return image_flows.frame_feed(found.call, settings, frame, chosen)
    return image_flows.array_feed(found.call, settings, _targets_of(found.call, names, "y"))


def _under_own_name(code: str, own: str, name: str) -> str:
    """Replace the name that `examine` gives to its subject in the code by the expression in the script."""
    code = re.sub(rf"(from_generator\(\s*){name}\b", lambda match: match[1] + own, code)
    called = own.removeprefix("lambda: ") if own.startswith("lambda: ") else f"{own}()"
    code = re.sub(rf"\bin {name}\(\)", lambda _: f"in {called}", code)
    return re.sub(rf"\b{name}\b(?=[\[.),])", lambda _: own, code)


def _comparison(found: Found, code: str, names: dict[str, Any], object_: Any, rows: int) -> list[str]:
    scope = dict(names)
    exec(compile(code, "<feed>", "exec"), scope)
    feed = scope["feed"]
    assert isinstance(feed, Feed)
    rows = min(rows, feed.num_samples)
    return compare_rows(lambda: rows_before(_batches_of(found, object_), rows), feed, rows)


def _batches_of(found: Found, object_: Any) -> Iterable[Any]:
    if found.masks is not None:
        return mask_flows.pairs_of_batches(object_)
    if found.kind in FLOWS:
        return image_flows.plain_batches(object_)
    return recognize(object_).open()


def report_of(migrations: list[Migration], path: Path) -> str:
    """The report on a script."""
    if not migrations:
        looked = "flow_from_dataframe, flow_from_directory, flow, Sequence, PyDataset, from_generator, generators, "
        looked += f"{WINDOWS}, DataLoader and other data that fit gets without labels beside it"
        return f"{path}: no data pipeline found. Looked for {looked}."
    return "\n\n".join(str(one) for one in migrations)
