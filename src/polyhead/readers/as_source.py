"""Converts data that a user passes to a source, or to images that are given by themselves, without a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polyhead.columns.image_values import ENDINGS, is_pillow
from polyhead.errors import DataError, Problem, place, shown
from polyhead.images.encoded import is_base64
from polyhead.readers.foreign_datasets import fix_for, fix_for_rows
from polyhead.sources.arrays import Arrays, are_rows, columns_from_rows
from polyhead.sources.source import Source
from polyhead.sources.tables import is_table, parquet_files, table_of
from polyhead.store.files import is_store
from polyhead.store.reader import open_store


def as_source(data: Any, asked: Sequence[str] | None = None, least: int = 1) -> Source:
    """Convert a user's data to a source.

    Args:
        data: a source, a mapping of arrays, a list of rows, a table, or a path.
        asked: the columns that will be read; other entries of a mapping are ignored. None for all.

    Raises:
        DataError: for unsupported data.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, (str, os.PathLike)) and is_store(data):
        return open_store(data)
    if are_rows(data):
        data = columns_from_rows(data)
    if isinstance(data, Mapping) and not fix_for_rows(data):
        _require_no_datasets(data if asked is None else {name: data[name] for name in asked if name in data})
        return Arrays(data, asked)
    if isinstance(data, (str, os.PathLike)) or is_table(data):
        return table_of(data, least=least)
    expected = "a mapping of arrays, a Source, a table or a path"
    raise DataError(Problem("data", expected, shown(type(data).__name__), fix_for(data)))


def _require_no_datasets(columns: Mapping[str, Any]) -> None:
    """Raise if a column is a dataset of another library whose items are whole rows."""
    for name, values in columns.items():
        if words := fix_for_rows(values):
            expected = "one entry per row: an array, a list, or anything with a length and batch indexing"
            found = f"{shown(type(values).__name__)}, whose items are rows"
            raise DataError(Problem(place(column=name), expected, found, words))


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
    if is_base64(name):  # the reader of images says how to decode it
        return [name]
    if is_store(path):
        return None
    if not path.is_dir():
        return [name] if path.suffix.lower() in ENDINGS else None
    paths = (file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
    images = [os.fspath(file) for file in sorted(paths) if not file.name.startswith(".")]
    if not images and not parquet_files(path):
        raise DataError(Problem(f"data, folder `{path}`", "images in it", "none"))
    return images or None
