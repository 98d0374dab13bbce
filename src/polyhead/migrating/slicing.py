"""Runs only the lines of a script that create one of its objects, without the model and the training."""

from __future__ import annotations

import ast
import builtins
import contextlib
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyhead.migrating.script import nodes, stored_names

_TRAINING = ("fit", "fit_generator", "train_on_batch", "save", "save_weights")
_MUTATING = ("append", "extend", "insert", "update", "sort", "setdefault", "add", "seed", "add_argument")


@dataclass(frozen=True)
class Slice:
    """The statements of a script that an expression needs.

    Attributes:
        statements: in order.
    """

    statements: tuple[ast.stmt, ...]

    def without_imports_of(self, names: Collection[str]) -> Slice:
        """Drop statements that import only these names."""
        return Slice(tuple(node for node in self.statements if not _imports_only(node, set(names))))

    @property
    def lines(self) -> str:
        """The line numbers, such as ``1-4, 9``."""
        spans = [(node.lineno, node.end_lineno or node.lineno) for node in self.statements]
        merged: list[tuple[int, int]] = []
        for first, last in sorted(spans):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(last, merged[-1][1])
            else:
                merged.append((first, last))
        return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in merged)


def slice_for(tree: ast.Module, expression: ast.AST, before: int) -> Slice:
    """Find the statements up to that of line ``before`` that an expression depends on, by the names that it uses.

    If a used name is not defined by any statement, every ``import *`` is included.
    """
    needed = _used(expression)
    places = [i for i, node in enumerate(tree.body) if node.lineno <= before]
    above = tree.body[: places[-1] + 1] if places else []
    chosen: set[ast.stmt] = set()
    for statement in reversed(above):
        gives = _defined(statement) | _changed(statement)
        if gives & needed:
            chosen.add(statement)
            needed |= _used(statement)
    for statement in above:  # the body of a function or class also reads names that are bound after it
        late = _read_later(chosen) & (_defined(statement) | _changed(statement))
        if late and statement not in chosen:
            chosen |= {statement, *slice_for(tree, statement, statement.lineno - 1).statements}
    bound = set().union(*map(bound_anywhere, above))
    if needed - bound - set(dir(builtins)):
        chosen |= {node for node in above if "*" in _defined(node)}
    return Slice(tuple(node for node in above if node in chosen))


def _read_later(statements: Collection[ast.stmt]) -> set[str]:
    """The names that the bodies of functions and classes read from their module."""
    definitions = [s for s in statements if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
    return set().union(*(_used(d) - bound_anywhere(d) for d in definitions))


def trains(code: Slice) -> str:
    """The first call outside of functions that trains or saves a model, or an empty string."""
    for statement in code.statements:
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            for node in nodes(statement, ast.Attribute):
                if node.attr in _TRAINING:
                    return f"line {node.lineno}, {ast.unparse(node)}()"
    return ""


def run_slice(code: Slice, path: Path, predefined: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the statements with the script's folder on ``sys.path``; return the names that they define."""
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path), **(predefined or {})}
    with as_script(path):
        exec(compile(ast.Module(list(code.statements), []), str(path), "exec"), names)
    return names


@contextlib.contextmanager
def as_script(path: Path, *arguments: str) -> Iterator[None]:
    """Let code run as a script does: it can import its neighbors, and gets only these arguments."""
    folders, argv = list(sys.path), list(sys.argv)
    sys.path.insert(0, str(path.resolve().parent))
    sys.argv[:] = [str(path), *arguments]
    try:
        yield
    finally:
        sys.path[:], sys.argv[:] = folders, argv


def _imports_only(statement: ast.stmt, names: set[str]) -> bool:
    return isinstance(statement, (ast.Import, ast.ImportFrom)) and _defined(statement) <= names


def _used(node: ast.AST) -> set[str]:
    return {n.id for n in nodes(node, ast.Name) if isinstance(n.ctx, ast.Load)}


def _defined(statement: ast.AST) -> set[str]:
    """The names that a statement binds."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return {statement.name}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names | stored_names(statement)


def bound_anywhere(tree: ast.AST) -> set[str]:
    """The names that a script or a statement binds, including arguments and local variables of functions."""
    return _defined(tree) | {node.arg for node in nodes(tree, ast.arg)} | stored_names(tree)


def _changed(statement: ast.stmt) -> set[str]:
    """The names of objects that a statement mutates, as in ``frame["age"] = ...`` or ``files.append(...)``."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return set()
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            names.add(_root(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            inplace = any(keyword.arg == "inplace" for keyword in node.keywords)
            if inplace or node.func.attr in _MUTATING:
                names.add(_root(node.func))
    return names - {""}


def _root(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
