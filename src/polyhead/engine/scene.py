"""Images that are decoded, resized and moved, and with them all that lies in them.

A scene is the rows of a feed whose images are files, or are augmented. For each row one matrix is made, from the
whole image to the one that the model gets, and the images, masks, boxes and keypoints of the row go through it.
What comes out are columns as the kinds encode them.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, ContractError, DataError, Problem, place, shown
from polyhead.kinds import Boxes, Head, Image, Keypoints, Mask
from polyhead.kinds._missing import is_dense, is_missing, plain
from polyhead.sources._values import Values
from polyhead.sources.base import Source, checked_rows

_ENCODED = (str, bytes, bytearray, memoryview, os.PathLike)


class Scene:
    """Decodes and moves the images of some rows, and what lies in them.

    Args:
        source: where rows are.
        images: the image inputs, resolved. The first gives each row its size; boxes and keypoints lie in it.
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
        from polyhead.vision import Apply, Joint

        if not images:
            fix = "Declare an input as ph.Image."
            raise ContractError(Problem("Feed(augment=)", "an image among the inputs", "none", fix))
        self.source, self.images, self._pixels = source, dict(images), True
        self.first, image = next(iter(images.items()))
        self.target: tuple[int, int] = (image.shape[0], image.shape[1])
        visible = {head.min_visible for head in heads.values() if isinstance(head, Boxes)} or {0.1}
        if len(visible) > 1:
            expected = "the same for all boxes of a feed"
            raise ContractError(Problem("Boxes(min_visible=)", expected, shown(sorted(visible))))
        self.heads = {name: head.placed(self.target) for name, head in heads.items()}
        self._raw = dict(heads)
        fixed: dict[str, Any] = {"fit": image.fit, "min_visible": visible.pop()}
        self._joint, self._plain = Joint(augment, seed, **fixed), Joint((), seed, **fixed)
        self._whole = any(isinstance(one, Apply) for one in self._joint.augmentations)
        self.columns = tuple(
            dict.fromkeys(c for n, k in {**self.images, **self._raw}.items() for c in k.columns(n))
        )

    def only(self, name: str) -> Scene:
        """The same with one head alone, and without pixels: what its labels need."""
        one = copy.copy(self)
        one.images, one._pixels = {self.first: self.images[self.first]}, False
        one.heads, one._raw = {name: self.heads[name]}, {name: self._raw[name]}
        return one

    def place(
        self, rows: Mapping[str, Any], ids: np.ndarray, epoch: int | None, labels: bool = True
    ) -> dict[str, Values]:
        """The values of each image and each head of some rows, as `encode` takes them.

        Args:
            rows: the columns, as they were read.
            ids: the rows, int64 ``(B,)``.
            epoch: whose augmentations happen; None for none.
            labels: False leaves the heads out.

        Raises:
            DataError: for an image that cannot be decoded, or a label that cannot be laid, with its row.
        """
        values = {name: plain(rows[kind.columns(name)[0]]) for name, kind in self.images.items()}
        given = [self._opened(self.first, values[self.first][i], int(ids[i])) for i in range(len(ids))]
        frames = [self._frame(self.first, value, int(row)) for value, row in zip(given, ids, strict=True)]
        joint = self._plain if epoch is None else self._joint
        turns = [f.turn for f in frames] if self.images[self.first].annotated == "stored" else None
        plan = joint.plan(epoch or 0, ids, [f.shown for f in frames], self.target, turns)
        heads = self._raw if labels else {}
        laid = {name: plain(rows[head.columns(name)[0]]) for name, head in heads.items()}
        found: dict[str, list[Any]] = {name: [] for name in (*values, *heads)}
        for i, row in enumerate(ids.tolist()):
            images = {}
            for name, column in values.items() if self._pixels else ():
                value = given[i] if name == self.first else self._opened(name, column[i], row)
                images[name] = self._decoded(name, value, row, plan, i)
            missing: list[str] = []
            layers: dict[str, dict[str, np.ndarray]] = {"mask": {}, "boxes": {}, "points": {}}
            for name, head in heads.items():
                value = laid[name][i]
                if is_missing(value, head.missing):
                    missing.append(name)
                    continue
                layers[str(head.layer)][name] = self._lay(name, head, value, frames[i], row)
            self._move(plan, i, images, layers, found, epoch is not None)
            for name in missing:
                found[name].append(None)
        out: dict[str, Values] = {}
        for name in values if self._pixels else ():
            out[name] = _alike(found[name], name, ids)
        for name, head in heads.items():
            sure = is_dense(laid[name]) and laid[name].dtype.kind in "iufb"
            out[name] = _stacked(found[name]) if head.layer == "mask" and sure else found[name]
        return out

    def _move(
        self,
        plan: Any,
        i: int,
        images: dict[str, Any],
        layers: dict[str, dict[str, np.ndarray]],
        found: dict[str, list[Any]],
        augmented: bool,
    ) -> None:
        """Move all of one row, and append it to what was found."""
        masks, boxes, points = (layers[layer] for layer in ("mask", "boxes", "points"))
        sizes: dict[str, Any] = {name: kind.shape[:2] for name, kind in self.images.items()}
        light = {name for name, kind in self.images.items() if kind.light}
        sizes |= {name: head.size for name in masks if isinstance(head := self.heads[name], Mask)}
        fills = {name: head.fill for name in masks if isinstance(head := self._raw[name], Mask)}
        swaps = {name: head.pairs for name in points if isinstance(head := self._raw[name], Keypoints)}
        if self._whole and augmented:
            sample = plan.sample(
                i,
                images=images,
                masks=masks,
                boxes=boxes,
                points=points,
                swaps=swaps,
                sizes=sizes,
                fills=fills,
                photometric=light,
            )
            moved, drawn = sample.images, sample.masks
            kept = {**sample.boxes, **sample.points}
        else:
            moved = {
                name: plan.image(i, image, size=sizes[name], photometric=name in light)
                for name, image in images.items()
            }
            drawn = {
                name: plan.mask(i, mask, size=sizes[name], fill=fills[name]) for name, mask in masks.items()
            }
            kept = {name: plan.boxes(i, one) for name, one in boxes.items()}
            kept |= {name: plan.points(i, one, swaps=swaps[name]) for name, one in points.items()}
        for name, image in moved.items():
            found[name].append(image if image.ndim == 3 else image[..., None])
        for name, mask in drawn.items():
            found[name].append(self._raw[name].laid(mask, None, self.target))
        for name, (coordinates, seen) in kept.items():
            found[name].append(self._raw[name].laid(coordinates, seen, self.target))

    # One value ---------------------------------------------------------------------------------------

    def _opened(self, name: str, value: Any, row: int) -> Any:
        """An image's pixels, or its encoded bytes: a file is opened once."""
        if isinstance(value, Mapping):  # as tables of encoded images have it
            value = value.get("bytes") or value.get("path")
        if isinstance(value, (str, os.PathLike)):
            return _File(value, place(input=name, row=row))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return value
        if isinstance(value, np.ndarray) and value.ndim in (2, 3):
            return value if value.ndim == 3 else value[..., None]
        expected = "a path, encoded bytes, or an array (H, W) or (H, W, C)"
        raise DataError(Problem(place(input=name, row=row), expected, shown(value)))

    def _frame(self, name: str, value: Any, row: int) -> _Frame:
        from polyhead.vision import header_of

        if isinstance(value, np.ndarray):
            return _Frame((int(value.shape[0]), int(value.shape[1])))
        where = value.where if isinstance(value, _File) else place(input=name, row=row)
        header = header_of(value.data if isinstance(value, _File) else value, where=where)
        annotated = (header.height, header.width) if self.images[name].annotated == "stored" else None
        return _Frame(header.size, annotated or header.size, header.orientation)

    def _decoded(self, name: str, value: Any, row: int, plan: Any, i: int) -> Any:
        from polyhead.vision import decode

        kind = self.images[name]
        if isinstance(value, np.ndarray):
            if value.shape[2] != kind.channels:
                found = f"shape {value.shape}"
                raise DataError(Problem(place(input=name, row=row), f"{kind.channels} channels", found))
            if value.dtype != np.uint8 and value.dtype.kind != "f":
                raise DataError(Problem(place(input=name, row=row), "uint8 or floats", str(value.dtype)))
            return value
        where = value.where if isinstance(value, _File) else place(input=name, row=row)
        data = value.data if isinstance(value, _File) else value
        size = plan.at_least(i, (kind.shape[0], kind.shape[1]))
        deep = kind.dtype == "float32" and not self._whole  # functions of users' own expect 8 bits
        return decode(data, channels=kind.channels, at_least=size, deep=deep, where=where)

    def _lay(self, name: str, head: Head, value: Any, frame: _Frame, row: int) -> np.ndarray:
        from polyhead.vision import decode, decode_mask

        if head.layer == "mask" and not isinstance(value, np.ndarray):
            where = place(head=name, row=row)
            if hasattr(value, "segments"):  # a panoptic PNG: its colours are numbers of segments
                value = value.to_mask(decode(value.path, where=where).pixels)
            elif hasattr(value, "to_mask"):
                value = value.to_mask()
            elif isinstance(value, _ENCODED):
                value = decode_mask(value, where=where)
        try:
            found = head.lay(value, frame.annotated)
        except BadValue as bad:
            raise bad.located(head=name, row=row) from None
        if head.layer == "mask" and frame.turns_sides and found.shape[:2] == frame.annotated[::-1]:
            raise DataError(self._turned(name, found.shape, frame, row))
        return found

    def _turned(self, name: str, shape: tuple[int, ...], frame: _Frame, row: int) -> Problem:
        """A mask that was made on the image turned by a quarter."""
        said, other, fix = ("shown", "stored", 'Say ph.Image(..., annotated="stored")')
        if frame.annotated != frame.shown:
            said, other, fix = ("stored", "shown", 'Leave out annotated="stored"')
        expected = f"a mask of the image as it is {said}, {frame.annotated[0]} x {frame.annotated[1]}"
        found = f"{shape[0]} x {shape[1]}, that of the image as it is {other} (its Exif says to turn it)"
        return Problem(place(head=name, row=row), expected, found, f"{fix}, if all labels are so.", "turned")


