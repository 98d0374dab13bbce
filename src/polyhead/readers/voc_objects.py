"""Reads the objects in PASCAL VOC's XML files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from polyhead.errors import listed, place, shown, similar
from polyhead.readers.annotations import number_of
from polyhead.readers.findings import SHOWN, Findings
from polyhead.readers.voc_layout import VocEntry

_EDGES = ("xmin", "ymin", "xmax", "ymax")
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_UNSAID = ("", "unspecified", "none", "null")
MARKS = ("truncated", "occluded", "pose")


class VocObject(NamedTuple):
    """An object: the index of its image's entry, its location for errors, and its values in the XML."""

    entry: int
    where: str
    name: str
    box: list[Any]
    difficult: bool
    marks: dict[str, Any]


def objects_of(
    entries: Sequence[VocEntry], names: Sequence[str] | None, findings: Findings
) -> tuple[list[VocObject], list[int]]:
    """Read the objects of XML files; also return the index of the entry of each unusable object.

    Args:
        names: the valid names, or None.
    """
    objects: list[VocObject] = []
    dropped: list[int] = []
    empty = 0
    for number, entry in enumerate(entries):
        nodes = [] if entry.tree is None else entry.tree.findall("object")
        for i, node in enumerate(nodes, 1):
            if not "".join(node.itertext()).strip():
                empty += 1
                continue
            voc_object = _object(number, f"{place(file=entry.xml)}, object {i}", node, names, findings)
            if voc_object is None:
                dropped.append(number)
            else:
                objects.append(voc_object)
    if empty:
        findings.note(f"{empty:,} empty <object> skipped")
    return objects, dropped


def _object(
    number: int, where: str, node: Element, names: Sequence[str] | None, findings: Findings
) -> VocObject | None:
    name = (node.findtext("name") or "").strip()
    if not name:
        findings.leave_out("category", where, "a <name>", "none")
        return None
    if names is not None and name not in names:
        # comparing all names takes long
        hint = similar(name, names) if findings.count("category") < SHOWN else ""
        findings.leave_out("category", where, f"one of {listed(names, 8)}", shown(name), hint)
        return None
    box = node.find("bndbox")
    if box is None:
        findings.leave_out("box", where, "a <bndbox> of xmin, ymin, xmax, ymax", "none")
        return None
    edges = [number_of(box.findtext(edge)) for edge in _EDGES]
    words = {mark: (node.findtext(mark) or "").strip() for mark in ("difficult", *MARKS)}
    marks = {mark: _mark_value(mark, word) for mark, word in words.items()}
    hard = marks.pop("difficult")
    if hard is None and words["difficult"].lower() not in _UNSAID:
        found, dropped = shown(words["difficult"]), findings.invalid == "drop"
        fix = "It is taken as 0."
        findings.add("difficult", where, "0 or 1 as <difficult>", found, fix, warning=dropped)
    return VocObject(number, where, name, edges, bool(hard), marks)


def _mark_value(mark: str, word: str) -> Any:
    """Return the value of a mark, or None if it is unspecified."""
    if word.lower() in _UNSAID:
        return None
    return word if mark == "pose" else _TRUTHS.get(word.lower())


def mark_columns(objects: Sequence[VocObject]) -> dict[str, list[Any]]:
    """Make a column for each mark that any object has."""
    columns = {mark: [o.marks[mark] for o in objects] for mark in MARKS}
    return {mark: values for mark, values in columns.items() if any(value is not None for value in values)}
