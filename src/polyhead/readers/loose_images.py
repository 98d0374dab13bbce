"""Images that are given by themselves, without a table: those in a folder, or a list of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyhead.columns.image_values import ENDINGS, is_pillow
from polyhead.errors import DataError, Problem
from polyhead.readers.foreign_datasets import fix_for_rows
from polyhead.sources.arrays import are_rows
from polyhead.sources.source import Source
from polyhead.sources.tables import is_table
from polyhead.store.files import is_store


def loose_images(data: Any) -> Any:
    """Return the images of ``data`` as the values of a column; None for data that has columns of its own.

    Args:
        data: a folder of images, the path, bytes or Pillow image of one, or a list, array or series of these.

    Raises:
        DataError: for a folder without an image, unless Parquet files or a store are in it.

    >>> loose_images("photos/a.jpg"), loose_images(["a.jpg", "b.jpg"]), loose_images({"image": ["a.jpg"]})
    (['photos/a.jpg'], ['a.jpg', 'b.jpg'], None)
    """
    if isinstance(data, (str, os.PathLike)):
        return _images_at(Path(data), os.fspath(data))
    if isinstance(data, (bytes, bytearray, memoryview)) or is_pillow(data):
        return [data]
    if isinstance(data, (Source, Mapping)) or is_table(data) or are_rows(data):
        return None
    indexed = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    return data if indexed and not fix_for_rows(data) else None


def _images_at(path: Path, name: str) -> list[str] | None:
    """Return the path of an image, or those in a folder; None for that of a table or a store."""
    if is_store(path):
        return None
    if not path.is_dir():
        return [name] if path.suffix.lower() in ENDINGS else None
    paths = (file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
    images = [os.fspath(file) for file in sorted(paths) if not file.name.startswith(".")]
    if not images and not any(path.glob("*.parquet")):
        raise DataError(Problem(f"data, folder `{path}`", "images in it", "none"))
    return images or None
