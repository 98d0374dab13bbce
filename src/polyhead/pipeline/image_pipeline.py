"""Decodes, resizes and augments the images of rows together with their labels.

A feed has a scene if its images are files or are augmented. Each row gets one matrix, from the original image to the
one that the model gets, which transforms the images, masks, boxes and keypoints of the row. The result is columns for
the kinds to encode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import BadValue, ContractError, DataError, Problem, place, shown
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.missing import is_dense, plain
from polyhead.kinds.sample_weights import weights_key
from polyhead.pipeline.image_reader import Frame, ImageReader, as_column_of_pixels
from polyhead.pipeline.kind_columns import as_one_column
from polyhead.pipeline.label_layers import LabelReader, Strays, add_strays, transform_options, values_of
from polyhead.pipeline.prefetch import share_work
from polyhead.pipeline.target_images import require_head_images
from polyhead.profiling import NO_LAPS, Laps
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, row_of


def needs_scene(source: Source, images: Mapping[str, Image], heads: Mapping[str, Head]) -> bool:
    """Return whether any image, or any label in one, has to be decoded or resized."""
    if any(kind.late for kind in images.values()):
        return True
    return bool(images) and any(is_rendered(source, name, head) for name, head in heads.items())


def is_rendered(source: Source, name: str, head: Head) -> bool:
    """Return whether the labels of a head lie in an image and have to be decoded, drawn or resized."""
    return head.layer is not None and head.needs_rendering(first_rows(source, head.columns(name)[0]))


class Scene:
    """Decodes and transforms the images of rows, and the labels located in them.

    Args:
        images: the resolved image inputs. Matrices are made for one of them: the one that heads name by ``of=``, else
            the first.

    Attributes:
        declared: the heads as given, boxes before the labels of each box.
        heads: the same heads, set to encode transformed labels.
        first: the image for which matrices are made.
        target: (height, width) of that image as the model gets it.
        encoders: the image inputs, set to encode transformed pixels.
        still: only resizes.
        moves_together: whether everything in a row is transformed at once, for a user's function.
        stores: whether missing boxes keep their places, as in a column.
        has_pixels: whether images are decoded; otherwise only their headers are read, which labels need.

    Raises:
        ContractError: for an invalid augmentation, no image input, or a head with the name of an image.
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
        clashes = [
            Problem(
                place(head=name),
                "a name that no image input has, as both are transformed together",
                f"the input `{name}`",
                f'Rename the head: heads={{"{name}_{type(heads[name].inner).__name__.lower()}": ...}}.',
            )
            for name in heads
            if name in images
        ]
        if clashes:
            raise ContractError(*clashes)
        self.source, self.images, self.has_pixels = source, dict(images), True
        self.encoders = {name: image.fixed(range=None) for name, image in images.items()}  # already applied
        self.head_images = require_head_images(self.images, heads)
        self.first = self.head_images.first
        image = self.images[self.first]
        self.target = image.size
        visible = {head.min_visible for head in heads.values()} - {None} or {0.1}
        if len(visible) > 1:
            expected = "the same for all boxes of a feed"
            raise ContractError(Problem("Boxes(min_visible=)", expected, shown(sorted(visible))))
        self.declared = dict(sorted(heads.items(), key=lambda item: item[1].each is not None))
        fixed: dict[str, Any] = {"fit": image.fit, "min_visible": visible.pop()}
        self.joint, self.still = Joint(augment, seed, **fixed), Joint((), seed, **fixed)
        self.heads = {name: self._for_image(name, head) for name, head in self.declared.items()}
        self.stores = False
        applied = [apply for apply in self.joint.augmentations if isinstance(apply, Apply)]
        self.moves_together = bool(applied)
        self.reader = ImageReader(self.images, [repr(apply) for apply in applied if not apply.is_pipeline])

    def _for_image(self, name: str, head: Head) -> Head:
        """The head set to encode labels that were transformed with its image."""
        image = self.images[self.head_images[name]]
        encoding = head.for_image(image.size, self.joint.uncovers)
        columns = head.columns(name)  # transformed labels are one column, called like the first
        return encoding.fixed(column=columns[0]) if len(columns) > 1 else encoding

    def only(self, name: str) -> Scene:
        """A copy with a single head and without pixels: what the labels of that head need."""
        scene = copy.copy(self)
        head, scene.has_pixels = self.declared[name], False
        names = [*([head.each] if head.each else []), name]
        names += [weights_key(name)] if weights_key(name) in self.declared else []
        scene.heads, scene.declared = {n: self.heads[n] for n in names}, {n: self.declared[n] for n in names}
        scene.head_images = self.head_images.only(names)
        scene.images = {n: self.images[n] for n in scene.head_images.images}
        return scene

    def image(self, name: str) -> Scene:
        """A copy with a single image and no heads."""
        scene = copy.copy(self)
        scene.images, scene.first, scene.heads, scene.declared = {name: self.images[name]}, name, {}, {}
        scene.head_images = require_head_images(scene.images, {})
        return scene

    def with_drawn_labels(self, name: str) -> tuple[Scene, Head]:
        """A copy in which the pixels of one head count only where annotated; and that head, not resolved."""
        scene = copy.copy(self)
        head = self.declared[name].for_drawn_labels()
        encoding = self._for_image(name, head)
        scene.declared, scene.heads = {**self.declared, name: head}, {**self.heads, name: encoding}
        return scene, encoding

    def sizes_of_a_row(self) -> set[tuple[int, int]]:
        """(height, width) of the images of the first readable row, in full size and as the model gets them."""
        sizes = {kind.size for kind in self.images.values()}
        for name, kind in self.images.items():
            values: Any = plain(first_rows(self.source, kind.columns(name)[0])) if kind.late else []
            for value in values:
                with suppress(DataError):  # reported when the row is read
                    sizes.add(self.reader.frame(name, self.reader.open(name, value, 0)).shown)
                    break
        return sizes

    def transform(
        self,
        rows: Mapping[str, Any],
        ids: np.ndarray,
        epoch: int | None,
        labels: bool = True,
        laps: Laps = NO_LAPS,
        strays: Strays | None = None,
    ) -> dict[str, Values]:
        """Transform the images and labels of some rows; return the values that the kinds encode, by name.

        Args:
            ids: the rows, int64 ``(B,)``.
            epoch: the epoch whose augmentations to apply; None for none.
            labels: False leaves the heads out.
            laps: measures the time of each stage.
            strays: gets the boxes and points outside of their image.

        Raises:
            DataError: for an image that cannot be decoded, or an invalid label, naming its row.
        """
        batch = _RowsInScene(self, rows, ids, epoch, labels, strays)
        laps("read")
        batch.for_each_row(batch.open, laps)
        batch.plan(epoch)
        laps("warp")
        for pixels, heads in batch.passes():
            batch.for_each_row(partial(batch.move, pixels, heads), laps)
        return batch.columns()


