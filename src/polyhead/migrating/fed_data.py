"""Finds the data that a script passes to ``fit`` and that no known call makes, such as datasets of tf.data."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from polyhead.migrating.script import (
    DATA,
    WINDOWS,
    Found,
    assignments,
    call_argument,
    called,
    literal,
    nodes,
    statements,
)
from polyhead.migrating.slicing import bound_anywhere

_FIT = {"fit": "x", "fit_generator": "generator"}


def with_fed_data(tree: ast.Module, pipelines: Sequence[Found]) -> list[Found]:
    """Return the pipelines of a script, with the data of ``fit`` that is none of them.

    A dataset that is derived from one of them, as ``data = made.map(...).batch(32)``, takes its place.
    """
    remaining, fed = list(pipelines), list[Found]()
    bound = bound_anywhere(tree)
    for function, node in _fed(tree):
        parts = list(_behind(tree, node))
        used = {part.id for part in parts if isinstance(part, ast.Name)}
        calls = {_position(part) for part in parts if isinstance(part, ast.Call)}
        behind = [p for p in remaining if p.name in used or (p.call and _position(p.call) in calls)]
        name = node.id if isinstance(node, ast.Name) else ""
        if name and name not in bound:
            continue
        covered = any(not _gives_way(p) or p.call is node or p.name == name for p in behind)
        if covered or any(p.expression == ast.unparse(node) for p in fed):
            continue
        remaining = [p for p in remaining if p not in behind]
        lines = [part.lineno for part in _values_given_to(tree, name)]
        inside = "" if lines else function
        kind = behind[0].kind if behind else DATA
        line = max(lines, default=node.lineno)
        fed.append(Found(kind, name, line, None, inside, ast.unparse(node)))
    return sorted([*remaining, *fed], key=lambda p: p.line)


def _gives_way(pipeline: Found) -> bool:
    """Return whether a dataset that is derived from a pipeline is read in its place."""
    if pipeline.kind == WINDOWS and pipeline.call is not None:
        return call_argument(pipeline.call, 1, "targets") is None
    return pipeline.kind == "from_generator"


def _position(call: ast.Call) -> tuple[int, int]:
    return call.lineno, call.col_offset


def draws_from(tree: ast.Module, expression: str, function: str) -> bool:
    """Return whether an expression, or a value behind one of its names, calls a function."""
    calls = _calls_behind(tree, ast.parse(expression, mode="eval"))
    return any(called(call) == function for call in calls)


def splits_anew(tree: ast.Module, expression: str) -> bool:
    """Return whether a dataset of tf.data is cut by ``take`` or ``skip`` out of one that each reading shuffles."""
    return any(
        called(call) == "shuffle" and literal(call_argument(call, 2, "reshuffle_each_iteration"), True)
        for cut in _calls_behind(tree, ast.parse(expression, mode="eval"))
        if called(cut) in ("take", "skip")
        for call in _calls_behind(tree, cut.func)
    )


def _fed(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the data of each ``fit`` that has no labels beside it, with the name of the enclosing function."""
    others = _imported_from(tree, "sklearn")
    for statement, function in statements(tree):
        for call in nodes(statement, ast.Call):
            if called(call) not in _FIT:
                continue
            owner = call.func.value if isinstance(call.func, ast.Attribute) else call.func
            if others & {part.id for part in _behind(tree, owner) if isinstance(part, ast.Name)}:
                continue
            labels = call_argument(call, 1 if called(call) == "fit" else None, "y")
            data = call_argument(call, 0, _FIT[called(call)])
            for node in (data if labels is None else None, call_argument(call, None, "validation_data")):
                if isinstance(node, (ast.Name, ast.Call, ast.Attribute, ast.Subscript)):
                    yield function, node


def _imported_from(tree: ast.Module, package: str) -> set[str]:
    """Return the names that are imported from a package."""
    names = set()
    for node in nodes(tree, ast.ImportFrom):
        if (node.module or "").partition(".")[0] == package:
            names |= {alias.asname or alias.name for alias in node.names}
    whole = [alias for node in nodes(tree, ast.Import) for alias in node.names]
    return names | {a.asname or package for a in whole if a.name.partition(".")[0] == package}


def _behind(tree: ast.Module, node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of an expression, of all values of the names in it, of the functions that it calls, and so on."""
    open_: list[ast.AST] = [node]
    seen = set[str]()
    functions = {f.name: f for f in nodes(tree, ast.FunctionDef)}
    while open_:
        for part in ast.walk(open_.pop()):
            yield part
            if isinstance(part, ast.Name) and part.id not in seen:
                seen.add(part.id)
                open_ += _values_given_to(tree, part.id)
                open_ += [functions[part.id]] if part.id in functions else []


def _calls_behind(tree: ast.Module, node: ast.AST) -> Iterator[ast.Call]:
    return (part for part in _behind(tree, node) if isinstance(part, ast.Call))


def _values_given_to(tree: ast.Module, name: str) -> list[ast.expr]:
    return [value for target, value, _ in assignments(tree) if target == name]
