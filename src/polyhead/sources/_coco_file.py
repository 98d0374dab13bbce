"""COCO's JSON as a whole: its form, its images, its categories."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polyhead.errors import DataError, Problem, place, shown
from polyhead.sources._annotations import Findings, sizes_of
from polyhead.sources._paths import Files, Root
from polyhead.sources.base import similar


def content_of(path: Path) -> dict[str, Any]:
    """The JSON, if it is of COCO's form."""
    where = place(file=str(path))
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        near = similar(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
        found = error.strerror or str(error)
        raise DataError(Problem(where, "COCO's JSON file", found, near, "no-file")) from None
    except (ValueError, RecursionError) as error:
        found = " ".join(str(error).split())
        raise DataError(Problem(where, "JSON", found or type(error).__name__, code="json")) from None
    expected = "an object with the lists images, annotations and categories, as COCO has it"
    if not isinstance(content, dict):
        fix = "A list of results has no images: give the annotations they belong to."
        fix = fix if isinstance(content, list) else ""
        raise DataError(Problem(where, expected, f"a {type(content).__name__}", fix, "form"))
    wrong = [n for n in ("images", "annotations", "categories") if not isinstance(content.get(n), list)]
    if wrong:
        found = ", ".join(f"{n}: {shown(content[n]) if n in content else 'absent'}" for n in wrong)
        raise DataError(Problem(where, expected, found, code="form"))
    return content


def kind_of(content: Mapping[str, Any]) -> str:
    some = [a for a in content["annotations"][:100] if isinstance(a, dict)]
    if any("segments_info" in a for a in some):
        return "panoptic"
    points = any(isinstance(c, dict) and c.get("keypoints") for c in content["categories"])
    return "keypoints" if points and any("keypoints" in a for a in some) else "instances"


def entries_of(values: Sequence[Any], what: str, path: Path, findings: Findings) -> list[dict[str, Any]]:
    """The entries of a list, if all are objects."""
    for i, value in enumerate(values):
        if not isinstance(value, dict):
            findings.add("form", f"{place(file=str(path))}, {what} {i}", "an object", shown(value))
    return [value for value in values if isinstance(value, dict)]


class Pictures:
    """The images of the file that are there: a row each."""

    def __init__(self) -> None:
        self.ids: list[Any] = []
        self.files: list[str] = []
        self.paths: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.row_of: dict[Any, int] = {}  # -1 for what was left out

    def columns(self) -> dict[str, Any]:
        numbered = all(type(i) is int for i in self.ids)
        ids = np.array(self.ids, np.int64) if numbered else self.ids
        return {"image": self.paths, "file": self.files, "id": ids, "size": sizes_of(self.sizes)}


def is_id(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63) or isinstance(
        value, str
    )


def pictures_of(content: Mapping[str, Any], path: Path, root: Root, files: Files, verify: bool) -> Pictures:
    findings, found = root.findings, Pictures()
    names = set()
    for i, entry in enumerate(entries_of(content["images"], "image", path, findings)):
        number, name = entry.get("id"), entry.get("file_name")
        where = f"{place(file=str(path))}, image {number if is_id(number) else f'at position {i}'}"
        if not is_id(number):
            findings.add("id", where, "an id, a whole number", shown(number))
            continue
        if number in found.row_of:
            findings.add("id-twice", where, "an id of its own for each image", "the id of one before")
            continue
        found.row_of[number] = -1
        image = root.find(name, where)
        if image is None:
            continue
        if image in names:
            findings.add("file-twice", where, "a file of its own for each image", shown(name), warning=True)
        names.add(image)
        size = (entry.get("height"), entry.get("width"))
        if size != (None, None) and not all(type(v) is int and 0 < v < 2**31 for v in size):
            text = f"height {shown(size[0])}, width {shown(size[1])}"
            findings.add("size-number", where, "a height and width in whole pixels", text)
            continue
        if not files.exists(image, where):
            continue
        known = files.size(image) if size == (None, None) else (int(size[0]), int(size[1]))  # type: ignore[arg-type]
        if known is None or (verify and not files.verified(image, known)):
            continue
        found.row_of[number] = len(found.ids)
        found.ids.append(number)
        found.files.append(str(name))
        found.paths.append(image)
        found.sizes.append(known)
    files.note()
    if not found.ids and not findings.report().errors:
        findings.add("no-images", place(file=str(path)), "at least one image", "none")
    return found


class Known(NamedTuple):
    """The categories of the file: their names, numbers and further entries, in its order."""

    names: list[str]
    ids: list[int]
    entries: list[dict[str, Any]]
    place: dict[Any, int]


def known_of(content: Mapping[str, Any], path: Path, findings: Findings) -> Known:
    known = Known([], [], [], {})
    for i, entry in enumerate(entries_of(content["categories"], "category", path, findings)):
        number, name = entry.get("id"), entry.get("name")
        where = f"{place(file=str(path))}, category {i if number is None else shown(number)}"
        if type(number) is not int or not 0 <= number < 2**31 or not isinstance(name, str):
            expected = "an id, a whole number of at least 0, and a name"
            findings.add("category-form", where, expected, f"id {shown(number)}, name {shown(name)}")
        elif number in known.place:
            findings.add("category-twice", where, "an id of its own for each category", "one that is taken")
        elif name in known.names:
            expected = "a name of its own for each category"
            findings.add("category-twice", where, expected, shown(name), "Rename one of them.")
        else:
            known.place[number] = len(known.names)
            known.names.append(name)
            known.ids.append(number)
            known.entries.append(entry)
    return known
