"""Reads the structure, images and categories of a COCO file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polyhead.errors import DataError, Problem, as_path, listed, place, shown
from polyhead.progress import shown_each
from polyhead.readers.annotations import sizes_of
from polyhead.readers.findings import Findings
from polyhead.readers.other_formats import fix_for_json
from polyhead.readers.paths import Files, Root, fix_for_path, similar_file


def coco_path(annotations: Any, images: Any) -> Path:
    """Return the path of the JSON file.

    Raises:
        DataError: for an invalid path, a folder, or if ``images`` is missing; the error suggests existing files.
    """
    where = "read_coco(annotations)"
    path = as_path(annotations, where)
    if path.is_dir():
        files = sorted(str(p) for pattern in ("*.json", "*/*.json") for p in path.glob(pattern))
        found = f"a folder with {listed(files, _SHOWN)}" if files else "a folder without one"
        example = files[0] if files else "annotations.json"
        folder = _suggested_images(Path(example)) if images is None else os.fspath(images)
        fix = f'Say read_coco("{example}", "{folder}"): the file, and the folder of images.'
        if not files:
            fix = "For images in folders say ph.read_folder(path), for YOLO's text files ph.read_yolo(path)."
        expected = "COCO's JSON file"
        raise DataError(Problem(f"{where}, {place(file=str(path))}", expected, found, fix, "folder"))
    if images is None and path.is_file():
        fix = f'Say read_coco("{path}", "{_suggested_images(path)}").'
        raise DataError(Problem("read_coco(images)", "the folder of images", "none", fix, "folder"))
    return path


def _suggested_images(path: Path) -> str:
    """Return the folder of images to suggest for a JSON file."""
    with contextlib.suppress(DataError):
        if folders := folders_of_images(path, content_of(path)):
            return str(folders[0])
    return str(path.parent / "images")


def folders_of_images(path: Path, content: Mapping[str, Any]) -> list[Path]:
    """Search near a JSON file for the folder with the images that it names; only the first names are tried.

    Args:
        path: the file; its own folder is searched, and the parent of a folder such as ``annotations``.

    Returns:
        The folder with the most of these images. In a tie, the one that holds the file or whose name is in the file's
        name, otherwise all of them. Empty if no folder holds any.
    """
    entries = [entry.get("file_name") for entry in content["images"] if isinstance(entry, dict)]
    names = [name.replace("\\", "/") for name in entries if isinstance(name, str)]
    names = [name for name in names if name and not os.path.isabs(name) and ".." not in name][:_TRIED]
    homes = [path.parent]
    if path.parent.name.lower().startswith("annotation"):
        homes.append(path.parent.parent)
    near = dict.fromkeys(folder for home in homes for folder in _folders_below(home))
    counts = {folder: sum(os.path.isfile(folder / name) for name in names) for folder in near}
    most = max(counts.values())
    best = [folder for folder, count in counts.items() if count == most and most]
    preferred = [folder for folder in best if folder == path.parent] or [
        folder for folder in best if folder.name.lower() in path.stem.lower()
    ]
    return preferred if len(preferred) == 1 else best


def _folders_below(home: Path) -> Iterator[Path]:
    """Iterate over a folder and its subfolders down to two levels, such as ``images/train``."""
    yield home
    inside = _folders_in(home)
    yield from inside
    for folder in inside:
        yield from _folders_in(folder)


def _folders_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith("."))


_SHOWN = 4

_TRIED = 8
"""The number of images to look for in the folders near a file."""


def content_of(path: Path) -> dict[str, Any]:
    """Load a JSON file in COCO's format. Raises `DataError` if it cannot be read or has another structure."""
    where = place(file=str(path))
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        found = error.strerror or str(error)
        raise DataError(Problem(where, "COCO's JSON file", found, similar_file(path), "no-file")) from None
    except (ValueError, RecursionError) as error:
        found = " ".join(str(error).split())
        fix = fix_for_path(path, "read_coco", folder=False)
        raise DataError(Problem(where, "JSON", found or type(error).__name__, fix, "json")) from None
    expected = "a COCO object with the lists images, annotations and categories"
    if not isinstance(content, dict):
        fix = "A list of results has no images; give the annotations that they belong to."
        fix = fix_for_json(content) or (fix if isinstance(content, list) else "")
        raise DataError(Problem(where, expected, f"a {type(content).__name__}", fix, "form"))
    wrong = [n for n in ("images", "annotations", "categories") if not isinstance(content.get(n), list)]
    if wrong:
        found = ", ".join(f"{n}: {shown(content[n]) if n in content else 'absent'}" for n in wrong)
        raise DataError(Problem(where, expected, found, fix_for_json(content), "form"))
    return content


def coco_kind(content: Mapping[str, Any]) -> str:
    """Infer which kind of annotation the file holds."""
    annotations = [a for a in content["annotations"][:100] if isinstance(a, dict)]
    if any("segments_info" in a for a in annotations):
        return "panoptic"
    points = any(isinstance(c, dict) and c.get("keypoints") for c in content["categories"])
    return "keypoints" if points and any("keypoints" in a for a in annotations) else "instances"


def entries_of(values: Sequence[Any], kind: str, path: Path, findings: Findings) -> list[dict[str, Any]]:
    """Return the entries of a list that are JSON objects; others are recorded as errors."""
    for i, value in enumerate(values):
        if not isinstance(value, dict):
            findings.add("form", f"{place(file=str(path))}, {kind} {i}", "an object", shown(value))
    return [value for value in values if isinstance(value, dict)]