class Laid(Source):
    """The labels of one head of a scene, decoded and resized, and not augmented."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._scene, self._name = scene, name
        self._head = scene.heads[name]

    def __len__(self) -> int:
        return len(self._scene.source)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._head.reads(self._name)

    def only(self, columns: Sequence[str]) -> Source:
        return self

    def read(self, ids: np.ndarray) -> dict[str, Values]:
        scene = self._scene
        needed = [*scene.images[scene.first].columns(scene.first), *self._head.reads(self._name)]
        source = scene.source.only(list(dict.fromkeys(needed)))
        rows: dict[str, Any] = dict(checked_rows(source, source.read(ids), len(ids)))
        rows[self._head.columns(self._name)[0]] = scene.only(self._name).place(rows, ids, None)[self._name]
        return rows


class _Frame:
    """The frame of an image: (height, width) as it is shown, and as its annotations take it."""

    __slots__ = ("annotated", "shown", "turn")

    def __init__(
        self, shown: tuple[int, int], annotated: tuple[int, int] | None = None, turn: int = 1
    ) -> None:
        self.shown, self.annotated, self.turn = shown, annotated or shown, turn

    @property
    def turns_sides(self) -> bool:
        """Whether the image is shown with height and width exchanged."""
        return self.turn > 4 and self.shown[0] != self.shown[1]


class _File:
    """A file that was read, and the words that name it."""

    def __init__(self, path: Any, where: str) -> None:
        self.where = f"{where}, {place(file=os.fspath(path))}"
        try:
            with open(path, "rb") as file:
                self.data = file.read()
        except OSError as error:
            found = error.strerror or type(error).__name__
            raise DataError(Problem(self.where, "a file that can be read", found)) from error


def _alike(images: list[np.ndarray], name: str, ids: np.ndarray) -> np.ndarray:
    """Images of one dtype as one array; those of 8 and of 16 bits as floats in 0–1, where they differ or are 16."""
    if len({image.dtype for image in images}) == 1 and images[0].dtype.kind == "f":
        return np.stack(images)
    if all(image.dtype == np.uint8 for image in images):
        return np.stack(images)
    for image, row in zip(images, ids.tolist(), strict=True):
        if image.dtype not in (np.uint8, np.uint16) and image.dtype.kind != "f":
            expected = "8 or 16 bits a channel, or floats in 0–1"
            raise DataError(Problem(place(input=name, row=row), expected, str(image.dtype)))
    return np.stack(
        [
            i.astype(np.float32) if i.dtype.kind == "f" else i / np.float32(np.iinfo(i.dtype).max)
            for i in images
        ]
    )


def _stacked(masks: list[Any]) -> Values:
    """One array where all are there and of one shape, else a list with None.

    For masks of one array alone: where others are files or lists, a later one may be missing, as a list tells.
    """
    if any(mask is None for mask in masks) or len({np.shape(mask) for mask in masks}) > 1:
        return masks
    return np.stack(masks)
