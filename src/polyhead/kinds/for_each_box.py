"""Turns heads with ``each=`` into heads with a label for each box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from polyhead.errors import ContractError, Problem, place, shown, similar
from polyhead.kinds.boxes import Boxes
from polyhead.kinds.head import Head
from polyhead.kinds.per_element import Each


def is_each(head: Head) -> TypeGuard[Each]:
    """Return whether a head, as returned by `for_boxes`, has one label for each box."""
    return head.each is not None


def for_boxes(heads: Mapping[str, Head]) -> dict[str, Head]:
    """Return the heads, with those with ``each=`` wrapped as heads for each box.

    Raises:
        ContractError: if ``each=`` does not name a head of boxes, or is set on one.
    """
    found: dict[str, Head] = {}
    problems = []
    for name, head in heads.items():
        if head.each is None:
            found[name] = head
            continue
        boxes = heads.get(head.each)
        columns = () if boxes is None else boxes.columns(head.each)
        inner = head.head if isinstance(head, Each) else head
        fits = isinstance(boxes, Boxes) and not isinstance(inner, Boxes)
        if isinstance(boxes, Boxes) and fits and len(columns) == 1:
            found[name] = Each.wrapping(inner, boxes, columns[0])
            continue
        known = [n for n, h in heads.items() if isinstance(h, Boxes) and n != name]
        expected = f"the name of a head of boxes ({', '.join(known) or 'there is none'})"
        got = "no head of that name" if boxes is None else type(boxes).__name__
        near = similar(head.each, known) if boxes is None else ""
        if fits:
            expected, got = "boxes in one column, a list of them in each row", shown(list(columns))
            near = "If each row has one box, leave out each=."
        elif isinstance(inner, Boxes):
            expected, got, near = "no each= for boxes themselves", repr(head.each), ""
        problems.append(Problem(f"{place(head=name)}, each={head.each!r}", expected, got, near))
    if problems:
        raise ContractError(*problems)
    return found
