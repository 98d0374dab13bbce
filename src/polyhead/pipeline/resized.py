"""The columns that a feed declares, as they are before anything happens by chance: what a store of a feed holds.

Images are decoded and resized; what lies in them is moved along, in the format of its own column, so that the heads
read it as they read the column itself. All other columns are as they are.
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
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.kind import Kind
from polyhead.kinds.missing import plain
from polyhead.kinds.sample_weights import BoxWeights
from polyhead.kinds.source_column import About, Origins
from polyhead.pipeline.faults import readable
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.made_columns import MadeColumns, looked_at, one_by_one
from polyhead.pipeline.target_images import require_frames
from polyhead.pipeline.way_back import ImageViews, files_of
from polyhead.pipeline.weight_columns import along_boxes, require_still
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, checked_rows, row_of
from polyhead.store.column_codec import Spec, dense, like, spec_of
from polyhead.store.fingerprint import of_source


class Placed(MadeColumns):
    """The rows of a source, with images and what lies in them as a feed would have them, not augmented.

    Args:
        source: where the rows are.
        inputs: resolved.
        heads: resolved, as they read the source.
        size: (height, width) of all images, in place of the declared ones.
        also: other columns to keep, as they are.

    Attributes:
        dense: shape, dtype, and whether rows may be None, of each column that is known to hold arrays of one shape.
        arrays: for each other column whose entries are arrays their dtype and the shape of their rows, and whether
            there is a list of them in each row.
        images: the columns of images.

    Raises:
        ContractError: for a column that two kinds read, and that would have to be stored in two ways.
    """

    def __init__(
        self,
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        size: tuple[int, int] | None = None,
        also: Sequence[str] = (),
    ) -> None:
        kinds: dict[str, Input | Head] = {**inputs, **heads}
        names = [c for n, k in kinds.items() for c in (k.reads(n) if isinstance(k, Head) else k.columns(n))]
        self._read = tuple(dict.fromkeys(names))
        self._names = tuple(dict.fromkeys([*names, *also]))
        super().__init__(source.only(self._names))
        images = {name: _at_size(kind, size) for name, kind in inputs.items() if isinstance(kind, Image)}
        kinds = {n: k for n, k in kinds.items() if not (isinstance(k, Head) and k.presence)}
        laid = {n: k for n, k in kinds.items() if isinstance(k, Head) and k.layer is not None}
        if size is not None:
            laid = {name: _as_its_image(name, head, laid, inputs) for name, head in laid.items()}
        late = any(kind.late for kind in images.values())
        late = late or any(
            head.late(first_rows(source, head.columns(name)[0])) for name, head in laid.items()
        )
        if images and late:
            require_still(source, laid, True, ())
            beside = along_boxes(source, laid)
            _require_one_owner(beside.values())
            laid |= beside
        laid = {name: head.stored() for name, head in laid.items()}
        self._scene = Scene(source, images, laid, (), 0) if images and late else None
        if self._scene is not None:
            _require_room(laid, self._scene.heads)
            self._scene.stores = True
        self._kinds: dict[str, Input | Head] = {**images, **laid} if self._scene is not None else {}
        self.images = {kind.columns(name)[0]: kind.shape for name, kind in images.items()}
        self._require_one_each(kinds)
        self.dense: dict[str, tuple[tuple[int, ...], str, bool]] = {}
        self.arrays: dict[str, tuple[str, list[int] | None, bool]] = {}
        self._held: dict[str, tuple[tuple[int, ...], np.dtype]] = {}  # single masks and maps
        some = looked_at(source)
        for name in images if self._kinds and len(some) else ():
            deep = self._is_deep(name, some)
            self._kinds[name] = images[name].fixed(dtype="float32" if deep else "uint8")
        first = self._first(some) if self._kinds else {}
        for name, kind in self._kinds.items():
            column = kind.columns(name)[0]
            self._describe(column, kind, first[column])

    def _first(self, ids: np.ndarray) -> dict[str, Values]:
        """The first of some rows that can be read: those that cannot are told where they are read."""
        try:
            return self.coded(ids[:8])
        except DataError:
            right = ids[readable(self.coded, ids)][:8]
        return self.coded(right) if len(right) else {name: [] for name in self._names}

    def deepen(self, column: str) -> None:
        """Keep the images of a column as float32, as the store has them to which they are added."""
        name = self._named(column)
        kind = self._kinds[name]
        assert isinstance(kind, Image)
        self._kinds[name] = kind.fixed(dtype="float32")
        self.dense[column] = (kind.shape, "float32", False)

    def leave_out(self, column: str) -> None:
        """Leave out a column that no input or head reads."""
        self._names = tuple(name for name in self._names if name != column or name in self._read)
        self._source = self._source.only(self._names)

    def _is_deep(self, name: str, ids: np.ndarray) -> bool:
        """Return whether images have more than 8 bits, which the feed keeps."""
        assert self._scene is not None
        kind = self._scene.images[name]
        if kind.dtype == "uint8":
            return False
        scene = self._scene.image(name)
        for row, rows in one_by_one(self._source.only(scene.columns), ids):
            with suppress(DataError):  # said where the row is read
                if isinstance(scene.place(rows, row, None)[name], np.ndarray):
                    return True
        return False

    def _require_one_each(self, kinds: Mapping[str, Input | Head]) -> None:
        readers: dict[str, list[str]] = {}
        for name, kind in kinds.items():
            for column in dict.fromkeys(kind.columns(name)):
                readers.setdefault(column, []).append(name)
        problems = []
        for column, names in readers.items():
            placed = [name for name in names if name in self._kinds]
            if placed and len(names) > 1:
                fix = "Give one of them a column of its own."
                found = f"`{'`, `'.join(names)}`"
                expected = "one input or head that reads it, as it is stored at one size"
                problems.append(Problem(place(column=column), expected, found, fix))
        if problems:
            raise ContractError(*problems)

    def _describe(self, column: str, kind: Input | Head, first: Any) -> None:
        if isinstance(kind, Image):
            self.dense[column] = (kind.shape, kind.kept, False)
            return
        assert isinstance(kind, Head)
        inner, each = kind.inner, kind.each is not None
        if inner.layer in PIXELS:
            some = [m for row in first if row is not None for m in (row if each else [row]) if m is not None]
            head = inner if self._scene is None else self._scene.heads[self._named(column)].inner
            channels = (3,) if inner.in_colors else head.shape[2:]
            shape = (*head.shape[:2], *(np.shape(some[0])[2:] if some else channels))
            dtype = inner.stored_dtype(some)
            self._held[column] = shape, np.dtype(dtype)
            if each:
                self.arrays[column] = (dtype, list(shape[1:]), True)
            else:
                self.dense[column] = (shape, dtype, True)
        elif inner.layer == "boxes":
            self.arrays[column] = ("float64", [4], each)
        elif inner.layer == "points":
            if each:
                self.arrays[column] = ("float64", [2], True)
            else:
                self.dense[column] = ((inner.places, 2), "float64", False)

    def _named(self, column: str) -> str:
        return next(name for name, kind in self._kinds.items() if kind.columns(name)[0] == column)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    @property
    def placed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(kind.columns(name)[0] for name, kind in self._kinds.items()))

    @property
    def fingerprint(self) -> str:
        """A text that is another one where the rows, or what becomes of them, are others."""
        made = [[name, repr(kind), *_long(kind)] for name, kind in self._kinds.items()]
        more = [made, sorted(map(repr, self.dense.items())), sorted(map(repr, self.arrays.items()))]
        return of_source(self._source.only(self._read), self.placed, more)

    def specs(self) -> list[Spec]:
        """The columns that are not as they are in the source, as a store has them.

        Raises:
            DataError: for entries that a store cannot hold.
        """
        return [{"name": name, **self.spec(name)} for name in self.placed]

    def spec(self, name: str) -> Spec:
        """One of these columns.

        Raises:
            DataError: for an entry that a store cannot hold.
        """
        if name in self.dense:
            return dense(*self.dense[name])
        if name in self.arrays:
            dtype, row, each = self.arrays[name]
            array = np.zeros((0, *((0,) if row is None else row)), dtype)
            return like([array] if each else array)
        try:
            return spec_of(self._source, name)  # one entry for each box, of which some may be left out
        except BadValue as bad:
            raise bad.located(column=name, row=row_of(self, bad.index)) from None

    @property
    def source(self) -> Source:
        """The columns as they are."""
        return self._source

    def about(self, name: str) -> About:
        found = self._source.about(name)
        if name not in self.placed:
            return found
        return found._replace(exif=None)  # the pixels are those of the image as it is shown

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        known = self._source.origins(name, ids)
        if self._scene is None or name not in self.images:
            return known
        kind = self._kinds[self._named(name)]
        assert isinstance(kind, Image)
        views = ImageViews(self._source, self._named(name), kind).of(ids)
        places = np.array([[*view.size, *view.there[:2].ravel()] for view in views]).reshape(-1, 8)
        return Origins(files_of(self._source, name, ids), places, "" if known is None else known.lost, True)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        if self._scene is None:
            return rows
        found: dict[str, Any] = dict(self._scene.place(rows, ids, None))
        for name, kind in self._kinds.items():
            column, values = kind.columns(name)[0], found[name]
            if isinstance(kind, Image):
                values = self._stored(column, kind, values, ids)
            elif isinstance(kind, Head) and kind.layer == "points" and kind.each is None:
                nowhere = np.full((kind.places, 2), np.nan)
                values = np.stack([nowhere if value is None else value for value in values])
            elif isinstance(kind, Head):
                values = [None if value is None else kind.written(value) for value in values]
            if column in self._held:
                told, files = self.ids_of(ids).tolist(), plain(rows[column])
                values = [
                    self._checked(name, value, told[i], path_in(files[i])) for i, value in enumerate(values)
                ]
            rows[column] = values
        return rows

    def _checked(self, name: str, value: Any, row: int, file: str | None) -> Any:
        """A mask or map, or a list of them, as its column holds it.

        Raises:
            DataError: for one that the head refuses, or that is unlike those of the first rows.
        """
        assert self._scene is not None
        kind = self._kinds[name]
        shape, dtype = self._held[kind.columns(name)[0]]
        marker = kind.inner.missing if isinstance(kind, Head) else None
        try:
            return _as_held(value, shape, dtype, marker)
        except ValueError as error:
            found = str(error)
        try:
            self._scene.heads[name].encode([value])
        except BadValue as bad:  # in the words that it has without a store
            raise bad.located(head=name, row=row, file=file) from None
        fix = "Convert the column, or put this row first."
        where = ", ".join(filter(None, (place(head=name, row=row), place(file=file))))
        raise DataError(Problem(where, f"{dtype} of shape {shape}, as the first rows have", found, fix))

    def _stored(self, column: str, kind: Image, values: Any, ids: np.ndarray) -> np.ndarray:
        """The images of a column as they are kept: in 0–1 or 0–255, or the numbers of the data by a declared range."""
        assert self._scene is not None
        kept = self._scene.images[self._named(column)].dtype == kind.dtype
        if not kept and isinstance(values, np.ndarray) and not self._warned:
            finer = np.abs(values * 255 - np.rint(values * 255)).max((1, 2, 3)) > 1e-3
            if finer.any():
                self._warn_of_less(column, int(self.ids_of(ids)[finer.argmax()]), 8)
        try:
            return kind.unranged(kind.fixed(range=None).encode(values))
        except BadValue as bad:
            raise bad.located(input=self._named(column), row=row_of(self, bad.index, ids)) from None


def _require_one_owner(weights: Iterable[BoxWeights]) -> None:
    """Raise for a column of weights that would go with two columns of boxes."""
    owners: dict[str, BoxWeights] = {}
    for one in weights:
        first = owners.setdefault(str(one.column), one)
        if first.boxes_column != one.boxes_column:
            found = f"`{first.boxes_column}` and `{one.boxes_column}`"
            fix = "Give one of them a column of its own."
            raise ContractError(
                Problem(place(column=str(one.column)), "weights of one column of boxes", found, fix)
            )


def _require_room(heads: Mapping[str, Head], placed: Mapping[str, Head]) -> None:
    """Raise for masks in which pixels from outside of the image have no label, and no value that says so."""
    problems = []
    for name, head in heads.items():
        own, other = head.inner, placed[name].inner
        if own.missing is None and other.missing is not None:
            expected = "a value for pixels from outside of the image, which have no label"
            value = "missing=(r, g, b), a color that no class has" if own.in_colors else "missing=255"
            fix = f"Say {value}, or outside=0 to make them class 0."
            problems.append(Problem(place(head=name), expected, "none", fix))
    if problems:
        raise ContractError(*problems)


def _at_size(kind: Image, size: tuple[int, int] | None) -> Image:
    if size is None or size == kind.shape[:2]:
        return kind
    return kind.fixed(height=size[0], width=size[1], late=True)


def _as_its_image(name: str, head: Head, heads: Mapping[str, Head], inputs: Mapping[str, Input]) -> Head:
    """A mask that was of its image's size as one that has the size of whatever the image is."""
    images = {n: kind for n, kind in inputs.items() if isinstance(kind, Image)}
    if not images:
        return head
    image = images[require_frames(images, heads)[name]]
    return head.fixed(size=None) if head.inner.size == image.shape[:2] else head


