"""Prepares the rows to pack: those of a source, with image files as bytes, or those of a feed.

`with_origins` adds the origin of each image: its file, its size, and the matrix from its pixels to those of the
stored image.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import (
    BadValue,
    ContractError,
    DataError,
    Problem,
    as_list,
    is_integer,
    is_size,
    place,
    require_choice,
    shown,
)
from polyhead.feed import Feed
from polyhead.images.encoded import file_place, header_of, read_file
from polyhead.kinds import Image
from polyhead.kinds.missing import is_missing, plain
from polyhead.kinds.source_column import Origins
from polyhead.pipeline.converted_rows import ConvertedRows
from polyhead.pipeline.resized import ResizedRows
from polyhead.pipeline.way_back import files_of
from polyhead.readers.as_source import as_source
from polyhead.sources.generator import Stream
from polyhead.sources.scanning import first_rows, pieces
from polyhead.sources.source import Source, checked_rows, row_of
from polyhead.store.column_codec import SharedType, Spec, like, spec_of, spec_of_text
from polyhead.store.origin_columns import FILE, origin_specs

ENCODINGS = ("pixels", "jpeg", "png")
ID = "id"


def rows_of(data: Any, image_size: Any, encoding: str, quality: int) -> Source:
    """Return the rows to pack.

    Raises:
        ContractError: for an invalid size or encoding, or if one is given for data other than a feed.
        DataError: for an object that is not data.
    """
    require_choice("pack(encoding=)", encoding, ENCODINGS)
    if not is_integer(quality) or not 1 <= quality <= 100:
        raise ContractError(Problem("pack(quality=)", "an integer in [1, 100]", shown(quality)))
    size = _size_argument(image_size)
    if isinstance(data, Feed):
        columns = data.source.columns
        heads = {n: head for n, head in data.heads.items() if set(head.reads(n)) <= set(columns)}
        rows = ResizedRows(data.source, data.inputs, heads, size, _ids_in(data.source))
        bands = max((shape[2] for shape in rows.images.values() if shape[2] not in (1, 3)), default=0)
        if encoding == "jpeg" and bands == 4:
            fix = 'Use encoding="png", or ph.Image(channels=3).'
            raise ContractError(Problem("pack(encoding=)", "", "JPEG can't store 4 channels", fix))
        if encoding != "pixels" and bands not in (0, 4):
            expected = f'"pixels", as an image has {bands} bands'
            raise ContractError(Problem("pack(encoding=)", expected, shown(encoding)))
        if encoding == "pixels":
            return rows
        _require_encodable(rows, data, encoding)
        return EncodedRows(rows, encoding, quality)
    fix = "Pack a feed: its declaration says which columns are images, and which labels are in them."
    for name, value in (("image_size", size), ("encoding", None if encoding == "pixels" else encoding)):
        if value is not None:
            raise ContractError(Problem(f"pack({name}=)", "a feed", "rows without a declaration", fix))
    source = as_source(data)
    files = tuple(name for name in source.columns if _is_files(first_rows(source, name)))
    return FilesAsBytes(source, files) if files else source


def _require_encodable(rows: ResizedRows, feed: Feed, encoding: str) -> None:
    """Raise if an encoding would lose bits, or can't hold numbers with a declared range."""
    problems = []
    for name, kind in feed.inputs.items():
        column = kind.columns(name)[0]
        if not isinstance(kind, Image) or rows.dense.get(column, ((), "uint8"))[1] == "uint8":
            continue
        where = f"pack(encoding=), {place(input=name)}"
        if kind.range is not None:
            fix = 'Use encoding="pixels".'
            problems.append(Problem(where, '"pixels", as range= is declared', shown(encoding), fix))
        elif encoding == "jpeg":
            fix = 'Use encoding="pixels" or "png", or ph.Image(dtype="uint8") if 8 bits are enough.'
            problems.append(Problem(where, "", "JPEG can't store more than 8 bits", fix))
    if problems:
        raise ContractError(*problems)


def _ids_in(source: Source) -> tuple[str, ...]:
    """The ``id`` column, by which predictions name rows, if there is one and a store can hold it."""
    try:
        return (ID,) if ID in source.columns and spec_of(source, ID) else ()
    except (BadValue, DataError):
        return ()


def _size_argument(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = [size, size] if is_integer(size) else as_list(size) or []
    if len(pair) != 2 or not all(map(is_size, pair)):
        raise ContractError(Problem("pack(image_size=)", "(height, width) in pixels", shown(size)))
    return int(pair[0]), int(pair[1])


def _is_files(values: Values) -> bool:
    """Return whether a column holds paths of image files."""
    present = [value for value in plain(values) if not is_missing(value)]
    if not present or not all(isinstance(value, (str, os.PathLike)) for value in present):
        return False
    try:
        return bool(header_of(os.fspath(present[0])))
    except DataError:
        return False


class FilesAsBytes(ConvertedRows):
    """A source with some columns of paths replaced by the bytes of the files."""

    def __init__(self, source: Source, files: tuple[str, ...]) -> None:
        super().__init__(source)
        self.converted, self.image_columns = files, dict.fromkeys(files, False)

    def spec(self, name: str) -> Spec:
        return like(b"") if name in self.converted else super().spec(name)

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        if name not in self.converted:
            return self._source.origins(name, ids)
        return Origins.unknown(len(ids))._replace(files=files_of(self._source, name, ids))

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        row_ids = self.ids_of(ids).tolist()
        for name in self.converted:
            rows[name] = [
                None
                if is_missing(value)
                else read_file(value, file_place(value, place(column=name, row=row)))
                for value, row in zip(plain(rows[name]), row_ids, strict=True)
            ]
        return rows


class EncodedRows(ConvertedRows):
    """The rows of a feed with images encoded again after resizing."""

    def __init__(self, resized: ResizedRows, encoding: str, quality: int) -> None:
        super().__init__(resized)
        self._resized, self.converted = resized, tuple(resized.images)
        self.image_columns, self._encoding, self._quality = resized.image_columns, encoding, quality

    @property
    def fingerprint(self) -> str:
        return self._resized.fingerprint

    def spec(self, name: str) -> Spec:
        return like(b"") if name in self.converted else self._resized.spec(name)

    def adapt_to(self, stored: Sequence[Spec]) -> None:
        self._resized.adapt_to(stored)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        from polyhead.images.encode import encode

        rows: dict[str, Any] = dict(self._resized.coded(ids))
        for name in self.converted:
            rows[name] = [encode(_of_16_bits(image), self._encoding, self._quality) for image in rows[name]]
        return rows


def _of_16_bits(image: Any) -> np.ndarray:
    """Convert floats in 0–1 to uint16 for PNG; uint8 pixels stay unchanged."""
    pixels = np.asarray(image)
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels * np.float64(65535)).astype(np.uint16)


