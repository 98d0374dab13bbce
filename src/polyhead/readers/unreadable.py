"""Leaves out the rows whose images or masks cannot be decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow
from polyhead.errors import DataError, Problem, Report, counted, listed, place, warn
from polyhead.images.decode import require_undamaged
from polyhead.images.encoded import DAMAGED, header_of
from polyhead.kinds.missing import is_missing, plain
from polyhead.progress import shown_while
from polyhead.readers.as_source import as_source, loose_images
from polyhead.sources.arrays import Arrays
from polyhead.sources.combining import Rows
from polyhead.sources.scanning import first_rows, pieces
from polyhead.sources.source import Source, names_in

_WHERE = "drop_unreadable(data)"
_AT_ONCE = 512
"""Rows whose images are read and decoded together."""

_COLUMN = "image"
"""The column of images that are given by themselves."""

_PROBED = 32
"""Values that are looked at, to tell paths and the like from numbers."""

_NAMED = 5
"""Rows that the warning names."""


class ReadableRows(Rows):
    """The rows of a source whose images can be decoded; see `drop_unreadable`.

    Attributes:
        report: a problem for each row that was left out; ``print(rows.report)`` shows them.
    """

    report: Report = Report()
    _loose: Any = None
    """The images as they were given, if they were given by themselves."""

    def of_column(self, name: str) -> Source:
        """Return the same rows with their images in a column of this name, if they had no column."""
        named = self._loose is None or name == _COLUMN
        return self if named else Rows(Arrays({name: self._loose}), self.ids)


def drop_unreadable(data: Any, columns: str | Sequence[str] | None = None) -> ReadableRows:
    """Decode all images and masks once, and leave out the rows with one that is missing or broken.

    For images from the web or from many cameras: a single file that was cut off would otherwise end an epoch. It is
    decided here, before anything trains, so the rows are the same in every epoch, on every worker and after a resume.
    One warning counts the rows that are left out and names the first five. They keep their ids: that of a row is its
    number in the data.

    Images are decoded in threads, JPEGs at an eighth of their size. What can be decoded and is not as declared, such as
    a mask in colors or an image that is too large, stays: the feed says what to do about it.

    Args:
        data: a source or a table, as for `Feed`, but no generator. Also images by themselves, as for `predict`, which
            become the column ``image``: a folder, or a list of paths, bytes or Pillow images.
        columns: the columns of images, masks and maps: paths, encoded bytes or Pillow images. By default those in
            whose first rows there is an image. None and NaN in them are no damage.

    Returns:
        The other rows, a source with a ``report``. ``rows.ids_of(np.arange(len(rows)))`` gives their ids; save them,
        and ``data.select(ids)`` has the same rows later, without decoding.

    Raises:
        DataError: if there is no column of images, if images in more than half of the rows are missing or broken, or if
            the rows come from a generator.

    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (8, 8)).save(file, "PNG")
    >>> whole = file.getvalue()
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     rows = drop_unreadable({"image": [whole, whole[:50], whole], "age": [30, 41, 52]})
    >>> rows.read([0, 1])["age"].tolist()
    [30, 52]
    >>> print(rows.report.problems[0].place)
    column `image`, row 1
    """
    loose = loose_images(data)
    if loose is not None and not any(map(_is_encoded, islice(loose, _PROBED))):
        loose = None  # numbers, say, or arrays of pixels
    source = as_source(data if loose is None else {_COLUMN: loose})
    if source.sequential:
        fix = "Leave such images out in the generator."
        raise DataError(Problem(_WHERE, "rows that can be read in any order", "those of a generator", fix))
    if columns is not None:
        names = names_in(columns, "drop_unreadable(columns=)")
    else:
        names = _columns_with_images(source) if loose is None else [_COLUMN]
    images, wrong = source.only(names), dict[int, Problem]()

    def read() -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        for ids in pieces(images, names, _AT_ONCE):
            yield {name: plain(values) for name, values in images.coded(ids).items()}, ids

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows, ids in shown_while("decoding images", read(), len(images)):
            row_ids = source.ids_of(ids).tolist()
            problems = pool.map(partial(_damage_in, rows, row_ids), range(len(ids)))
            wrong |= {row: p for row, p in zip(ids.tolist(), problems, strict=True) if p is not None}
    if 2 * len(wrong) > len(source):
        found = f"{len(wrong):,} of {len(source):,} rows with one that is missing or broken"
        first = [replace(problem, warning=False) for problem in list(wrong.values())[:_NAMED]]
        raise DataError(Problem(_WHERE, "images that can be decoded in most rows", found), *first)
    readable = ReadableRows(source, np.array([i for i in range(len(source)) if i not in wrong], np.int64))
    notes = f"{counted(len(source), 'row')} with {listed(names)} decoded", f"{len(wrong):,} left out"
    readable._loose = loose
    readable.report = Report(tuple(wrong.values()), notes)
    if wrong:
        _warn_of_left_out(list(wrong.values()), len(source))
    return readable


def _columns_with_images(source: Source) -> list[str]:
    """Return the columns with an image in their first rows."""
    names = source.columns
    images = [name for name in names if any(map(_opens, plain(first_rows(source, name))))]
    if not images:
        fix = 'Name them: ph.drop_unreadable(data, ["image"]).'
        expected = f"a column of images among {listed(names) or 'none'}"
        raise DataError(Problem(_WHERE, expected, "none whose first rows hold one", fix))
    return images


def _encoded(value: Any) -> Any:
    """Return the part of an entry that `polyhead.images` decodes; None for anything else."""
    if isinstance(value, Mapping):  # as tables of encoded images have it
        value = value.get("bytes") or value.get("path")
    if hasattr(value, "segments"):  # a panoptic mask
        value = value.path
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 1:
        return value
    files = (str, bytes, bytearray, memoryview, os.PathLike)
    return value if isinstance(value, files) or is_pillow(value) else None


def _is_encoded(value: Any) -> bool:
    """Return whether an entry of a column is what may be an image: a path, bytes, or an image of Pillow."""
    return not is_missing(value) and _encoded(value) is not None


def _opens(value: Any) -> bool:
    """Return whether an entry of a column is an image, as far as its header tells."""
    if not _is_encoded(value):
        return False
    try:
        header_of(_encoded(value))
    except DataError:
        return False
    return True


def _damage_in(rows: Mapping[str, Any], row_ids: Sequence[int], i: int) -> Problem | None:
    """Return the first image of a row that is missing or broken; None if there is none."""
    for name, values in rows.items():
        if not _is_encoded(values[i]):
            continue
        try:
            require_undamaged(_encoded(values[i]), place(column=name, row=row_ids[i]))
        except DataError as error:
            (problem,) = error.problems
            if problem.code == DAMAGED:
                return replace(problem, warning=True, rows=(row_ids[i],))
    return None


def _warn_of_left_out(wrong: Sequence[Problem], rows: int) -> None:
    first = "; ".join(problem.place for problem in wrong[:_NAMED])
    more = f"; and {counted(len(wrong) - _NAMED, 'more row')}" if len(wrong) > _NAMED else ""
    left_out = f"{len(wrong):,} of {counted(rows, 'row')} left out"
    found = f"{left_out}, as an image is missing or broken: {first}{more}"
    fix = "print(rows.report) lists all of them."
    warn(Problem("drop_unreadable()", "", found, fix, "unreadable", warning=True))
