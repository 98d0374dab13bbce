"""The code of a feed, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Guess:
    """One input or head.

    Attributes:
        kind: its class, ``Binary`` as a word.
        args: its arguments, as written.
        remark: what the user should know.
        change: what is done to the values before, as written after them.
    """

    kind: str
    args: tuple[str, ...] = ()
    remark: str = ""
    change: str = ""

    def code(self) -> str:
        """The call, as written."""
        return f"ph.{self.kind}({', '.join(self.args)})"

    def saying(self, argument: str, value: str) -> Guess:
        """The same with one more argument, a text.

        >>> Guess("Binary").saying("column", "sold").code()
        'ph.Binary(column="sold")'
        """
        return replace(self, args=(*self.args, f"{argument}={quoted_text(value)}"))


def quoted_text(text: str) -> str:
    """A text as a literal of Python."""
    return json.dumps(text, ensure_ascii=False)


def feed_code(
    data: Sequence[str],
    inputs: Mapping[str, Guess],
    heads: Mapping[str, Guess],
    batch_size: int = 32,
    shuffle: bool = True,
    remarks: Sequence[str] = (),
    augment: Sequence[str] = (),
) -> str:
    """A program that makes ``feed``.

    Args:
        data: the lines before, which make ``data``.
        inputs: one guess each.
        heads: likewise.
        batch_size: of the feed.
        shuffle: whether it is said.
        remarks: comments after the feed.
        augment: the augmentations, as written.
    """
    lines = [*data, "feed = ph.Feed(", "    data,"]
    for word, guesses in (("inputs", inputs), ("heads", heads)):
        lines += [f"    {word}={{"]
        for name, guess in guesses.items():
            remark = f"  # {guess.remark}" if guess.remark else ""
            lines += [f"        {quoted_text(name)}: {guess.code()},{remark}"]
        lines += ["    },"]
    lines += [f"    augment=[{', '.join(augment)}],"] * bool(augment)
    lines += [f"    batch_size={batch_size},", *["    shuffle=True,"] * shuffle, ")"]
    return "\n".join([*lines, *(f"# {remark}" for remark in remarks)])
