"""Decodes, resizes and moves the images of rows, with all that lies in them.

A scene is the rows of a feed whose images are files, or are augmented. For each row one matrix is made, from the
whole image to the one that the model gets, and the images, masks, boxes and keypoints of the row go through it.
The result is columns as the kinds encode them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import ContractError, DataError, Problem, place, shown
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.missing import is_dense, plain
from polyhead.kinds.sample_weights import weights_key
from polyhead.pipeline.image_frame import Frame, as_column_of_pixels
from polyhead.pipeline.image_reader import ImageReader
from polyhead.pipeline.label_layers import Strays, add_strays, layers_of
from polyhead.pipeline.prefetch import share_work
from polyhead.pipeline.row_moves import move, values_of, ways_of
from polyhead.pipeline.target_images import require_frames
from polyhead.profiling import NO_LAPS, Laps
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source


class Scene:
    """Decodes and moves the images of some rows, and what lies in them.

    Args:
        source: where rows are.
        images: the image inputs, resolved. One gives each row its frame: that in which heads say that they lie, else
            the first.
        heads: the heads that lie in the image.
        augment: augmentations, in the order in which they happen.
        seed: of the augmentations.

    Attributes:
        raw: the heads as given, those of boxes first.
        heads: the same, as they encode labels that were moved.
        owners: the image in which each head lies.
        first: the image that gives each row its frame.
        target: (height, width) of that image as the model gets it.
        encoders: the image inputs, as they encode pixels that were moved.
        reader: reads the images.
        joint: draws the augmentations.
        still: only resizes.
        moves_together: all of a row is moved at once, for a function of the user's own.
        stores: boxes that are missing keep their places, as a column has them.
        has_pixels: images are decoded; else only their frames are read, which labels need.

    Raises:
        ContractError: for what is no augmentation, where there is no image, or a head has the name of one.
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
        both = [
            Problem(
                place(head=name),
                "another name than that of an image, as both are moved together",
                f"the input `{name}`",
                f'Rename the head: heads={{"{name}_{type(heads[name].inner).__name__.lower()}": ...}}.',
            )
            for name in heads
            if name in images
        ]
        if both:
            raise ContractError(*both)
        self.source, self.images, self.has_pixels = source, dict(images), True
        self.encoders = {name: image.fixed(range=None) for name, image in images.items()}  # applied by then
        self.owners = require_frames(self.images, heads)
        self.first = self.owners.first
        image = self.images[self.first]
        self.target: tuple[int, int] = (image.shape[0], image.shape[1])
        visible = {head.min_visible for head in heads.values()} - {None} or {0.1}
        if len(visible) > 1:
            expected = "the same for all boxes of a feed"
            raise ContractError(Problem("Boxes(min_visible=)", expected, shown(sorted(visible))))
        self.raw = dict(sorted(heads.items(), key=lambda item: item[1].each is not None))
        fixed: dict[str, Any] = {"fit": image.fit, "min_visible": visible.pop()}
        self.joint, self.still = Joint(augment, seed, **fixed), Joint((), seed, **fixed)
        self.heads = {name: self._placed(name, head) for name, head in self.raw.items()}
        self.stores = False
        applied = [one for one in self.joint.augmentations if isinstance(one, Apply)]
        self.moves_together = bool(applied)
        self.reader = ImageReader(self.images, [repr(one) for one in applied if not one.takes_floats])
        self.columns = tuple(
            dict.fromkeys(c for n, k in {**self.images, **self.raw}.items() for c in k.columns(n))
        )

    def _placed(self, name: str, head: Head) -> Head:
        """A head as it is once it is laid in its image."""
        image = self.images[self.owners[name]]
        return head.placed((image.shape[0], image.shape[1]), self.joint.uncovers)

    def only(self, name: str) -> Scene:
        """The same with one head alone, and without pixels: what its labels need."""
        one = copy.copy(self)
        head, one.has_pixels = self.raw[name], False
        names = [*([head.each] if head.each else []), name]
        names += [weights_key(name)] if weights_key(name) in self.raw else []
        one.heads, one.raw = {n: self.heads[n] for n in names}, {n: self.raw[n] for n in names}
        one.owners = self.owners.only(names)
        one.images = {n: self.images[n] for n in one.owners.images}
        return one

    def image(self, name: str) -> Scene:
        """The same with one image alone."""
        one = copy.copy(self)
        one.images, one.first, one.heads, one.raw = {name: self.images[name]}, name, {}, {}
        one.owners = require_frames(one.images, {})
        one.columns = self.images[name].columns(name)
        return one

    @property
    def uncovers(self) -> bool:
        """Whether augmentations may bring in pixels from outside of the images."""
        return self.joint.uncovers

    def drawn(self, name: str) -> tuple[Scene, Head]:
        """The same with one head in which only annotated pixels count; and that head, not resolved."""
        one = copy.copy(self)
        head = self.raw[name].drawn()
        placed = self._placed(name, head)
        one.raw, one.heads = {**self.raw, name: head}, {**self.heads, name: placed}
        return one, placed

    def sizes_of_a_row(self) -> set[tuple[int, int]]:
        """(height, width) of the images of the first readable row, in full size and as the model gets them."""
        found = {(kind.shape[0], kind.shape[1]) for kind in self.images.values()}
        for name, kind in self.images.items():
            values: Any = plain(first_rows(self.source, kind.columns(name)[0])) if kind.late else []
            for value in values:
                with suppress(DataError):  # said where the row is read
                    found.add(self.reader.frame(name, self.reader.open(name, value, 0), 0).shown)
                    break
        return found

    def place(
        self,
        rows: Mapping[str, Any],
        ids: np.ndarray,
        epoch: int | None,
        labels: bool = True,
        laps: Laps = NO_LAPS,
        strays: Strays | None = None,
    ) -> dict[str, Values]:
        """The values of each image and each head of some rows, as `encode` takes them.

        Args:
            rows: the columns, as they were read.
            ids: the rows, int64 ``(B,)``.
            epoch: whose augmentations happen; None for none.
            labels: False leaves the heads out.
            laps: measures the stages.
            strays: gets the boxes and points outside of their image.

        Raises:
            DataError: for an image that cannot be decoded, or a label that cannot be laid, with its row.
        """
        passage = _Passage(self, rows, ids, epoch, labels, strays)
        laps("read")
        passage.each(passage.open, laps)
        passage.plan(ids, epoch)
        laps("warp")
        for pixels, lies in passage.passes():
            passage.each(partial(passage.move, pixels, lies), laps)
        return passage.columns()


