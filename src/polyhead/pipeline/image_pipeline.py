"""Images that are decoded, resized and moved, and with them all that lies in them.

A scene is the rows of a feed whose images are files, or are augmented. For each row one matrix is made, from the
whole image to the one that the model gets, and the images, masks, boxes and keypoints of the row go through it.
What comes out are columns as the kinds encode them.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow
from polyhead.columns.values import Values
from polyhead.errors import BadValue, ContractError, DataError, Problem, place, shown, warn
from polyhead.kinds import Each, Head, Image, is_each
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.kinds.sample_weights import weights_key
from polyhead.pipeline.bit_depth import ranged, read
from polyhead.pipeline.image_frame import File, Frame, Ways, alike, path_of
from polyhead.pipeline.pixel_labels import drawn, require_sides
from polyhead.pipeline.prefetch import share
from polyhead.pipeline.target_images import require_frames
from polyhead.profiling import Laps
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source

GONE = "gone"
"""Which boxes of a row have no mask, by the name of the head, beside the layers."""


class Scene:
    """Decodes and moves the images of some rows, and what lies in them.

    Args:
        source: where rows are.
        images: the image inputs, resolved. One gives each row its frame: that in which heads say that they lie, else
            the first.
        heads: the heads that lie in the image.
        augment: augmentations, in the order in which they happen.
        seed: of all chance.

    Raises:
        ContractError: for what is no augmentation, or where there is no image.
    """

    def __init__(
        self,
        source: Source,
        images: Mapping[str, Image],
        heads: Mapping[str, Head],
        augment: Sequence[Any],
        seed: int,
    ) -> None:
        from polyhead.augment import Apply, Joint

        if not images:
            fix = "Declare an input as ph.Image."
            raise ContractError(Problem("Feed(augment=)", "an image among the inputs", "none", fix))
        self.source, self.images, self._pixels = source, dict(images), True
        self.encoders = {name: image.fixed(range=None) for name, image in images.items()}  # applied by then
        self._of = require_frames(self.images, heads)
        self.first = self._of.first
        image = self.images[self.first]
        self.target: tuple[int, int] = (image.shape[0], image.shape[1])
        visible = {head.min_visible for head in heads.values()} - {None} or {0.1}
        if len(visible) > 1:
            expected = "the same for all boxes of a feed"
            raise ContractError(Problem("Boxes(min_visible=)", expected, shown(sorted(visible))))
        self._raw = dict(sorted(heads.items(), key=lambda item: item[1].each is not None))  # boxes come first
        fixed: dict[str, Any] = {"fit": image.fit, "min_visible": visible.pop()}
        self._joint, self._plain = Joint(augment, seed, **fixed), Joint((), seed, **fixed)
        self.heads = {name: self._placed(name, head) for name, head in self._raw.items()}
        self.stores = False  # boxes that are missing keep their places, as a column has them
        applied = [one for one in self._joint.augmentations if isinstance(one, Apply)]
        self._whole, self._rounds = bool(applied), [repr(one) for one in applied if not one.takes_floats]
        self._told_of_rounding = False
        self.columns = tuple(
            dict.fromkeys(c for n, k in {**self.images, **self._raw}.items() for c in k.columns(n))
        )

    def _placed(self, name: str, head: Head) -> Head:
        """A head as it is once it is laid in its image."""
        image = self.images[self._of[name]]
        return head.placed((image.shape[0], image.shape[1]), self._joint.uncovers)

    def only(self, name: str) -> Scene:
        """The same with one head alone, and without pixels: what its labels need."""
        one = copy.copy(self)
        head, one._pixels = self._raw[name], False
        names = [*([head.each] if head.each else []), name]
        names += [weights_key(name)] if weights_key(name) in self._raw else []
        one.heads, one._raw = {n: self.heads[n] for n in names}, {n: self._raw[n] for n in names}
        one._of = self._of.only(names)
        one.images = {n: self.images[n] for n in one._of.images}
        return one

    def image(self, name: str) -> Scene:
        """The same with one image alone."""
        one = copy.copy(self)
        one.images, one.first, one.heads, one._raw = {name: self.images[name]}, name, {}, {}
        one._of = require_frames(one.images, {})
        one.columns = self.images[name].columns(name)
        return one

    @property
    def uncovers(self) -> bool:
        """Whether pixels from outside of the images may be brought in."""
        return self._joint.uncovers

    def drawn(self, name: str) -> tuple[Scene, Head]:
        """The same with one head of which only what somebody drew counts; and that head, not resolved."""
        one = copy.copy(self)
        head = self._raw[name].drawn()
        placed = self._placed(name, head)
        one._raw, one.heads = {**self._raw, name: head}, {**self.heads, name: placed}
        return one, placed

    def sizes_of_a_row(self) -> set[tuple[int, int]]:
        """(height, width) of the images of the first row that can be read, whole and as the model gets them."""
        found = {(kind.shape[0], kind.shape[1]) for kind in self.images.values()}
        for name, kind in self.images.items():
            values: Any = plain(first_rows(self.source, kind.columns(name)[0])) if kind.late else []
            for value in values:
                with suppress(DataError):  # said where the row is read
                    found.add(self._frame(name, self._opened(name, value, 0), 0).shown)
                    break
        return found

    def place(
        self,
        rows: Mapping[str, Any],
        ids: np.ndarray,
        epoch: int | None,
        labels: bool = True,
        laps: Laps | None = None,
    ) -> dict[str, Values]:
        """The values of each image and each head of some rows, as `encode` takes them.

        Args:
            rows: the columns, as they were read.
            ids: the rows, int64 ``(B,)``.
            epoch: whose augmentations happen; None for none.
            labels: False leaves the heads out.
            laps: measures the stages.

        Raises:
            DataError: for an image that cannot be decoded, or a label that cannot be laid, with its row.
        """
        values = {name: plain(rows[kind.columns(name)[0]]) for name, kind in self.images.items()}
        heads = self._raw if labels else {}
        laid = {name: plain(rows[head.columns(name)[0]]) for name, head in heads.items()}
        told, count = self.source.ids_of(ids), len(ids)
        numbers = told.tolist()
        given: list[Any] = [{} for _ in range(count)]
        frames: list[dict[str, Frame]] = [{} for _ in range(count)]
        found: dict[str, list[Any]] = {name: [None] * count for name in (*values, *heads)}
        parts: list[Laps] = []

        def beside() -> Laps | None:
            own = None if laps is None else laps.beside()
            if own is not None:
                parts.append(own)
            return own

        def opened(i: int) -> None:
            own = beside()
            given[i] = {n: self._opened(n, values[n][i], numbers[i]) for n in self._of.images}
            if own is not None:
                own("read")
            frames[i] = {n: self._frame(n, one, numbers[i]) for n, one in given[i].items()}
            if own is not None:
                own("warp")

        def placed(pixels: Mapping[str, Any], lies: Mapping[str, Head], i: int) -> None:
            own, row = beside(), numbers[i]
            images = {}
            for name, column in pixels.items():
                value = given[i][name] if name in given[i] else self._opened(name, column[i], row)
                images[name] = self._decoded(name, value, row, plan, i)
            layers = self._layers(lies, laid, frames[i], i, row)
            if own is not None:
                own("decode")
            first = given[i][self.first]
            said = getattr(first, "where", place(input=self.first, row=row)) if whole else None
            for name, value in self._moved(plan, i, images, layers, ways, said):
                found[name][i] = value
            if own is not None:
                own("warp")

        def together(do: Callable[[int], None]) -> None:
            share(do, count)
            if laps is not None:
                laps.include(parts)
                parts.clear()

        if laps is not None:
            laps("read")
        together(opened)
        joint = self._plain if epoch is None else self._joint
        firsts = [f[self.first] for f in frames]
        turns = [f.turn for f in firsts] if self.images[self.first].exif == "ignored" else None
        plan = joint.plan(epoch or 0, ids, [f.shown for f in firsts], self.target, turns)
        ways = self._ways(heads)
        if laps is not None:
            laps("warp")
        whole = self._whole and epoch is not None
        for pixels, lies in self._passes(values, heads, whole):
            together(partial(placed, pixels, lies))
        out: dict[str, Values] = {}
        for name in values if self._pixels else ():
            out[name] = alike(found[name], name, told)
        for name, head in heads.items():
            dense = _one_a_row(head) and is_dense(laid[name]) and laid[name].dtype.kind in "iufb"
            out[name] = _stacked(found[name]) if dense else found[name]
        return out

    def _passes(
        self, values: dict[str, Any], heads: Mapping[str, Head], whole: bool
    ) -> list[tuple[dict[str, Any], Mapping[str, Head]]]:
        """Images and heads that are moved together, first those of pixels: what else there is of a row takes half the
        time when no image has just been through the processor's caches. ``whole`` has all of a row moved at once.
        """
        values = values if self._pixels else {}
        masks = {name: head for name, head in heads.items() if _one_a_row(head)}
        if whole or len(masks) == len(heads):
            return [(values, heads)]
        rest = {name: head for name, head in heads.items() if name not in masks}
        return [(values, masks), ({}, rest)] if values or masks else [({}, rest)]

    def _layers(
        self, heads: Mapping[str, Head], laid: Mapping[str, Any], frames: dict[str, Frame], i: int, row: int
    ) -> dict[str, dict[str, Any]]:
        """What lies in the image of one row, without what is missing, in pixels of the frame's image."""
        names = ("mask", "map", "boxes", "points", "entry", GONE)
        layers: dict[str, dict[str, Any]] = {name: {} for name in names}
        for name, head in heads.items():
            value = laid[name][i]
            if is_missing(value, head.missing):
                continue
            if not is_each(head):
                self._of.require_known(name, head, frames, row)
                found = self._lay(name, head, value, frames, row)
                if not head.unknown(found):
                    layers[str(head.layer)][name] = self._of.in_first(name, head, found, frames)
            elif head.each in layers["boxes"]:
                count = len(layers["boxes"][head.each])
                each = self._lay_each(name, head, value, count, frames, row)
                if head.layer in PIXELS:
                    if each and all(one is None for one in each):
                        continue
                    layers[GONE][name] = [one is None for one in each]
                    each = _of_one_size(each, frames[self._of[name]].label_size)
                layers[str(head.layer)][name] = self._of.in_first(name, head, each, frames)
        return layers

    def _ways(self, heads: Mapping[str, Head]) -> Ways:
        """How each image and each head is moved: the same for all rows."""
        sizes: dict[str, Any] = {name: kind.shape[:2] for name, kind in self.images.items()}
        placed = {name: self.heads[name].inner for name in heads}
        pixels = {name: head for name, head in placed.items() if head.layer in PIXELS}
        lying = {name: self.images[self._of[name]].shape[:2] for name in heads if name not in pixels}
        return Ways(
            {**sizes, **lying, **{name: head.size for name, head in pixels.items()}},
            {name for name, kind in self.images.items() if kind.photometric},
            {name: head.fill for name, head in pixels.items() if head.layer == "mask"},
            {name for name, head in pixels.items() if head.nearest},
            {name: head.inner.pairs for name, head in heads.items() if head.layer == "points"},
            {name: head.each for name, head in heads.items() if head.each is not None},
        )

    def _moved(
        self,
        plan: Any,
        i: int,
        images: dict[str, Any],
        layers: dict[str, dict[str, Any]],
        ways: Ways,
        whole: str | None,
    ) -> Iterator[tuple[str, Any]]:
        """All of one row as it is moved, by name; nothing for what is missing. ``whole`` names it for an `Apply`."""
        from polyhead.augment import transform_sample

        masks, maps, boxes, points = (layers[layer] for layer in ("mask", "map", "boxes", "points"))
        sizes, photometric, fills, nearest, swaps, each = ways
        owners = {name: owner for name, owner in each.items() if any(name in one for one in layers.values())}
        if whole is not None:
            sample = transform_sample(
                plan,
                i,
                where=whole,
                images=images,
                masks=masks,
                maps=maps,
                boxes=boxes,
                points=points,
                swaps=swaps,
                owners={name: owner for name, owner in owners.items() if name not in layers["entry"]},
                sizes=sizes,
                fills=fills,
                nearest=nearest,
                photometric=photometric,
            )
            moved, flat = sample.images, {**sample.masks, **sample.maps}
            kept = {**sample.boxes, **sample.points}
        else:
            moved = {
                name: plan.image(i, image, size=sizes[name], photometric=name in photometric)
                for name, image in images.items()
            }
            flat = {
                name: np.array([plan.mask(i, one, size=sizes[name], fill=fills[name]) for one in mask])
                if name in owners
                else plan.mask(i, mask, size=sizes[name], fill=fills[name])
                for name, mask in masks.items()
            }
            flat |= {
                name: plan.map(i, one, size=sizes[name], nearest=name in nearest)
                for name, one in maps.items()
            }
            kept = {name: plan.boxes(i, one, size=sizes[name]) for name, one in boxes.items()}
            kept |= {
                name: plan.points(i, one, size=sizes[name], swaps=swaps[name]) for name, one in points.items()
            }
        for name, image in moved.items():
            yield name, image if image.ndim == 3 else image[..., None]
        there: dict[str, np.ndarray] = {}
        for name, (coordinates, seen) in kept.items():
            head = self._raw[name]
            if name in owners:
                continue
            if self.stores and name in boxes:
                seen = seen | np.isnan(boxes[name]).any(1)
            if name in owners.values():
                at = np.flatnonzero(seen)
                at = there[name] = at[head.fitting(coordinates[at])]
                yield name, head.laid(coordinates[at], None, sizes[name])
            else:
                yield name, head.laid(coordinates, seen, sizes[name])
        for name, pixels in flat.items():
            if name not in owners:
                yield name, self._raw[name].laid(pixels, None, sizes[name])
        for name, owner in owners.items():
            entry, places = self._raw[name], there[owner].tolist()
            head = entry.inner
            if name in flat:
                gone, one = layers[GONE][name], flat[name]
                yield name, [None if gone[k] else head.laid(one[k], None, sizes[name]) for k in places]
            elif name in kept:
                coordinates, seen = kept[name]
                yield name, [head.laid(coordinates[k], seen[k], sizes[name]) for k in places]
            else:
                assert is_each(entry)
                entries = [layers["entry"][name][k] for k in places] + entry.unseen(boxes[owner])
                yield name, entries[: entry.places]

    # One value ---------------------------------------------------------------------------------------

    def _opened(self, name: str, value: Any, row: int) -> Any:
        """An image's pixels, or its encoded bytes: a file is opened once."""
        if not isinstance(value, str) and isinstance(value, Mapping):
            if "pixels" in value:  # decoded before, as a cache has it
                from polyhead.images.decode import Decoded

                return Decoded(value["pixels"], tuple(value["size"]), value["scale"], value["turn"])
            # as tables of encoded images have it
            value = value.get("bytes") or value.get("path")
        if isinstance(value, (str, os.PathLike)) or is_pillow(value):
            return File(value, place(input=name, row=row))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return value
        if isinstance(value, np.ndarray) and value.ndim in (2, 3):
            if not value.size:
                expected, found = "an image of at least one pixel", f"shape {value.shape}"
                raise DataError(Problem(place(input=name, row=row), expected, found))
            return value if value.ndim == 3 else value[..., None]
        expected = "a path, encoded bytes, or an array (H, W) or (H, W, C)"
        raise DataError(Problem(place(input=name, row=row), expected, shown(value)))

    def _frame(self, name: str, value: Any, row: int) -> Frame:
        from polyhead.images.decode import header_of

        if isinstance(value, np.ndarray):
            return Frame((int(value.shape[0]), int(value.shape[1])))
        if hasattr(value, "orientation"):
            turned = value.orientation > 4 and self.images[name].exif == "ignored"
            return Frame(value.size, value.size[::-1] if turned else value.size, value.orientation)
        where = value.where if isinstance(value, File) else place(input=name, row=row)
        data, page = value.data if isinstance(value, File) else value, self.images[name].page or 0
        header = header_of(data, page=page, where=where)
        self._tell_of_rounding(name, header, where)
        stored = (header.height, header.width) if self.images[name].exif == "ignored" else None
        return Frame(header.size, stored or header.size, header.orientation)

    def _decoded(self, name: str, value: Any, row: int, plan: Any, i: int) -> Any:
        kind = self.images[name]
        if not isinstance(value, np.ndarray):
            if not hasattr(value, "orientation"):
                size = plan.at_least(i, (kind.shape[0], kind.shape[1]))
                value = read(kind, name, value, row, size, self._deep(kind))
            if kind.range is not None:
                value = replace(value, pixels=ranged(kind, name, value.pixels, row, self._deep(kind)))
            return value
        if value.shape[2] != kind.channels:
            found = f"shape {value.shape}"
            raise DataError(Problem(place(input=name, row=row), f"{kind.channels} channels", found))
        if kind.range is not None:
            return ranged(kind, name, value, row, self._deep(kind))
        if value.dtype != np.uint8 and value.dtype.kind != "f":
            fix = "Say ph.Image(range=(low, high)): the numbers that become 0 and 1."
            raise DataError(Problem(place(input=name, row=row), "uint8 or floats", str(value.dtype), fix))
        return value

    def _deep(self, kind: Image) -> bool:
        """Whether all bits of a file are kept: functions of users' own expect 8."""
        return kind.dtype == "float32" and not self._rounds

    def _tell_of_rounding(self, name: str, header: Any, where: str) -> None:
        """Warn once that a function gets 8 bits of a file that has more."""
        more = header.bits > 8 and not header.lossy and self.images[name].dtype == "float32"
        if self._rounds and more and not self._told_of_rounding:
            self._told_of_rounding = True
            fix = (
                "Do it in a pipeline of albumentations, which gets all bits as floats in 0–1, or give float arrays; "
                'say ph.Image(dtype="uint8"), if 8 bits are enough.'
            )
            expected = f"8 bits a channel, as {self._rounds[0]} gets them"
            warn(Problem(where, expected, f"{header.bits}, which are rounded", fix, "depth", warning=True))

    def _lay(self, name: str, head: Head, value: Any, frames: Mapping[str, Frame], row: int) -> np.ndarray:
        where, own = place(head=name, row=row), value
        if head.layer in PIXELS and not isinstance(value, np.ndarray):
            value = drawn(head, value, where, self.images[self._of[name]].max_pixels)
        try:
            found = head.lay(value, frames[self._of[name]].label_size)
        except BadValue as bad:
            raise bad.located(head=name, row=row, file=path_of(own)) from None
        if head.layer in PIXELS:
            require_sides(where, str(head.layer), found.shape, self._of.frames(name, frames))
        return found

    def _lay_each(
        self, name: str, each: Each, value: Any, count: int, frames: Mapping[str, Frame], row: int
    ) -> Any:
        """One row's entries as they lie in the whole image: points ``(k, n, 2)``, or a list, with None in place of a
        mask that a box does not have.
        """
        try:
            entries = each.entries(value, count)
        except BadValue as bad:
            raise bad.located(**each.located(name), row=row) from None
        head = each.head
        if head.layer is None:
            return entries
        laid = [
            None if is_missing(entry, head.missing) else self._lay(name, head, entry, frames, row)
            for entry in entries
        ]
        if head.layer == "points":
            nowhere = np.full((head.places, 2), np.nan)
            return np.array([nowhere if one is None else one for one in laid]).reshape(-1, head.places, 2)
        shapes = {one.shape for one in laid if one is not None}
        if len(shapes) > 1:
            fix = "Draw the masks of a row in one size, and give None for a box without one."
            found = f"shapes {sorted(shapes)}"
            raise DataError(Problem(place(head=name, row=row), "masks of one size in a row", found, fix))
        return laid


def _one_a_row(head: Head) -> bool:
    """Whether a head has one mask or map a row."""
    return head.layer in PIXELS and head.each is None


def _of_one_size(masks: list[Any], size: tuple[int, int]) -> np.ndarray:
    """The masks of a row's boxes, ``(k, H, W)``, blank where one of them is missing; ``size`` is for no box."""
    blank = next((np.zeros_like(mask) for mask in masks if mask is not None), np.zeros((0, *size), np.uint8))
    return np.array([blank if mask is None else mask for mask in masks]) if masks else blank


def _stacked(masks: list[Any]) -> Values:
    """One array where all are there and of one shape, else a list with None.

    For masks of one array alone: where others are files or lists, a later one may be missing, as a list tells.
    """
    if any(mask is None for mask in masks) or len({np.shape(mask) for mask in masks}) > 1:
        return masks
    return np.stack(masks)
