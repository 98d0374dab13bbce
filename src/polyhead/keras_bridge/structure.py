"""Converts dictionaries of arrays to the structure that a model expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

Template = Any
"""A name, or a dict, list or tuple of templates: the model's nesting with names in place of tensors, and None for an
omitted input."""

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Structure:
    """The places of inputs and heads in the inputs and outputs of a model.

    Attributes:
        inputs: the template of ``x``, with None for an omitted optional input.
        outputs: the template of ``y``, with the model's own containers.
        own_loss: whether the model computes its own loss from labels by name, and its outputs are not the heads.
    """

    inputs: Template
    outputs: Template
    own_loss: bool = False

    @classmethod
    def flat(cls, inputs: Iterable[str], heads: Iterable[str]) -> Structure:
        """Return plain dictionaries, the structure of a feed before it is bound."""
        return cls({name: name for name in inputs}, {name: name for name in heads})

    def as_state(self) -> dict[str, Any]:
        """The structure as JSON values, with lists for tuples; batches have tuples in either case."""
        inputs, outputs = (
            rebuild(template, lambda _, leaf: leaf) for template in (self.inputs, self.outputs)
        )
        return {"inputs": inputs, "outputs": outputs, "own_loss": self.own_loss}

    @classmethod
    def of_state(cls, state: Any, inputs: Iterable[str], heads: Iterable[str]) -> Structure | None:
        """Return the structure from `as_state`; None for any other value, or for other inputs or heads."""
        if not isinstance(state, Mapping):
            return None
        structure = cls(state.get("inputs"), state.get("outputs"), bool(state.get("own_loss")))
        x, y = (
            [name for _, name in leaves(template) if name is not None]
            for template in (structure.inputs, structure.outputs)
        )
        return structure if set(x) <= set(inputs) and sorted(y) == sorted(heads) else None


def leaves(template: Template, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield ``(path, leaf)`` for the leaves of a nesting, in the order in which Keras flattens it.

    >>> [leaf for _, leaf in leaves({"b": 1, "a": [2, 3]})]
    [2, 3, 1]
    """
    if isinstance(template, Mapping):
        for key in sorted(template):
            yield from leaves(template[key], (*path, key))
    elif isinstance(template, (list, tuple)):
        for i, part in enumerate(template):
            yield from leaves(part, (*path, i))
    else:
        yield path, template


def rebuild(
    template: Template, leaf: Callable[[Path, Any], Any], path: Path = (), *, tuples: bool = False
) -> Any:
    """Return a nesting with each leaf replaced, and with lists converted to tuples if ``tuples``."""
    if isinstance(template, Mapping):
        return {key: rebuild(part, leaf, (*path, key), tuples=tuples) for key, part in template.items()}
    if isinstance(template, (list, tuple)):
        parts = [rebuild(part, leaf, (*path, i), tuples=tuples) for i, part in enumerate(template)]
        return parts if isinstance(template, list) and not tuples else tuple(parts)
    return leaf(path, template)


def fill(template: Template, values: Mapping[str, Any], *, tuples: bool = False) -> Any:
    """Return the template with each name replaced by its value; None stays.

    >>> fill(["a", {"k": "b"}, None], {"a": 1, "b": 2}, tuples=True)
    (1, {'k': 2}, None)
    """
    return rebuild(template, lambda _, name: None if name is None else values[name], tuples=tuples)


def at(nested: Any, path: Path) -> Any:
    """Return the value at a path."""
    for key in path:
        nested = nested[key]
    return nested


def output(values: Any, path: Path) -> Any:
    """Return one output of a model; some versions of Keras return a list of one tensor as the tensor itself."""
    return values if hasattr(values, "shape") else at(values, path)


def packer(template: Template) -> tuple[list[str], Callable[..., Any]]:
    """Return the names in a template, and a function that fills it with a value for each, with lists as tuples.

    The function is generated as one expression, because it is called for every batch.

    >>> names, pack = packer(("a", {"k": ["b", "c"], "left out": None}))
    >>> names, pack(1, 2, 3)
    (['a', 'b', 'c'], (1, {'k': (2, 3), 'left out': None}))
    """
    names: list[str] = []
    keys: dict[str, Any] = {}

    def expression(part: Template) -> str:
        if isinstance(part, Mapping):
            items = []
            for key, inner in part.items():
                keys[f"k{len(keys)}"] = key
                items.append(f"k{len(keys) - 1}: {expression(inner)}")
            return f"{{{', '.join(items)}}}"
        if isinstance(part, (list, tuple)):
            return f"({''.join(f'{expression(inner)}, ' for inner in part)})"
        if part is None:
            return "None"
        names.append(part)
        return f"a{len(names) - 1}"

    body = expression(template)
    arguments = ", ".join(f"a{i}" for i in range(len(names)))
    return names, eval(_code(f"lambda {arguments}: {body}"), keys)  # it has only these letters and numbers


@lru_cache
def _code(text: str) -> CodeType:
    """Compile an expression, once: each epoch needs it, and compiling takes longer than some batches."""
    return compile(text, "<structure>", "eval")


def makes_own_loss(model: Any) -> bool:
    """Return whether a model's class overrides ``compute_loss`` or ``train_step``."""
    import keras

    return any(
        getattr(type(model), method, None) is not getattr(keras.Model, method, None)
        for method in ("compute_loss", "train_step")
    )