class _Passage:
    """Some rows on their way through a scene; the arguments are those of `Scene.place`."""

    def __init__(
        self,
        scene: Scene,
        rows: Mapping[str, Any],
        ids: np.ndarray,
        epoch: int | None,
        labels: bool,
        strays: Strays | None,
    ) -> None:
        self._scene, self._heads, self._strays = scene, scene.raw if labels else {}, strays
        self._together = scene.moves_together and epoch is not None
        self._images = {name: plain(rows[kind.columns(name)[0]]) for name, kind in scene.images.items()}
        self._labels = {name: plain(rows[head.columns(name)[0]]) for name, head in self._heads.items()}
        self._ways = ways_of(scene.images, self._heads, scene.heads, scene.owners)
        self._at, self._ids = ids, scene.source.ids_of(ids)
        self._numbers, count = self._ids.tolist(), len(ids)
        self._opened: list[dict[str, Any]] = [{} for _ in range(count)]
        self._frames: list[dict[str, Frame]] = [{} for _ in range(count)]
        self._plan: Any = None
        self._found: dict[str, list[Any]] = {n: [None] * count for n in (*self._images, *self._heads)}

    def each(self, do: Callable[[int, Laps], None], laps: Laps) -> None:
        """``do`` for each row, by all threads that have nothing else to do."""
        parts: list[Laps] = []

        def timed(i: int) -> None:
            own = laps.beside()
            parts.append(own)
            do(i, own)

        share_work(timed, len(self._numbers))
        laps.include(parts)

    def open(self, i: int, laps: Laps) -> None:
        """Open the images of a row whose frames have to be known."""
        reader, row = self._scene.reader, self._numbers[i]
        names = self._scene.owners.images
        self._opened[i] = {name: reader.open(name, self._images[name][i], row) for name in names}
        laps("read")
        self._frames[i] = {name: reader.frame(name, one, row) for name, one in self._opened[i].items()}
        laps("warp")

    def plan(self, ids: np.ndarray, epoch: int | None) -> None:
        """Draw what happens to each row."""
        scene = self._scene
        joint = scene.still if epoch is None else scene.joint
        frames = [f[scene.first] for f in self._frames]
        turns = [f.turn for f in frames] if scene.images[scene.first].exif == "ignored" else None
        self._plan = joint.plan(epoch or 0, ids, [f.shown for f in frames], scene.target, turns)

    def passes(self) -> list[tuple[dict[str, Any], Mapping[str, Head]]]:
        """Images and heads that are moved together, first those of pixels: what else there is of a row takes half the
        time when no image has just been through the processor's caches.
        """
        values = self._images if self._scene.has_pixels else {}
        masks = {name: head for name, head in self._heads.items() if _has_one_mask(head)}
        if self._together or len(masks) == len(self._heads):
            return [(values, self._heads)]
        rest = {name: head for name, head in self._heads.items() if name not in masks}
        return [(values, masks), ({}, rest)] if values or masks else [({}, rest)]

    def move(self, pixels: Mapping[str, Any], heads: Mapping[str, Head], i: int, laps: Laps) -> None:
        """Decode and move some images and labels of a row."""
        scene, opened, row = self._scene, self._opened[i], self._numbers[i]
        images = {}
        for name, column in pixels.items():
            value = opened[name] if name in opened else scene.reader.open(name, column[i], row)
            images[name] = scene.reader.decode(name, value, row, self._plan, i)
        layers = layers_of(heads, self._labels, i, row, self._frames[i], scene.images, scene.owners)
        if self._strays is not None:
            size = self._frames[i][scene.first].label_size
            add_strays(self._strays, layers, int(self._at[i]), size)
        laps("decode")
        where = getattr(opened[scene.first], "where", "") or place(input=scene.first, row=row)
        moved = move(self._plan, i, images, layers, self._ways, where)
        for name, value in values_of(moved, layers, scene.raw, self._ways, scene.stores):
            self._found[name][i] = value
        laps("warp")

    def columns(self) -> dict[str, Values]:
        """The values of all images and heads."""
        found = self._found
        out: dict[str, Values] = {}
        for name in self._images if self._scene.has_pixels else ():
            out[name] = as_column_of_pixels(found[name], name, self._ids)
        for name, head in self._heads.items():
            labels = self._labels[name]
            dense = _has_one_mask(head) and is_dense(labels) and labels.dtype.kind in "iufb"
            out[name] = _stacked_masks(found[name]) if dense else found[name]
        return out


def _has_one_mask(head: Head) -> bool:
    return head.layer in PIXELS and head.each is None


def _stacked_masks(masks: list[Any]) -> Values:
    """One array where no mask is missing and all have one shape, else the list.

    For masks of one array alone: where others are files or lists, a later one may be missing, as a list tells.
    """
    if any(mask is None for mask in masks) or len({np.shape(mask) for mask in masks}) > 1:
        return masks
    return np.stack(masks)
