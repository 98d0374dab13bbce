"""Finds flows of images and masks that a script zips, including flows that a function creates or zips."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from polyhead.migrating.script import (
    FLOWS,
    Found,
    assigned_once,
    assignments,
    call_argument,
    called,
    functions_of,
    literal,
    nodes,
    statements,
)

Arguments = Mapping[str, ast.expr]


def with_masks(tree: ast.Module, pipelines: Sequence[Found]) -> list[Found]:
    """Return the pipelines of a script, with the flow of masks in ``masks`` of the flow of images it is zipped with.

    In ``by``, the flow of masks and the generator that zips both refer to the flow of images. A flow that is created
    in a function is expanded with the arguments of each call of that function.
    """
    pairs: dict[tuple[str, str], Found] = {}
    used: dict[int, Found] = {}
    for scope, first, second in _zipped(tree):
        for arguments in _calls_of(tree, scope):
            images, masks = (_flow_behind(n, scope, arguments, tree, pipelines) for n in (first, second))
            if images is None or masks is None or not all(map(_yields_images_alone, (images[1], masks[1]))):
                continue
            pair = replace(images[1], masks=masks[1])
            pairs.setdefault((pair.expression, masks[1].expression), pair)
            generators = (p for p in pipelines if p.kind == "generator" and p.name == scope)
            used |= {id(pipeline): pair for pipeline in (images[0], masks[0], *generators)}
    others = [
        replace(p, by=f"line {used[id(p)].line}") if id(p) in used else p
        for p in pipelines
        if id(p) not in used or used[id(p)].line != p.line
    ]
    return sorted([*pairs.values(), *others], key=lambda p: p.line)


def _zipped(tree: ast.Module) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """Iterate over zipped pairs: the name of the enclosing function, and both expressions."""
    module = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef)], [])
    for scope, body in {"": module, **functions_of(tree)}.items():
        drawn = {name: _drawn_from(value) for name, value, known in assignments(body) if known}
        for n in ast.walk(body):
            if isinstance(n, ast.Call) and called(n) == "zip" and len(n.args) == 2:
                yield scope, n.args[0], n.args[1]
            elif isinstance(n, ast.Yield) and isinstance(n.value, ast.Tuple) and len(n.value.elts) == 2:
                elements = n.value.elts
                x, y = (drawn.get(e.id) if isinstance(e, ast.Name) else _drawn_from(e) for e in elements)
                if x is not None and y is not None:
                    yield scope, x, y


def _drawn_from(node: ast.expr) -> ast.expr | None:
    """The ``x`` in ``next(x)``, ``x.next()`` or ``x.__next__()``; None for other expressions."""
    if not isinstance(node, ast.Call) or called(node) not in ("next", "__next__"):
        return None
    if isinstance(node.func, ast.Attribute):
        return node.func.value
    return node.args[0] if node.args else None


def _calls_of(tree: ast.Module, scope: str) -> Iterator[Arguments]:
    """The arguments of each top-level call of the function ``scope``; one empty mapping if there is no function."""
    if not scope:
        yield {}
        return
    function = functions_of(tree)[scope]
    for statement, inside in statements(tree):
        for call in nodes(statement, ast.Call):
            if not inside and called(call) == scope:
                yield _arguments_of(function, call)


def _arguments_of(function: ast.FunctionDef, call: ast.Call) -> Arguments:
    parameters = [*function.args.posonlyargs, *function.args.args]
    arguments: dict[str, ast.expr] = {}
    for parameter, value in zip(reversed(parameters), reversed(function.args.defaults), strict=False):
        arguments[parameter.arg] = value
    for parameter, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if default is not None:
            arguments[parameter.arg] = default
    arguments |= {parameter.arg: value for parameter, value in zip(parameters, call.args, strict=False)}
    return arguments | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


def _flow_behind(
    node: ast.expr, scope: str, arguments: Arguments, tree: ast.Module, pipelines: Sequence[Found]
) -> tuple[Found, Found] | None:
    """The flow that an expression refers to: as it was found, and as a call outside of functions."""
    name = node.id if isinstance(node, ast.Name) else ""
    if name in arguments:
        return _flow_behind(arguments[name], "", {}, tree, pipelines)
    for flow in pipelines:
        if (
            flow.call is not None
            and flow.kind in FLOWS
            and (flow.call is node or (name and flow.name == name))
            and flow.function in ("", scope)
        ):
            if not flow.function:
                return flow, flow
            inlining = _Inlining(assigned_once(functions_of(tree)[scope]), arguments)
            call: ast.Call = inlining.visit(copy.deepcopy(flow.call))
            return flow, replace(flow, name="", function="", call=call, expression=ast.unparse(call))
    return None


class _Inlining(ast.NodeTransformer):
    """Replaces the names of a function's arguments and local variables by their values."""

    def __init__(self, local: Arguments, arguments: Arguments) -> None:
        self._local, self._arguments = dict(local), arguments

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._arguments:
            return copy.deepcopy(self._arguments[node.id])
        value = self._local.get(node.id)
        if value is None:
            return node
        others = {name: value for name, value in self._local.items() if name != node.id}
        inlined: ast.expr = _Inlining(others, self._arguments).visit(copy.deepcopy(value))
        return inlined


def _yields_images_alone(flow: Found) -> bool:
    """Return whether a flow yields images without labels."""
    assert flow.call is not None
    if flow.kind == "flow":
        return call_argument(flow.call, 1, "y") is None
    mode = call_argument(flow.call, None, "class_mode")
    return mode is not None and literal(mode, "") is None
