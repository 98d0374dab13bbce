"""The fields of kinds and augmentations, which users declare once."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

from polyhead.errors import plain_scalar, shown


def fix_fields(spec: Any) -> None:
    """Turn NumPy scalars in the fields of a frozen dataclass into Python objects; let a later change say what to do."""
    for f in fields(spec):
        value = getattr(spec, f.name)
        if plain_scalar(value) is not value:
            object.__setattr__(spec, f.name, plain_scalar(value))
    if "__setattr__" in vars(type(spec)):  # a subclass that is no dataclass may have attributes of its own
        # in place of the method of a frozen dataclass, whose error says only that it is frozen
        type(spec).__setattr__ = _can_not_change  # type: ignore[assignment]


def _can_not_change(spec: Any, name: str, value: Any) -> None:
    kind = type(spec).__name__
    fix = f"Make another one, {kind}(..., {name}={shown(value)}), and a feed with it."
    raise FrozenInstanceError(f"{kind}.{name} can't be changed. {fix}")