class Picture(NamedTuple):
    """An image that exists: its id and name in the file, its path, and two sizes ``(height, width)``.

    Attributes:
        size: of the image file.
        declared_size: in the annotation file, to which its coordinates refer.
    """

    number: int | str
    file: str
    path: str
    size: tuple[int, int]
    declared_size: tuple[int, int]


class Pictures(NamedTuple):
    """The images of the file, one row each, and the row for each image id; -1 for images that were left out."""

    rows: list[Picture]
    row_of: dict[Any, int]

    def columns(self) -> dict[str, Any]:
        ids = [picture.number for picture in self.rows]
        return {
            "image": [picture.path for picture in self.rows],
            "file": [picture.file for picture in self.rows],
            "id": np.array(ids, np.int64) if all(type(i) is int for i in ids) else ids,
            "size": sizes_of([picture.size for picture in self.rows]),
        }


def id_of(value: Any) -> int | str | None:
    """Normalize an id, given as a number or text; None if it is invalid.

    >>> id_of(480), id_of(480.0), id_of("480"), id_of("0480"), id_of(True)
    (480, 480, 480, '0480', None)
    >>> id_of(2.0**60)  # which stands for other whole numbers as well
    """
    if isinstance(value, str):
        whole = value.isdecimal() and value.isascii() and len(value) < 19
        return int(value) if whole and str(int(value)) == value else value
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return None


def flag_of(value: Any) -> bool | None:
    """Normalize a flag, given as 0 or 1 in any form of `id_of` or as a bool; None if it is invalid.

    >>> flag_of(0), flag_of("0"), flag_of(True), flag_of(2)
    (False, False, True, None)
    """
    number = int(value) if isinstance(value, bool) else id_of(value)
    return bool(number) if number in (0, 1) else None


def side_of(value: Any) -> int | None:
    """Normalize the height or width of an image, given as a number or text; None if it is invalid."""
    number = id_of(value)
    return number if isinstance(number, int) and 0 < number < 2**31 else None


def pictures_of(content: Mapping[str, Any], path: Path, root: Root, files: Files, verify: bool) -> Pictures:
    """Read the images listed in the file, with their paths and sizes."""
    findings, pictures = root.findings, Pictures([], {})
    names = set()
    entries = entries_of(content["images"], "image", path, findings)
    root.require_any([entry.get("file_name") for entry in entries], place(file=str(path)))
    for i, entry in enumerate(shown_each("reading images", entries)):
        number, name = id_of(entry.get("id")), entry.get("file_name")
        where = f"{place(file=str(path))}, image {f'at position {i}' if number is None else number}"
        if number is None:
            findings.add("id", where, "an id, a whole number", shown(entry.get("id")))
            continue
        if number in pictures.row_of:
            findings.add("id-twice", where, "a unique id for each image", "the id of one before")
            continue
        pictures.row_of[number] = -1
        image = root.inside(name, up=False) or root.find(name, where)
        if image is None:
            continue
        if image in names:
            findings.add("file-twice", where, "a separate file for each image", shown(name), warning=True)
        names.add(image)
        sides = (entry.get("height"), entry.get("width"))
        high, wide = side_of(sides[0]), side_of(sides[1])
        declared = None if high is None or wide is None else (high, wide)
        if declared is None and sides != (None, None):
            text = f"height {shown(sides[0])}, width {shown(sides[1])}"
            findings.add("size-number", where, "a height and width in whole pixels", text)
            continue
        if not files.exists(image, where):
            continue
        size = files.sized(image, declared, verify)
        if size is None:
            continue
        pictures.row_of[number] = len(pictures.rows)
        pictures.rows.append(Picture(number, str(name), image, size, declared or size))
    files.note()
    if not pictures.rows and not findings.report().errors:
        findings.add("no-images", place(file=str(path)), "at least one image", "none")
    return pictures


class CocoCategories(NamedTuple):
    """The categories of the file, in its order: names, ids, complete entries, and the index of each id."""

    names: list[str]
    ids: list[int]
    entries: list[dict[str, Any]]
    index_of: dict[Any, int]


def categories_of(content: Mapping[str, Any], path: Path, findings: Findings) -> CocoCategories:
    """Read the categories of the file."""
    categories, names = CocoCategories([], [], [], {}), set[str]()
    for i, entry in enumerate(entries_of(content["categories"], "category", path, findings)):
        number, name = id_of(entry.get("id")), entry.get("name")
        where = f"{place(file=str(path))}, category {i if entry.get('id') is None else shown(entry['id'])}"
        if not isinstance(number, int) or not 0 <= number < 2**31 or not isinstance(name, str):
            expected = "an id, a whole number of at least 0, and a name"
            findings.add("category-form", where, expected, f"id {shown(entry.get('id'))}, name {shown(name)}")
        elif number in categories.index_of:
            findings.add("category-twice", where, "a unique id for each category", "one that is taken")
        elif name in names:
            expected = "a unique name for each category"
            findings.add("category-twice", where, expected, shown(name), "Rename one of them.")
        else:
            categories.index_of[number] = len(categories.names)
            categories.names.append(name)
            names.add(name)
            categories.ids.append(number)
            categories.entries.append(entry)
    return categories
