"""Finds the data pipelines of a script by reading its code, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

FLOWS = ("flow_from_dataframe", "flow_from_directory", "flow")
WINDOWS = "timeseries_dataset_from_array"
LOADER = "DataLoader"
DATA = "data of fit"
_UNKNOWN = object()
Node = TypeVar("Node", bound=ast.AST)
_SEQUENCES = ("Sequence", "PyDataset")


@dataclass(frozen=True)
class Found:
    """A data pipeline in a script.

    Attributes:
        kind: a method of ``ImageDataGenerator``, ``timeseries_dataset_from_array``, ``from_generator``,
            ``DataLoader``, ``PyDataset``, ``generator``, or ``data of fit`` for anything else that ``fit`` gets.
        name: the variable that holds it; for a generator, its function.
        line: the line that creates it.
        call: the call that creates it.
        function: the enclosing function, whose arguments are not known.
        expression: the code that creates it.
        masks: the flow of masks that is zipped with this flow of images.
        by: the line of another pipeline whose feed replaces this one.
    """

    kind: str
    name: str
    line: int
    call: ast.Call | None = field(default=None, compare=False, repr=False)
    function: str = ""
    expression: str = ""
    masks: Found | None = None
    by: str = ""


def nodes(tree: ast.AST, *kinds: type[Node]) -> Iterator[Node]:
    """Yield the nodes of some kinds in a tree, the tree itself included."""
    return (node for node in ast.walk(tree) if isinstance(node, kinds))


def parse_script(text: str) -> ast.Module:
    """Parse a script; statements under ``if __name__ == "__main__"`` and of a ``main()`` are moved to the top level."""
    tree = ast.parse(text)
    body: list[ast.stmt] = []
    for statement in tree.body:
        main = isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)
        body += statement.body if main and isinstance(statement, ast.If) else [statement]
    tree.body = body
    for function in functions_of(tree).values():
        _inline(tree, function)
    values = assigned_once(tree)
    for name in nodes(tree, ast.Name):
        if name.id in values:
            # an attribute of our own, which the nodes of `ast` allow
            name.stands_for = values[name.id]  # type: ignore[attr-defined]
    return tree


def functions_of(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions of a script, without methods and inner functions."""
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _inline(tree: ast.Module, function: ast.FunctionDef) -> None:
    """Replace the only call of a function without arguments, such as ``main()``, by its statements."""
    calls = [node for node in tree.body if ast.unparse(node) == f"{function.name}()"]
    used = [node for node in nodes(tree, ast.Name) if node.id == function.name]
    body = [node for node in function.body if not isinstance(node, ast.Return)]
    plain = [node for node in body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    stays = any(nodes(ast.Module(plain, []), ast.Return, ast.Global, ast.Yield))
    if ast.unparse(function.args) or len(calls) != 1 or len(used) != 1 or stays:
        return
    others = [node for node in tree.body if node is not function]
    if stored_names(*others) & stored_names(function):
        return
    i = others.index(calls[0])
    tree.body = [*others[:i], *body, *others[i + 1 :]]


def stored_names(*trees: ast.AST) -> set[str]:
    """The names that a script or statements assign."""
    return {n.id for tree in trees for n in nodes(tree, ast.Name) if isinstance(n.ctx, ast.Store)}


def assignments(tree: ast.AST) -> Iterator[tuple[str, ast.expr, bool]]:
    """Yield each name in the targets of assignments, the assigned value, and whether that is the value of the name."""
    for node in nodes(tree, ast.Assign):
        for target in node.targets:
            pairs: list[tuple[ast.expr, ast.expr]] = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for part, value in pairs:
                yield from ((name.id, value, name is part) for name in nodes(part, ast.Name))


def assigned_once(tree: ast.AST) -> dict[str, ast.expr]:
    """The names that are assigned exactly once, with their values, if these are known."""
    values: dict[str, list[ast.expr | None]] = {}
    for name, value, known in assignments(tree):
        values.setdefault(name, []).append(value if known else None)
    return {name: value for name, (value, *more) in values.items() if value is not None and not more}


def pipelines(tree: ast.Module) -> list[Found]:
    """The data pipelines of a script, in the order of their lines."""
    classes, bases = _sequences(tree)
    images = "ImageDataGenerator" in ast.unparse(tree)
    functions = functions_of(tree)
    result: list[Found] = []
    wrapped: set[str] = set()
    for statement, function in statements(tree):
        for call in nodes(statement, ast.Call):
            kind = _kind_of_call(call, classes)
            if kind is None or (kind == "flow" and not images):
                continue
            name = _target(statement)
            result.append(Found(kind, name, call.lineno, call, function, ast.unparse(call)))
            wrapped |= {node.id for node in nodes(call, ast.Name)}
    for name, node in functions.items():
        if name not in wrapped and _yields(node):
            result += _generator(tree, name, node)
        inner = (n for n in nodes(node, ast.FunctionDef) if n is not node and _yields(n))
        if name not in wrapped:
            result += [
                Found("generator", n.name, n.lineno, None, name) for n in inner if n.name not in wrapped
            ]
    used = {pipeline.expression.partition("(")[0] for pipeline in result}
    uncalled = [n for n in nodes(tree, ast.ClassDef) if n.name in classes - used - bases]
    result += [Found("PyDataset", node.name, node.lineno) for node in uncalled]
    return sorted(result, key=lambda pipeline: pipeline.line)


def assigned_values(body: Iterable[ast.stmt], name: str) -> list[ast.expr]:
    """Return the values that these statements assign to a name, in order."""
    return [
        node.value
        for node in body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
    ]


def call_argument(call: ast.Call, position: int | None, name: str) -> ast.expr | None:
    """An argument of a call by position or name; None if it was omitted."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == name]
    if named:
        return named[0]
    return call.args[position] if position is not None and position < len(call.args) else None


def named_arguments(call: ast.Call) -> dict[str, ast.expr]:
    """The keyword arguments of a call, including those in ``**settings`` if ``settings`` is assigned once, a dict."""
    arguments: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        value: ast.expr | None = keyword.value
        if keyword.arg is not None:
            arguments[keyword.arg] = keyword.value
            continue
        if isinstance(value, ast.Name):
            value = getattr(value, "stands_for", None)
        if isinstance(value, ast.Call) and called(value) == "dict":
            arguments |= named_arguments(value)
        elif isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)
            arguments |= {
                key.value: argument
                for key, argument in pairs
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
    return arguments


def literal(node: ast.expr | None, default: Any = None) -> Any:
    """The value of a literal, such as ``(64, 64)`` or ``1 / 255``; the default for anything else."""
    if node is None:
        return default
    if isinstance(node, ast.Name):
        meant = getattr(node, "stands_for", None)
        return default if isinstance(meant, ast.Name) else literal(meant, default)
    if isinstance(node, (ast.Tuple, ast.List)):
        parts = [literal(part, _UNKNOWN) for part in node.elts]
        all_known = not any(part is _UNKNOWN for part in parts)
        return (tuple(parts) if isinstance(node, ast.Tuple) else parts) if all_known else default
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        left, right = literal(node.left), literal(node.right)
        return left / right if isinstance(left, (int, float)) and right else default
    try:
        return ast.literal_eval(node)
    except ValueError:
        return default


def called(call: ast.Call) -> str:
    """The name of the called function, without its owner: ``flow`` for ``gen.flow(x)``."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _kind_of_call(call: ast.Call, classes: set[str]) -> str | None:
    name = called(call)
    if name == "flow":  # a common word, so require positional arguments: the arrays
        return name if call.args and isinstance(call.func, ast.Attribute) else None
    if name in (*FLOWS, WINDOWS, LOADER, "from_generator"):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        return None if getattr(owner, "id", "") in ("ph", "polyhead") else name
    return "PyDataset" if name in classes else None


def statements(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Iterate over simple statements, each with the name of its enclosing function or class."""

    def inside(body: list[ast.stmt], function: str) -> Iterator[tuple[ast.stmt, str]]:
        for statement in body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                yield from inside(statement.body, statement.name)
                continue
            parts = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
            if any(parts):
                for part in parts:
                    yield from inside(part, function)
            else:
                yield statement, function

    return inside(tree.body, "")


def _target(statement: ast.stmt) -> str:
    """The variable that a statement assigns to, or an empty string."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _sequences(tree: ast.Module) -> tuple[set[str], set[str]]:
    """The classes derived from ``Sequence`` or ``PyDataset``, through others of the script too, and their bases."""
    classes, bases = set[str](), set[str]()
    for node in nodes(tree, ast.ClassDef):
        names = {
            base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases
        }
        if names & {*_SEQUENCES, *classes}:
            classes.add(node.name)
            bases |= names
    return classes, bases


def _yields(node: ast.FunctionDef) -> bool:
    inner = [n for n in nodes(node, ast.FunctionDef, ast.Lambda) if n is not node]
    inside = {id(n) for part in inner for n in ast.walk(part)}
    return any(id(n) not in inside for n in nodes(node, ast.Yield, ast.YieldFrom))


def _generator(tree: ast.Module, name: str, node: ast.FunctionDef) -> list[Found]:
    """A generator function, once for each form of its calls outside of functions, as for training and validation."""
    calls: dict[str, ast.Call] = {}
    in_lambdas: dict[str, ast.Call] = {}
    for statement, function in statements(tree):
        inner = {id(n) for part in nodes(statement, ast.Lambda) for n in ast.walk(part)}
        for call in nodes(statement, ast.Call):
            if not function and called(call) == name:
                (in_lambdas if id(call) in inner else calls).setdefault(ast.unparse(call), call)
    calls = calls or dict(list(in_lambdas.items())[:1])
    if not calls:
        needed = len(node.args.args) > len(node.args.defaults)
        return [Found("generator", name, node.lineno, None, "", "" if needed else f"{name}()")]
    return [
        Found("generator", name, call.lineno if i else node.lineno, call, "", code)
        for i, (code, call) in enumerate(calls.items())
    ]