def _as_held(value: Any, shape: tuple[int, ...], dtype: np.dtype, marker: Any) -> Any:
    """A mask or map, or a list of them, of one shape and type; None for a mask of NaN alone.

    Args:
        value: a mask or map with or without the axis of a single channel; None where it is missing.
        shape: of the result.
        dtype: of the result.
        marker: what stands for NaN in a type that has none.

    Raises:
        ValueError: for another shape, or a number that the type does not hold; says which.
    """
    if value is None:
        return None
    if isinstance(value, list):
        return [_as_held(one, shape, dtype, marker) for one in value]
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
        found = array.astype(dtype)
    if not np.array_equal(found, array, equal_nan=True):
        raise ValueError(shown(array[found != array].flat[0]))
    return found


def _long(kind: Kind) -> list[str]:
    """The arguments of a kind that its ``repr`` cuts short, as JSON; no functions: each process has its own."""
    found = []
    for value in (getattr(kind, f.name) for f in fields(kind) if f.repr):
        with suppress(TypeError, ValueError):
            whole = list(value.items()) if isinstance(value, Mapping) else value
            found.append(json.dumps(whole, default=_number))
    return [*(one for one in found if len(one) > 60), *(_long(kind.inner) if kind.inner is not kind else [])]


def _number(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"no number, but {type(value).__name__}")
