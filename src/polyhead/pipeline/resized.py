"""The columns of a feed, decoded and resized but not augmented: the contents of a store of a feed.

Labels located in an image are transformed with it and written in the format of their column, so that heads read them
like the original. All other columns stay unchanged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np

from polyhead.columns.image_values import path_in
from polyhead.columns.values import Values
from polyhead.errors import BadValue, ContractError, DataError, Problem, place, shown
from polyhead.kinds import Head, Image, Input, columns_read
from polyhead.kinds.box_entries import as_entries
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.kind import Kind
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.kinds.sample_weights import BoxWeights
from polyhead.kinds.source_column import About, Origins
from polyhead.pipeline.converted_rows import ConvertedRows, one_by_one, readers_of, sample_rows
from polyhead.pipeline.faults import readable_rows
from polyhead.pipeline.image_pipeline import Scene, needs_scene
from polyhead.pipeline.target_images import require_head_images
from polyhead.pipeline.way_back import ImageViews, files_of
from polyhead.pipeline.weight_columns import along_boxes, require_still
from polyhead.sources.scanning import scan
from polyhead.sources.source import Source, checked_rows, row_of
from polyhead.store.column_codec import SharedType, Spec, dense, like
from polyhead.store.fingerprint import of_source


class ResizedRows(ConvertedRows):
    """The rows of a source, with images and their labels decoded and resized as a feed declares, but not augmented.

    Args:
        size: (height, width) of all images, instead of the declared sizes.
        also: other columns to keep unchanged.

    Attributes:
        dense: ``(shape, dtype, whether rows may be None)`` of each column of arrays of one shape.
        images: the shape of each column of images.

    Raises:
        ContractError: if two kinds would need one column stored in different ways.
    """

    def __init__(
        self,
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        size: tuple[int, int] | None = None,
        also: Sequence[str] = (),
    ) -> None:
        self._read = columns_read(inputs, heads)
        self._names = tuple(dict.fromkeys([*self._read, *also]))
        super().__init__(source.only(self._names))
        heads = {name: head for name, head in heads.items() if not head.presence}
        images = {name: _at_size(kind, size) for name, kind in inputs.items() if isinstance(kind, Image)}
        in_image = {name: head for name, head in heads.items() if head.layer is not None}
        if size is not None:
            in_image = {name: _as_its_image(name, head, in_image, inputs) for name, head in in_image.items()}
        self._scene: Scene | None = None
        self._kinds: dict[str, Input | Head] = {}
        if needs_scene(source, images, in_image):
            require_still(source, in_image, True, ())
            weights = along_boxes(source, in_image)
            _require_one_owner(weights.values())
            in_image |= weights
            _require_single_columns(in_image)
            in_image = {name: head.for_store() for name, head in in_image.items()}
            self._scene = Scene(source, images, in_image, (), 0)
            _require_room(in_image, self._scene.heads)
            self._scene.stores = True
            self._kinds = {**images, **in_image}
        self.converted = tuple(dict.fromkeys(kind.columns(name)[0] for name, kind in self._kinds.items()))
        self.images = {kind.columns(name)[0]: kind.shape for name, kind in images.items()}
        self.image_columns = dict.fromkeys(self.images, True)
        self._require_one_reader({**inputs, **heads})
        self.dense: dict[str, tuple[tuple[int, ...], str, bool]] = {}
        # (dtype, shape of a row of an entry, whether entries are lists of arrays)
        self._arrays: dict[str, tuple[str, list[int], bool]] = {}
        self._pixel_forms: dict[str, tuple[tuple[int, ...], np.dtype]] = {}  # of one mask or map
        if self._scene is not None:
            self._describe_columns(self._scene, images)

    def _describe_columns(self, scene: Scene, images: Mapping[str, Image]) -> None:
        sample = sample_rows(self._source)
        for name, image in images.items() if len(sample) else ():
            self._kinds[name] = image.fixed(
                dtype="float32" if self._is_deep(scene, name, sample) else "uint8"
            )
        first = self._first_readable(sample)
        for name, kind in self._kinds.items():
            column = kind.columns(name)[0]
            if isinstance(kind, Image):
                self.dense[column] = (kind.shape, kind.stored_dtype, False)
            elif isinstance(kind, Head):
                self._describe_labels(column, kind, scene.heads[name], first[column])

    def _first_readable(self, ids: np.ndarray) -> dict[str, Values]:
        """Read the first readable rows; the errors of others are raised when they are read."""
        try:
            return self.coded(ids[:8])
        except DataError:
            ids = ids[readable_rows(self, ids)[0]][:8]
        return self.coded(ids) if len(ids) else {name: [] for name in self._names}

    def adapt_to(self, stored: Sequence[Spec]) -> None:
        names = [spec["name"] for spec in stored]
        if stored:
            self._names = tuple(name for name in self._names if name in self._read or name in names)
            self._source = self._source.only(self._names)
        for column in self.images.keys() & self.dense.keys() & set(names):
            shape, dtype, _ = self.dense[column]
            if dtype == "uint8" and stored[names.index(column)].get("dtype") == "float32":
                name = self._name_of(column)
                self._kinds[name] = self._kinds[name].fixed(dtype="float32")
                self.dense[column] = (shape, "float32", False)

    def _is_deep(self, scene: Scene, name: str, ids: np.ndarray) -> bool:
        """Return whether images have more than 8 bits that the feed keeps."""
        kind, alone = scene.images[name], scene.image(name)
        if kind.dtype == "uint8":
            return False
        for row, rows in one_by_one(self._source.only(kind.columns(name)), ids):
            with suppress(DataError):  # reported when the row is read
                if isinstance(alone.transform(rows, row, None)[name], np.ndarray):
                    return True
        return False

    def _require_one_reader(self, kinds: Mapping[str, Input | Head]) -> None:
        problems = []
        for column, names in readers_of(kinds).items():
            if len(names) > 1 and any(name in self._kinds for name in names):
                fix = "Give one of them a column of its own."
                found = f"`{'`, `'.join(names)}`"
                expected = "one input or head that reads it, as it is stored at one size"
                problems.append(Problem(place(column=column), expected, found, fix))
        if problems:
            raise ContractError(*problems)

    def _describe_labels(self, column: str, head: Head, encoding: Head, first: Any) -> None:
        inner, each = head.inner, head.each is not None
        if inner.layer in PIXELS:
            entries = [entry for row in first if row is not None for entry in (row if each else [row])]
            maps = [entry for entry in entries if entry is not None]
            sides, channels = encoding.inner.shape[:2], encoding.inner.shape[2:]
            channels = (3,) if inner.in_colors else channels
            shape = (*sides, *(np.shape(maps[0])[2:] if maps else channels))
            dtype = inner.stored_dtype(maps)
            self._pixel_forms[column] = shape, np.dtype(dtype)
            if each:
                self._arrays[column] = (dtype, list(shape[1:]), True)
            else:
                self.dense[column] = (shape, dtype, True)
        elif inner.layer == "boxes":
            self._arrays[column] = ("float64", [4], each)
        elif inner.layer == "points" and each:
            self._arrays[column] = ("float64", [2], True)
        elif inner.layer == "points":
            self.dense[column] = ((inner.places, 2), "float64", False)

    def _name_of(self, column: str) -> str:
        """The input or head that reads a converted column."""
        return next(name for name, kind in self._kinds.items() if kind.columns(name)[0] == column)

    @property
    def fingerprint(self) -> str:
        conversions = [[name, repr(kind), *_long(kind)] for name, kind in self._kinds.items()]
        forms = [sorted(map(repr, self.dense.items())), sorted(map(repr, self._arrays.items()))]
        return of_source(self._source.only(self._read), self.converted, [conversions, *forms])

    def spec(self, name: str) -> Spec:
        if name in self.dense:
            return dense(*self.dense[name])
        if name in self._arrays:
            dtype, row, each = self._arrays[name]
            array = np.zeros((0, *row), dtype)
            return like([array] if each else array)
        if name in self.converted:
            kind = self._kinds[self._name_of(name)]
            assert isinstance(kind, Head)
            try:
                return _spec_of_entries(self._source, name, kind.places)
            except BadValue as bad:
                raise bad.located(column=name, row=row_of(self, bad.index)) from None
        return super().spec(name)

    def about(self, name: str) -> About:
        facts = self._source.about(name)
        if name not in self.converted:
            return facts
        return facts._replace(exif=None)  # the Exif orientation is already applied to the pixels

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        stored = self._source.origins(name, ids)
        if self._scene is None or name not in self.images:
            return stored
        kind = self._kinds[self._name_of(name)]
        assert isinstance(kind, Image)
        views = ImageViews(self._source, self._name_of(name), kind).of(ids)
        places = np.array([[*view.size, *view.to_model[:2].ravel()] for view in views]).reshape(-1, 8)
        return Origins(files_of(self._source, name, ids), places, "" if stored is None else stored.lost, True)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        if self._scene is None:
            return rows
        transformed: dict[str, Any] = dict(self._scene.transform(rows, ids, None))
        for name, kind in self._kinds.items():
            column, values = kind.columns(name)[0], transformed[name]
            if isinstance(kind, Image):
                values = self._images_to_store(name, column, kind, values, ids)
            elif isinstance(kind, Head) and kind.layer == "points" and kind.each is None:
                nowhere = np.full((kind.places, 2), np.nan)
                values = np.stack([nowhere if value is None else value for value in values])
            elif isinstance(kind, Head):
                values = [None if value is None else kind.to_column(value) for value in values]
            if column in self._pixel_forms:
                row_ids, files = self.ids_of(ids).tolist(), plain(rows[column])
                values = [
                    self._to_pixel_form(name, column, value, row, path_in(file))
                    for value, row, file in zip(values, row_ids, files, strict=True)
                ]
            rows[column] = values
        return rows

    def _to_pixel_form(self, name: str, column: str, value: Any, row: int, file: str | None) -> Any:
        """Convert a mask or map, or a list of them, to the shape and dtype of its column.

        Raises:
            DataError: for one that the head rejects, or that differs from the first rows.
        """
        assert self._scene is not None
        kind, (shape, dtype) = self._kinds[name], self._pixel_forms[column]
        marker = kind.inner.missing if isinstance(kind, Head) else None
        try:
            return _in_pixel_form(value, shape, dtype, marker)
        except ValueError as error:
            found = str(error)
        try:
            self._scene.heads[name].encode([value])
        except BadValue as bad:  # prefer the error that a feed without a store raises
            raise bad.located(head=name, row=row, file=file) from None
        fix = "Convert the column, or put this row first."
        wrong = BadValue(None, f"{dtype} of shape {shape}, as the first rows have", found, fix)
        raise wrong.located(head=name, row=row, file=file)

    def _images_to_store(
        self, name: str, column: str, kind: Image, values: Any, ids: np.ndarray
    ) -> np.ndarray:
        """Convert images to the numbers to store: 0–1, 0–255 or, with a declared range, the numbers of the data."""
        assert self._scene is not None
        same_dtype = self._scene.images[name].dtype == kind.dtype
        if not same_dtype and isinstance(values, np.ndarray) and not self._warned:
            finer = np.abs(values * 255 - np.rint(values * 255)).max((1, 2, 3)) > 1e-3
            if finer.any():
                self._warn_of_lost_bits(column, int(self.ids_of(ids)[finer.argmax()]), 8)
        try:
            return kind.unranged(kind.fixed(range=None).encode(values))
        except BadValue as bad:
            raise bad.located(input=name, row=row_of(self, bad.index, ids)) from None


def _require_one_owner(weights: Iterable[BoxWeights]) -> None:
    """Raise for a column of weights that belongs to two columns of boxes."""
    owners: dict[str, BoxWeights] = {}
    for w in weights:
        first = owners.setdefault(str(w.column), w)
        if first.boxes_column != w.boxes_column:
            found = f"`{first.boxes_column}` and `{w.boxes_column}`"
            fix = "Give one of them a column of its own."
            expected = "weights of one column of boxes"
            raise ContractError(Problem(place(column=str(w.column)), expected, found, fix))


def _require_room(heads: Mapping[str, Head], encoding: Mapping[str, Head]) -> None:
    """Raise for masks with pixels outside of the image but no value to mark them as missing."""
    problems = []
    for name, head in heads.items():
        inner = head.inner
        if inner.missing is None and encoding[name].inner.missing is not None:
            expected = "a value for pixels from outside of the image, which have no label"
            value = "missing=(r, g, b), a color that no class has" if inner.in_colors else "missing=255"
            fix = f"Say {value}, or outside=0 to make them class 0."
            problems.append(Problem(place(head=name), expected, "none", fix))
    if problems:
        raise ContractError(*problems)


def _require_single_columns(heads: Mapping[str, Head]) -> None:
    """Raise for coordinates in several columns, as a store has one for the transformed coordinates of a head."""
    problems = []
    for name, head in heads.items():
        columns = list(head.columns(name))
        if len(columns) > 1:
            form = f"(-1, {head.inner.places}, {len(columns) // head.inner.places})"
            fix = f"Join them: frame[{name!r}] = list(frame[{columns!r}].to_numpy().reshape{form})."
            expected = "one column, as boxes and points are stored in pixels of the resized images"
            problems.append(Problem(place(head=name), expected, shown(columns), fix))
    if problems:
        raise ContractError(*problems)


def _at_size(kind: Image, size: tuple[int, int] | None) -> Image:
    if size is None or size == kind.size:
        return kind
    return kind.fixed(height=size[0], width=size[1], late=True)


def _as_its_image(name: str, head: Head, heads: Mapping[str, Head], inputs: Mapping[str, Input]) -> Head:
    """Let a mask with the size of its image follow the image to another size."""
    images = {n: kind for n, kind in inputs.items() if isinstance(kind, Image)}
    if not images:
        return head
    image = images[require_head_images(images, heads)[name]]
    return head.fixed(size=None) if head.inner.size == image.size else head


def _in_pixel_form(value: Any, shape: tuple[int, ...], dtype: np.dtype, marker: Any) -> Any:
    """Convert a mask or map, or a list of them, to a shape and dtype; return None for one with only NaN.

    Args:
        value: the mask or map, with or without an axis of one channel; None if missing.
        shape: the shape of the result.
        dtype: the dtype of the result.
        marker: the number that replaces NaN in an integer dtype.

    Raises:
        ValueError: for another shape, or a number that the dtype cannot represent; the message is that shape or number.
    """
    if value is None:
        return None
    if isinstance(value, list):
        return [_in_pixel_form(mask, shape, dtype, marker) for mask in value]
    array: np.ndarray = np.asarray(value)
    if array.shape != shape:
        if array.size != math.prod(shape):
            raise ValueError(f"shape {array.shape}")
        array = array.reshape(shape)
    if array.dtype == dtype:
        return array
    if array.dtype.kind == "f" and dtype.kind != "f":
        gone = np.isnan(array)
        if gone.all():
            return None
        array = np.where(gone, float(marker), array) if isinstance(marker, Real) else array
    with np.errstate(invalid="ignore"):
        converted = array.astype(dtype)
    if not np.array_equal(converted, array, equal_nan=True):
        raise ValueError(shown(array[converted != array].flat[0]))
    return converted


def _long(kind: Kind) -> list[str]:
    """The arguments of a kind that its ``repr`` abbreviates, as JSON; without functions, which differ by process."""
    texts = []
    for value in (getattr(kind, f.name) for f in fields(kind) if f.repr):
        with suppress(TypeError, ValueError):
            entries = list(value.items()) if isinstance(value, Mapping) else value
            texts.append(json.dumps(entries, default=_number))
    return [*(t for t in texts if len(t) > 60), *(_long(kind.inner) if kind.inner is not kind else [])]


def _number(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"no number, but {type(value).__name__}")


def _spec_of_entries(source: Source, name: str, places: int) -> Spec:
    """Describe a column of one entry per box: lists, as boxes may be dropped, of at most ``places``.

    Raises:
        BadValue: for an entry that a store can't hold, with its row.
    """
    shared = SharedType()
    for start, values in scan(source, name):
        rows = plain(values)
        if is_dense(rows):  # the dtype tells it
            rows = [[np.zeros(rows.shape[2:], rows.dtype)[()]]]
        shared.add([None if is_missing(row) else list(as_entries(row, 0, places)) for row in rows], start)
    return shared.spec
