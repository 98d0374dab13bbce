"""Opens a folder or file of annotated images that a command is given, by the reader of its format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from polyhead.columns.image_values import ENDINGS
from polyhead.readers.findings import Findings
from polyhead.readers.folders import read_folder
from polyhead.readers.mask_folders import folders_of_masks
from polyhead.readers.paths import Root
from polyhead.readers.voc import read_voc
from polyhead.readers.voc_layout import ANNOTATIONS
from polyhead.readers.yolo import read_yolo
from polyhead.sources.source import Source

_YAMLS = (".yaml", ".yml")


def opened_images(path: Path) -> tuple[Source, str] | None:
    """The rows of a folder of images or a data YAML, and the code that reads them; None for anything else."""
    if path.is_file():
        return _opened_by(read_yolo, path) if path.suffix.lower() in _YAMLS else None
    if not path.is_dir():
        return None
    with os.scandir(path) as entries:
        names = [entry.name.lower() for entry in entries]
    if any(name.endswith(_YAMLS) for name in names):
        return _opened_by(read_yolo, path)
    if any(name.endswith(".xml") for name in names) or _holds_xml(path):
        return _opened_by(read_voc, path)
    if "images" in names and "labels" in names and _has_file(path / "labels", (".txt",)):
        return _opened_by(read_yolo, path)
    if not _has_file(path, ENDINGS):
        return None
    found = folders_of_masks(Root(path, "read_folder(root)", Findings()).files()[0])
    if found is None:
        return _opened_by(read_folder, path)
    images, masks = found
    return _opened_by(read_folder, path, images=images, masks=masks["mask"] if len(masks) == 1 else masks)


def _opened_by(reader: Any, path: Path, **options: Any) -> tuple[Source, str]:
    said = "".join(f", {name}={json.dumps(value, ensure_ascii=False)}" for name, value in options.items())
    return reader(path, **options), f"ph.{reader.__name__}({json.dumps(str(path), ensure_ascii=False)}{said})"


def _holds_xml(path: Path) -> bool:
    folders = [entry for entry in path.iterdir() if entry.is_dir() and entry.name.lower() in ANNOTATIONS]
    return any(_has_file(folder, (".xml",)) for folder in folders)


def _has_file(folder: Path, endings: tuple[str, ...]) -> bool:
    """Return whether a folder or its subfolders contain a file with one of these extensions."""
    return any(name.lower().endswith(endings) for _, _, files in os.walk(folder) for name in files)