class _RowsInScene:
    """The state of some rows while a scene transforms them; the arguments are those of `Scene.transform`."""

    def __init__(
        self,
        scene: Scene,
        rows: Mapping[str, Any],
        ids: np.ndarray,
        epoch: int | None,
        labels: bool,
        strays: Strays | None,
    ) -> None:
        self._scene, self._heads, self._strays = scene, scene.declared if labels else {}, strays
        self._together = scene.moves_together and epoch is not None
        self._images = {name: plain(rows[kind.columns(name)[0]]) for name, kind in scene.images.items()}
        self._options = transform_options(scene.images, self._heads, scene.heads, scene.head_images)
        self._label_reader = LabelReader(scene.images, scene.head_images)
        self._rows, self._ids, count = ids, scene.source.ids_of(ids), len(ids)
        self._id_list = self._ids.tolist()
        self._labels = {name: self._labels_of(name, head, rows) for name, head in self._heads.items()}
        self._opened: list[dict[str, Any]] = [{} for _ in range(count)]
        self._frames: list[dict[str, Frame]] = [{} for _ in range(count)]
        self._plan: Any = None
        self._values: dict[str, list[Any]] = {n: [None] * count for n in (*self._images, *self._heads)}

    def _labels_of(self, name: str, head: Head, rows: Mapping[str, Any]) -> Any:
        try:
            return plain(as_one_column({column: rows[column] for column in head.columns(name)}))
        except BadValue as bad:
            raise bad.located(head=name, row=row_of(self._scene.source, bad.index, self._rows)) from None

    def for_each_row(self, do: Callable[[int, Laps], None], laps: Laps) -> None:
        """Call ``do`` for each row, in all idle threads."""
        row_laps: list[Laps] = []

        def timed(i: int) -> None:
            own_laps = laps.beside()  # other threads append theirs at the same time
            row_laps.append(own_laps)
            do(i, own_laps)

        share_work(timed, len(self._rows))
        laps.include(row_laps)

    def open(self, i: int, laps: Laps) -> None:
        """Open the images of a row whose sizes are needed."""
        reader, row = self._scene.reader, self._id_list[i]
        names = self._scene.head_images.images
        self._opened[i] = {name: reader.open(name, self._images[name][i], row) for name in names}
        laps("read")
        self._frames[i] = {name: reader.frame(name, image) for name, image in self._opened[i].items()}
        self._scene.head_images.require_one_aspect_ratio(self._frames[i], row)
        laps("warp")

    def plan(self, epoch: int | None) -> None:
        """Draw the augmentations of each row."""
        scene = self._scene
        joint = scene.still if epoch is None else scene.joint
        frames = [frames_of_row[scene.first] for frames_of_row in self._frames]
        turns = [frame.turn for frame in frames] if scene.images[scene.first].exif == "ignored" else None
        sizes = [frame.shown for frame in frames]
        self._plan = joint.plan(epoch or 0, self._rows, sizes, scene.target, turns)

    def passes(self) -> list[tuple[dict[str, Any], Mapping[str, Head]]]:
        """The groups of images and heads to transform together: first images and masks, then all other labels.

        The others take half the time when no image has just passed through the processor's caches.
        """
        values = self._images if self._scene.has_pixels else {}
        masks = {name: head for name, head in self._heads.items() if _has_one_mask(head)}
        if self._together or len(masks) == len(self._heads):
            return [(values, self._heads)]
        others = {name: head for name, head in self._heads.items() if name not in masks}
        return [(values, masks), ({}, others)] if values or masks else [({}, others)]

    def move(self, pixels: Mapping[str, Any], heads: Mapping[str, Head], i: int, laps: Laps) -> None:
        """Decode and transform some images and labels of a row."""
        from polyhead.augment import transform_sample

        scene, opened, row = self._scene, self._opened[i], self._id_list[i]
        images = {}
        for name, column in pixels.items():
            value = opened[name] if name in opened else scene.reader.open(name, column[i], row)
            images[name] = scene.reader.decode(name, value, row, self._plan, i)
        layers = self._label_reader.layers(heads, self._labels, i, row, self._frames[i])
        if self._strays is not None:
            size = self._frames[i][scene.first].label_size
            add_strays(self._strays, layers, int(self._rows[i]), size)
        laps("decode")
        moved = transform_sample(
            self._plan,
            i,
            images=images,
            masks=layers["mask"],
            maps=layers["map"],
            boxes=layers["boxes"],
            points=layers["points"],
            where=getattr(opened[scene.first], "where", "") or place(input=scene.first, row=row),
            options=self._options,
        )
        for name, value in values_of(moved, layers, scene.declared, self._options, scene.stores):
            self._values[name][i] = value
        laps("warp")

    def columns(self) -> dict[str, Values]:
        """The values of all images and heads."""
        columns: dict[str, Values] = {}
        for name in self._images if self._scene.has_pixels else ():
            columns[name] = as_column_of_pixels(self._values[name], name, self._ids)
        for name, head in self._heads.items():
            labels, values = self._labels[name], self._values[name]
            dense = _has_one_mask(head) and is_dense(labels) and labels.dtype.kind in "iufb"
            columns[name] = _stacked_masks(values) if dense else values
        return columns


def _has_one_mask(head: Head) -> bool:
    return head.layer in PIXELS and head.each is None


def _stacked_masks(masks: list[Any]) -> Values:
    """Stack masks into one array if none is missing and all have the same shape, else return the list.

    It is only used for columns that are arrays: in columns of files or lists, later masks may be missing.
    """
    if any(mask is None for mask in masks) or len({np.shape(mask) for mask in masks}) > 1:
        return masks
    return np.stack(masks)
