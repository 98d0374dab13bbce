"""Gives the frozen dataclasses of kinds and augmentations their checked fields, and docs of inherited arguments."""

from __future__ import annotations

import inspect
import re
from dataclasses import FrozenInstanceError, fields
from typing import Any

from polyhead.errors import plain_scalar, shown

TITLE = "Attributes:\n"


def documented(text: str) -> dict[str, str]:
    """The entries under ``Attributes:`` of a docstring, by their names.

    >>> documented("Blur.\\n\\nAttributes:\\n    sigma: in pixels,\\n        above 0.\\n    p: in 0-1.")
    {'sigma': 'sigma: in pixels,\\n        above 0.', 'p': 'p: in 0-1.'}
    """
    section = inspect.cleandoc(text).partition(TITLE)[2].partition("\n\n")[0]
    entries = re.split(r"^    (?! )", section, flags=re.MULTILINE)[1:]
    return {entry.partition(":")[0]: entry.rstrip() for entry in entries}


def with_inherited(cls: type, root: type) -> str | None:
    """The docstring of a class with the attributes that its bases document, up to the base ``root``."""
    if cls.__doc__ is None:
        return None
    text = inspect.cleandoc(cls.__doc__)
    inherited: dict[str, str] = {}
    for base in cls.__mro__[1:]:
        if issubclass(base, root):
            inherited = {**documented(base.__doc__ or ""), **inherited}
    attributes = documented(text)
    added = "".join(f"\n    {entry}" for name, entry in inherited.items() if name not in attributes)
    if not added:
        return cls.__doc__
    before, title, after = text.partition(TITLE)
    if title:
        section, gap, examples = after.partition("\n\n")
        return f"{before}{title}{section.rstrip()}{added}{gap}{examples}"
    before, examples, after = text.partition("\n\n>>> ")
    return f"{before}\n\n{TITLE.rstrip()}{added}{examples}{after}"


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