def specs_of(rows: Source) -> list[Spec]:
    """Describe each column of the rows. Raises a `DataError` for every column that a store can't hold."""
    specs: list[Spec] = []
    problems: list[Problem] = []
    described = _specs_of_objects(rows) if isinstance(rows, Stream) else {}
    for name in rows.columns:
        try:
            spec = described[name] if name in described else _spec(rows, name)
            if isinstance(spec, BadValue):
                raise spec
            specs.append({"name": name, **spec, **_facts_in_manifest(rows, name)})
        except BadValue as bad:
            problems.extend(bad.located(column=name, row=row_of(rows, bad.index)).problems)
        except DataError as error:
            problems.extend(error.problems)
    if problems:
        raise DataError(*problems)
    return specs


def _specs_of_objects(rows: Source) -> dict[str, Spec | BadValue]:
    """Describe the columns of a generator whose type all rows tell, which are read once for all of them."""
    shared: dict[str, SharedType] = {}
    wrong: dict[str, BadValue] = {}
    for name in rows.columns:
        probe = first_rows(rows, name)
        if isinstance(probe, np.ndarray) and probe.dtype.kind == "O" and not spec_of_text(probe):
            shared[name] = SharedType()
    only = rows.only(list(shared)) if shared else rows
    for ids in pieces(only, list(shared)) if shared else ():
        for name, values in only.coded(ids).items():
            try:
                if name not in wrong:
                    shared[name].add(values, int(ids[0]))
            except BadValue as bad:
                wrong[name] = bad
    return {name: wrong.get(name) or kind.spec for name, kind in shared.items()}


def _spec(rows: Source, name: str) -> Spec:
    return rows.spec(name) if isinstance(rows, ConvertedRows) else spec_of(rows, name)


def _facts_in_manifest(rows: Source, name: str) -> Spec:
    """Return the metadata of a column for the manifest; an empty dict if its sources disagree."""
    try:
        about = rows.about(name)._asdict()
    except DataError:
        return {}
    facts = {key: list(value) if isinstance(value, tuple) else value for key, value in about.items() if value}
    of_pairs = facts.keys() & {"skeleton", "pairs"}
    facts |= {key: [list(pair) for pair in facts[key]] for key in of_pairs}
    listed = [value for key, value in facts.items() if key not in of_pairs]
    plain = all(isinstance(entry, (str, int, float)) for value in listed for entry in value)
    return {"about": facts} if facts and plain else {}


def with_origins(rows: Source, old: Sequence[Spec] | None) -> tuple[Source, list[Spec], bool]:
    """Add columns for the origins of images.

    Args:
        old: the columns of the store to which the rows are appended; None for a new store.

    Returns:
        The rows, the descriptions of the added columns, and whether all origins are known; they are not for rows from
        a store of an older version.

    Raises:
        DataError: if the rows already have a column with one of these names.
    """
    images = rows.image_columns if isinstance(rows, ConvertedRows) else {}
    all_rows = np.zeros(0, np.int64)  # as `Source.origins` takes them
    origins = {name: rows.origins(name, all_rows) for name in rows.columns}
    if old is None:
        stored = {name: True for name, o in origins.items() if o is not None and o.kept}
        columns = {**stored, **images}
        specs = [spec for name, resized in columns.items() for spec in origin_specs(name, resized)]
    else:
        specs = [spec for spec in old if "origin" in spec]
    complete = not any(o is not None and o.lost for o in origins.values())
    return (_RowsWithOrigins(rows, specs) if specs else rows), specs, complete


class _RowsWithOrigins(ConvertedRows):
    """Rows with additional columns for the origins of images."""

    def __init__(self, rows: Source, specs: Sequence[Spec]) -> None:
        super().__init__(rows)
        self._of = {spec["name"]: spec["origin"] for spec in specs}
        self.converted = tuple(self._of)
        expected = "another name, as a store keeps under this one where its images come from"
        fix = "Rename the column, or leave it out."
        taken = [name for name in self._of if name in rows.columns]
        if taken:
            raise DataError(*(Problem(place(column=n), expected, "a column of the data", fix) for n in taken))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self._source.columns, *self.converted)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        for image in dict.fromkeys(image for image, _ in self._of.values()):
            origins = self._source.origins(image, ids) or Origins.unknown(len(ids))
            for name, (of, part) in self._of.items():
                if of == image:
                    rows[name] = origins.files if part == FILE else origins.places
        return rows
