"""Writes the code of a feed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Guess:
    """A suggested input or head.

    Attributes:
        kind: the name of its class, such as ``"Binary"``.
        args: its arguments, as code.
        change: code appended to the values to convert them.
    """

    kind: str
    args: tuple[str, ...] = ()
    remark: str = ""
    change: str = ""

    def code(self) -> str:
        """Return the call, as code."""
        return f"ph.{self.kind}({', '.join(self.args)})"

    def saying(self, argument: str, value: str) -> Guess:
        """Return this guess with one more argument, a string.

        >>> Guess("Binary").saying("column", "sold").code()
        'ph.Binary(column="sold")'
        """
        return replace(self, args=(*self.args, f"{argument}={as_literal(value)}"))


def as_literal(value: Any) -> str:
    """Return text, a path, or a nesting of them as a Python literal.

    >>> print(as_literal({"mask": [Path("a"), "b", True]}))
    {"mask": ["a", "b", True]}
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{as_literal(key)}: {as_literal(part)}' for key, part in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_literal, value))}]"
    return json.dumps(str(value), ensure_ascii=False) if isinstance(value, (str, Path)) else repr(value)


def feed_code(
    data: Sequence[str],
    inputs: Mapping[str, Guess],
    heads: Mapping[str, Guess],
    batch_size: int = 32,
    shuffle: bool = True,
    remarks: Sequence[str] = (),
    augment: Sequence[str] = (),
) -> str:
    """Return a program that makes ``feed``.

    Args:
        data: the lines of code that make ``data``.
        shuffle: whether to write ``shuffle=True``.
        remarks: comments to add after the feed.
    """
    lines = [*data, "feed = ph.Feed(", "    data,"]
    for word, guesses in (("inputs", inputs), ("heads", heads)):
        lines += [f"    {word}={{"]
        for name, guess in guesses.items():
            remark = f"  # {guess.remark}" if guess.remark else ""
            lines += [f"        {as_literal(name)}: {guess.code()},{remark}"]
        lines += ["    },"]
    lines += [f"    augment=[{', '.join(augment)}],"] * bool(augment)
    lines += [f"    batch_size={batch_size},", *["    shuffle=True,"] * shuffle, ")"]
    return "\n".join([*lines, *(f"# {remark}" for remark in remarks)])
