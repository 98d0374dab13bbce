"""Opens a folder or file of annotated images with the reader of its format."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.cli.loaded_data import LoadedData
from polyhead.columns.image_values import ENDINGS, names_image
from polyhead.doctor.feed_code import as_literal
from polyhead.errors import ContractError, DataError, Problem, hints, listed, place
from polyhead.kinds.missing import plain
from polyhead.readers.coco import read_coco
from polyhead.readers.coco_json import content_of, folders_of_images
from polyhead.readers.findings import Findings
from polyhead.readers.folders import KEYS, read_folder
from polyhead.readers.mask_folders import folders_of_masks, masks_beside
from polyhead.readers.paths import Root
from polyhead.readers.voc import read_voc
from polyhead.readers.voc_layout import ANNOTATIONS
from polyhead.readers.yolo import read_yolo
from polyhead.sources.tables import read_table

_YAMLS = (".yaml", ".yml")
_JSON = ".json"
_KEY = re.compile(r"(image|img|photo|picture)(_?(id|name|file))?", re.IGNORECASE)
_TABLES = (".csv", ".tsv", ".parquet")
_FEW = 20


def opened_images(path: Path) -> LoadedData | None:
    """Read a folder of images, a data YAML, a COCO file, or a table beside its images; None for other paths.

    Raises:
        ContractError: for a COCO file unless exactly one folder near it has its images; for a folder of several.
        DataError: for another JSON file, or if the reader fails.
    """
    if path.is_file():
        if path.suffix.lower() == _JSON:
            return _opened_coco(path)
        return _opened_by(read_yolo, path) if path.suffix.lower() in _YAMLS else _opened_beside_images(path)
    if not path.is_dir():
        return None
    with os.scandir(path) as entries:
        names = [entry.name.lower() for entry in entries]
    if any(name.endswith(_YAMLS) for name in names):
        return _opened_by(read_yolo, path)
    annotated = _coco_files(path)
    if len(annotated) > 1:
        fix = f"Name one of them, as {annotated[0]}."
        several = listed([file.name for file in annotated], 5)
        raise ContractError(Problem(place(file=str(path)), "one COCO file in it", several, fix))
    if annotated:
        return _opened_coco(annotated[0])
    if any(name.endswith(".xml") for name in names) or _holds_xml(path):
        return _opened_by(read_voc, path)
    if "images" in names and "labels" in names and _has_file(path / "labels", (".txt",)):
        return _opened_by(read_yolo, path)
    if not _has_file(path, ENDINGS):
        return None
    files = Root(path, "read_folder(root)", Findings()).files()[0]
    detected = folders_of_masks(files)
    if detected is not None:
        images, masks = detected
        return _opened_by(read_folder, path, images=images, masks=masks["mask"] if len(masks) == 1 else masks)
    pattern = masks_beside(files)
    if pattern:
        return _opened_by(read_folder, path, masks=pattern)
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in _TABLES)
    keyed = [(file.name, key) for file in tables if (key := _key_of(file)[0])]
    return _opened_with_table(path, files, *keyed[0]) if len(keyed) == 1 else _opened_by(read_folder, path)


def _opened_beside_images(table: Path) -> LoadedData | None:
    """Read the images that a table of file names has beside it; None for other tables.

    Raises:
        DataError: if images do not exist.
    """
    key, names = _key_of(table) if table.suffix.lower() in _TABLES else ("", [])
    if not key or os.path.exists(str(names[0])):
        return None
    files = Root(table.parent, "read_folder(root)", Findings()).files()[0]
    return _opened_with_table(table.parent, files, table.name, key) if files else None


def _opened_with_table(folder: Path, files: list[str], table: str, key: str) -> LoadedData:
    options = {"table": table} | ({} if key in KEYS else {"key": key})
    tops = {name.partition("/")[0] for name in files}
    if len(tops) == 1 and "/" in files[0] and tops != {"images"}:
        options["images"] = tops.pop()
    return _opened_by(read_folder, folder, **options)


def _key_of(table: Path) -> tuple[str, list[Any]]:
    """Return the column of a table that names image files, and its first names; empty if there is none."""
    try:
        source = read_table(table)
        columns = source.read(np.arange(min(len(source), _FEW)))
    except DataError:
        return "", []
    values_of = {name: list(plain(values)) for name, values in columns.items() if len(values)}
    named = [n for n, values in values_of.items() if all(map(names_image, values)) or _KEY.fullmatch(n)]
    key = next((name for name in KEYS if name in named), named[0] if named else "")
    return key, values_of.get(key, [])


def _coco_files(folder: Path) -> list[Path]:
    """The COCO files of a folder of images, and of the folders in it, if these are few enough for one of each part."""
    files = sorted({*folder.glob("*.json"), *folder.glob("*/*.json")})
    return [file for file in files if _is_coco(file)] if len(files) <= _FEW else []


def _is_coco(file: Path) -> bool:
    with suppress(OSError, DataError), file.open("rb") as opened:
        start = opened.read(1 << 16)
        keys = (b'"images"', b'"annotations"', b'"categories"')
        return any(key in start for key in keys) and bool(content_of(file))
    return False


def _opened_coco(path: Path) -> LoadedData:
    """Read a COCO file with the folder near it that has its images."""
    try:
        folders = folders_of_images(path, content_of(path))
    except DataError as error:
        other = "For other JSON, name a function of a Python file that returns its rows, as file.py:name."
        raise DataError(*(replace(p, fix=hints(p.fix, other)) for p in error.problems)) from None
    if len(folders) == 1:
        return _opened_by(read_coco, path, folders[0])
    fix = (
        f"Write rows = ph.read_coco({as_literal(path)}, folder) into a Python file, with the folder of its images, "
        "and name it as file.py:rows."
    )
    found = listed([str(folder) for folder in folders]) or "none"
    raise ContractError(Problem(place(file=str(path)), "one folder near it with its images", found, fix))


def _opened_by(reader: Any, *paths: Path, **options: Any) -> LoadedData:
    arguments = [*map(as_literal, paths), *(f"{name}={as_literal(value)}" for name, value in options.items())]
    return LoadedData(reader(*paths, **options), f"ph.{reader.__name__}({', '.join(arguments)})")


def _holds_xml(path: Path) -> bool:
    folders = [entry for entry in path.iterdir() if entry.is_dir() and entry.name.lower() in ANNOTATIONS]
    return any(_has_file(folder, (".xml",)) for folder in folders)


def _has_file(folder: Path, endings: tuple[str, ...]) -> bool:
    """Return whether a folder or its subfolders contain a file with one of these extensions."""
    return any(name.lower().endswith(endings) for _, _, files in os.walk(folder) for name in files)
