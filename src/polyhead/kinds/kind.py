"""The base of inputs and heads: a column, a shape, a dtype, an encoding."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, Field, dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import ContractError, Problem, as_list, is_integer, is_size, plain_scalar, shown
from polyhead.kinds.conversion import Conversion
from polyhead.kinds.declared_class import fix_fields, with_inherited
from polyhead.kinds.mixed_labels import Mixing
from polyhead.kinds.source_column import Column


@dataclass(frozen=True)
class Kind(ABC):
    """The base of inputs and heads: declared by the user, then resolved against the data and fixed.

    Attributes:
        column: the column or columns to read; by default, the column named like the input or head.
    """

    even: ClassVar[bool] = False
    """True if a list of arrays of one shape means the same as a single array."""

    one_column: ClassVar[str] = ""
    """The advice for several columns, if this kind reads only one; empty if it joins them."""

    _: KW_ONLY
    column: str | tuple[str, ...] | list[str] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__doc__ = with_inherited(cls, Kind)

    def __post_init__(self) -> None:
        fix_fields(self)
        kind = type(self).__name__
        for f in fields(self):
            value = getattr(self, f.name)
            flag = isinstance(value, bool) or (value is None and f.type == "bool | None")
            if f.type in ("bool", "bool | None") and not flag:
                raise ContractError(Problem(f"{kind}({f.name}=)", "True or False", shown(value)))
        if self.column is None or isinstance(self.column, str):
            return
        where, names = f"{kind}(column=)", as_list(self.column)
        if not names or not all(isinstance(name, str) for name in names):
            expected = "the name of a column, or a list of names"
            numbers = names or [self.column]
            text = shown([str(n) for n in numbers] if names else str(self.column))
            fix = f"Say {text}." if all(map(is_integer, numbers)) else ""
            raise ContractError(Problem(where, expected, shown(self.column), fix))
        if len(names) > 1 and self.one_column:
            raise ContractError(Problem(where, "the name of one column", shown(self.column), self.one_column))
        repeated = next((name for name, count in Counter(names).items() if count > 1), None)
        if repeated is not None:
            raise ContractError(Problem(where, "names of different columns", f"{shown(repeated)} twice"))
        object.__setattr__(self, "column", tuple(names) if isinstance(self.column, tuple) else names)

    def __dir__(self) -> list[str]:
        """Hide the attributes for the library's own use, but not those of a user's own kind."""
        known = {"dtype", "names", "shape", "unscaled", *(f.name for f in fields(self) if f.name[0] != "_")}
        for base in type(self).__mro__:
            if not base.__module__.startswith("polyhead."):
                known |= {name for name in vars(base) if name[0] != "_"}
        return [name for name in super().__dir__() if name in known or name.startswith("__")]

    @property
    def inner(self) -> Kind:
        """The kind that the user wrote, whose name errors use."""
        return self

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns read for an input or head called ``name``."""
        if self.column is None:
            return (name,)
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)

    def reads(self, name: str) -> tuple[str, ...]:
        """All columns that an input or head called ``name`` reads, also those of weights."""
        return self.columns(name)

    def with_facts(self, column: Column) -> Self:
        """Return this unresolved kind with the fields that the user left out and the source of its column knows.

        Raises:
            BadValue: if the declaration contradicts the source.
            DataError: if several sources of the column contradict each other.
        """
        return self

    @abstractmethod
    def resolve(self, column: Column) -> Self:
        """Return this kind with everything that depends on the data fixed: shape, dtype, classes.

        Raises:
            BadValue: if the column does not match the declaration.
        """

    def conversion(self, column: np.ndarray) -> Conversion | None:
        """Return how to encode a column of numbers in memory number by number; None if that is not possible.

        For rows whose numbers are all valid, the result must equal that of ``encode``.
        """
        return None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one row as the model gets it."""

    @property
    @abstractmethod
    def dtype(self) -> str:
        """The dtype as the model gets it."""

    @property
    def row_bytes(self) -> int:
        """The bytes of one row as the model gets it."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def names(self) -> tuple[Any, ...]:
        """The classes in order of their ids; empty without classes."""
        return ()

    @property
    def meaning(self) -> dict[str, Any]:
        """The meaning of its numbers, besides their shape, as ``{argument: value}``.

        A model made for one declaration fits another if the values of arguments that both have are equal.
        """
        return {}

    def __repr__(self) -> str:
        """The constructor call, with the arguments that differ from their defaults."""
        arguments: list[str] = []
        positional = True
        for f in sorted((f for f in fields(self) if f.repr), key=lambda f: bool(f.kw_only)):
            value = getattr(self, f.name)
            positional = positional and not f.kw_only and not is_default(f, value)
            if not is_default(f, value):
                arguments.append(shown(value, 60) if positional else f"{f.name}={shown(value, 60)}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    def fixed(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; learned fields can be set too, and are kept otherwise."""
        learned = {f.name: changes.pop(f.name, getattr(self, f.name)) for f in fields(self) if not f.init}
        changed = replace(self, **changes)
        for name, value in learned.items():
            object.__setattr__(changed, name, value)
        return changed


def is_default(f: Field[Any], value: Any) -> bool:
    """Return whether a value is the default of a field, of the same type."""
    return type(value) is type(f.default) and bool(value == f.default)


def columns_read(*kinds: Mapping[str, Kind]) -> tuple[str, ...]:
    """All columns that some inputs and heads read, each once."""
    pairs = (pair for kinds_by_name in kinds for pair in kinds_by_name.items())
    return tuple(dict.fromkeys(column for name, kind in pairs for column in kind.reads(name)))


@dataclass(frozen=True, repr=False)
class Input(Kind):
    """An input of the model."""

    @abstractmethod
    def encode(self, values: Any, check: bool = True) -> np.ndarray:
        """Encode a column's values as the model's input, ``(B, *shape)`` of ``dtype``.

        Raises:
            BadValue: with the position of the first invalid value, if ``check``.
        """

    def require_mixable(self, way: str) -> None:
        """Raise if several rows of this input cannot be mixed.

        Args:
            way: `BLEND` or `PATCH`.
        """

    def mix(self, components: np.ndarray, mixing: Mixing) -> np.ndarray:
        """Mix encoded components ``(K, B, *shape)`` into rows ``(B, *shape)``."""
        return mixing.image(components)


def as_shape(shape: Any, where: str) -> tuple[int, ...]:
    """Return a shape as a tuple of positive integers.

    Raises:
        ContractError: if it is not a shape.
    """
    lengths = (shape,) if is_integer(plain_scalar(shape)) else as_list(shape)
    if not lengths or not all(map(is_size, lengths)):
        raise ContractError(Problem(where, "a positive integer, or a tuple of them", shown(shape)))
    return tuple(map(int, lengths))


def as_dtype(dtype: Any) -> Any:
    """Return the name of a NumPy dtype; anything else unchanged.

    >>> as_dtype(np.uint8), as_dtype("uint8"), as_dtype(None)
    ('uint8', 'uint8', None)
    """
    known = isinstance(dtype, type) and issubclass(dtype, (np.generic, int, float))
    return np.dtype(dtype).name if known or isinstance(dtype, np.dtype) else dtype
