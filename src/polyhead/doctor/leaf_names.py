"""Names the arrays of a batch in messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from polyhead.doctor.leaf_statistics import LeafStatistics, Spot
from polyhead.doctor.model_signature import ExaminedTensor
from polyhead.doctor.reading import LeafPath, Reading
from polyhead.keras_bridge.structure import Path

CHANNELS_LAST = "{0}.transpose(0, 2, 3, 1), in torch {0}.permute(0, 2, 3, 1)"
"""Code for a batch of images whose channels are first."""
_WORDS = {"x": "input", "y": "target", "w": "weights"}


@dataclass(frozen=True)
class Matches:
    """The tensors of a model that match the arrays of a batch.

    Attributes:
        inputs: the model's input for each path in ``x``.
        outputs: the model's output for each path in ``y``; weights have the same paths.
    """

    inputs: dict[Path, ExaminedTensor] = field(default_factory=dict)
    outputs: dict[Path, ExaminedTensor] = field(default_factory=dict)

    def name(self, leaf_path: LeafPath, spot: Spot | None = None) -> str:
        """Return the name of an array in messages, with batch and row.

        >>> Matches().name(("y", (1,)), (3, 17)), Matches().name(("x", ("image",)))
        ('target y[1], batch 3, row 17', 'input `image`')
        """
        part, path = leaf_path
        slot = (self.inputs if part == "x" else self.outputs).get(path)
        if slot is not None:
            words = {"x": "input", "y": "output", "w": "weights of output"}[part]
            text = f"{words} `{slot.name}`"
        elif path and isinstance(path[-1], str):
            text = f"{_WORDS[part]} `{'/'.join(map(str, path))}`"
        else:
            text = f"{_WORDS[part]} {part}{''.join(f'[{key!r}]' for key in path)}"
        return text if spot is None else in_row(text, spot)

    def labels(self, reading: Reading) -> Iterator[tuple[str, ExaminedTensor, LeafStatistics]]:
        """Yield each output with the name and the statistics of its labels."""
        for path, slot in self.outputs.items():
            yield self.name(("y", path)), slot, reading.stats["y", path]


def in_row(text: str, spot: Spot) -> str:
    """Append batch and row to the name of an array."""
    return f"{text}, batch {spot[0]}, row {spot[1]}"


def batch_of(shape: tuple[int | None, ...]) -> str:
    """Return the shape of a batch of rows of a shape.

    >>> batch_of((64, None)), batch_of(())
    ('(B, 64, any)', '(B,)')
    """
    inner = ", ".join("any" if size is None else str(size) for size in shape)
    return f"(B, {inner})" if shape else "(B,)"


def quoted(names: object) -> str:
    """Return names in backticks.

    >>> quoted(["a", "b"])
    '`a`, `b`'
    """
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]


def with_article(kind: str) -> str:
    """Put an indefinite article before a noun.

    >>> with_article("iterator"), with_article("list"), with_article("arrays")
    ('an iterator', 'a list', 'arrays')
    """
    return kind if kind == "arrays" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
