"""Reads the names of keypoints and the lines between them from the categories of COCO's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import as_list, is_integer, place, shown
from polyhead.readers.coco_json import CocoCategories
from polyhead.readers.findings import Findings


def named_points(
    known: CocoCategories, keep: np.ndarray, path: Path, findings: Findings
) -> tuple[tuple[str, ...] | None, tuple[tuple[int, int], ...] | None]:
    """Read the names of the keypoints and the pairs in the skeleton, counted from 0; None if the file has none.

    COCO counts points from 1 in ``skeleton``. An invalid skeleton is left out and recorded. Names or skeletons that
    differ between the wanted categories are left out, as a head has one of each.

    Args:
        keep: bool for each category, whether it is wanted.
        findings: records what is left out.
    """
    names: list[tuple[str, ...]] = []
    lines: list[tuple[tuple[int, int], ...]] = []
    for i in np.flatnonzero(keep).tolist():
        given = as_list(known.entries[i].get("keypoints")) or []
        if not given:
            continue
        if all(isinstance(name, str) for name in given):
            names.append(tuple(given))
        skeleton = known.entries[i].get("skeleton")
        if skeleton:
            found = _joined(skeleton, len(given))
            if found is None:
                where = f"{place(file=str(path))}, category {known.names[i]!r}, skeleton"
                expected = f"pairs of distinct points, counted from 1 to {len(given)}"
                fix = "It is left out; give skeleton= to the head, counted from 0."
                findings.add("skeleton", where, expected, shown(skeleton), fix, warning=True)
            else:
                lines.append(found)
    if len(set(names)) > 1:
        findings.note("keypoints without names: the categories name them differently")
    one_name, one_form = len(set(names)) == 1, len(set(lines)) == 1
    return (names[0] if one_name else None), (lines[0] if one_form and len(set(names)) < 2 else None)


def _joined(skeleton: Any, count: int) -> tuple[tuple[int, int], ...] | None:
    """The pairs of a skeleton, counted from 0; None if any is invalid."""
    pairs = [as_list(pair) or [] for pair in as_list(skeleton) or [None]]
    whole = all(len(pair) == 2 and all(map(is_integer, pair)) for pair in pairs)
    if not whole or any(a == b or not 1 <= min(a, b) <= max(a, b) <= count for a, b in pairs):
        return None
    return tuple((int(a) - 1, int(b) - 1) for a, b in pairs)
