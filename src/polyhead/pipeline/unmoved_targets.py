"""Rejects labels and inputs that would not be transformed or scaled with the image they belong to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import ContractError, DataError, Problem, place, similar, warn
from polyhead.kinds import Head, Image, Input, is_each
from polyhead.kinds.in_image import COORDINATES
from polyhead.kinds.keypoints import left_and_right
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.pixel_labels import exchanged_sides, is_transposed, label_pixels
from polyhead.pipeline.weight_columns import moving
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, row_of

LEAST_SIDES = {2: 8, 3: 4}
"""The rows and columns from which an array of so many axes, of the image's aspect ratio, likely belongs to its pixels.

A detector's grid, ``(7, 7, 30)``, does; ``(4, 4)`` may be any matrix.
"""


def require_moving(
    scene: Scene, inputs: Mapping[str, Input], heads: Mapping[str, Head], augment: Sequence[Any]
) -> None:
    """Raise for arrays of the image's size that are not transformed with it; warn of those of its aspect ratio."""
    moves = moving(augment)
    if not moves:
        return
    problems = [
        *_unmoved_arrays(scene, inputs, heads, moves[0]),
        *unmoved_numbers(heads, moves),
        *_unmoved_inputs(inputs, moves[0]),
        *_unmoved_maps(heads, moves),
    ]
    for problem in problems:
        if problem.warning:
            warn(problem)
    if errors := [problem for problem in problems if not problem.warning]:
        raise ContractError(*errors)


def _unmoved_arrays(
    scene: Scene, inputs: Mapping[str, Input], heads: Mapping[str, Head], move: Any
) -> Iterator[Problem]:
    """Yield a problem for each array of the image's size, or of its aspect ratio, whose kind doesn't move."""
    arrays: list[tuple[str, str, tuple[int, ...], str]] = []
    sizes = scene.sizes_of_a_row()
    for name, declared in inputs.items():
        if not isinstance(declared, Image):
            fix = "Declare it as ph.Image(photometric=False), with numbers in 0–1: it moves as the other image does."
            arrays.append((place(input=name), type(declared).__name__, declared.shape, fix))
    for name, head in heads.items():
        shape = head.inner.shape
        if head.inner.layer is None:
            channels = 1 if len(shape) < 3 else shape[0] if shape[1:] in sizes else shape[2]
            fix = f"Use ph.Map({channels}), which holds numbers for each pixel and moves with the image."
            if head.each is not None:
                fix = f"Use ph.Mask(each={head.each!r}) for a mask of each box, which moves with the image."
            arrays.append((place(head=name), type(head.inner).__name__, shape, fix))
    expected = f"a kind that moves with the image, which {move!r} moves"
    for where, kind, shape, fix in arrays:
        found = f"ph.{kind}, which does not move, of the image's {{}}, {shape}"
        start = next((i for i in range(len(shape) - 1) if shape[i : i + 2] in sizes), None)
        if start is not None:
            if start == 1 and len(shape) == 3:
                fix = f"Put the channels last, array.transpose(0, 2, 3, 1). {fix}"
            yield Problem(where, expected, found.format("height and width"), fix, "still")
        elif len(shape) in LEAST_SIDES and any(
            min(a, b) >= least and a * w == b * h
            for (a, b), least in ((shape[:2], LEAST_SIDES[len(shape)]), (shape[-2:], LEAST_SIDES[2]))
            for h, w in sizes
        ):
            maybe = f"{expected}, if it has numbers of the image"
            yield Problem(where, maybe, found.format("aspect ratio"), fix, "still", warning=True)


def _unmoved_inputs(inputs: Mapping[str, Input], move: Any) -> Iterator[Problem]:
    """Yield a warning for each input that seems to hold coordinates."""
    for name, declared in inputs.items():
        if _may_be_coordinates(name, declared):
            expected = f"an input that moves with the image, which {move!r} moves"
            found = f"ph.{type(declared).__name__}, whose numbers stay as they are"
            fix = "If they are coordinates in the image, leave the augmentation out."
            yield Problem(place(input=name), expected, found, fix, "still", warning=True)


def _unmoved_maps(heads: Mapping[str, Head], moves: Sequence[Any]) -> Iterator[Problem]:
    """Yield a problem for each map, if a user's function moves the image but no maps."""
    from polyhead.augment import Apply

    unable = next((a for a in moves if isinstance(a, Apply) and not a.is_pipeline), None)
    fix = "Use ph.Flip, ph.Rotate and the like, or a pipeline of albumentations, which move maps; or leave "
    fix += "the head out."
    for name, head in heads.items():
        if head.layer == "map" and unable is not None:
            yield Problem(place(head=name), "augmentations that move a map", repr(unable), fix)


def require_unit(source: Source, inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> None:
    """Raise for a map that reads an image's column as 0–255 while the image is scaled to 0–1; warn of similar maps."""
    problems = []
    images = {kind.columns(n): n for n, kind in inputs.items() if isinstance(kind, Image)}
    for name, head in heads.items():
        if not head.quantities or head.declares_unit:
            continue
        image = images.get(head.columns(name))
        kind = None if image is None else inputs[image]
        values = plain(first_rows(source, head.columns(name)[0])) if len(head.columns(name)) == 1 else None
        if values is None or (is_dense(values) and values.dtype.kind == "f"):
            continue
        if kind is None:
            _warn_of_bytes(name, head, values, {n: inputs[n] for n in images.values()})
        elif kind.dtype == "float32":
            expected = f"labels of 0–1, as input `{image}` scales the same column"
            found = "the numbers of the column, which may be 0–255"
            fix = f"Say ph.Map({kind.shape[2]}, column={head.columns(name)[0]!r}, scale=1/255), or scale=1 for 0–255."
            problems.append(Problem(place(head=name), expected, found, fix, "unit"))
    if problems:
        raise ContractError(*problems)


def _warn_of_bytes(name: str, head: Head, values: Any, images: Mapping[str, Input]) -> None:
    """Warn of a map of colors in 0–255, while images are scaled to 0–1."""
    scaled = [n for n, kind in images.items() if kind.dtype == "float32"]
    first = next((value for value in values if not is_missing(value, head.missing)), None)
    if not scaled or first is None or head.layer != "map" or head.channels < 3:
        return
    most = max((kind.max_pixels or 0 for kind in images.values() if isinstance(kind, Image)), default=0)
    try:
        dtype = np.asarray(label_pixels(head, first, place(head=name), most or None)).dtype
    except DataError:  # reported when the row is read
        return
    if dtype == np.uint8:
        fix = f"Say ph.Map({head.channels}, scale=1/255), or scale=1 to keep 0–255."
        expected = f"labels of 0–1, like the pixels of input `{scaled[0]}`"
        warn(Problem(place(head=name), expected, "bytes, 0–255", fix, "unit", warning=True))


def transposed_sides(
    source: Source, inputs: Mapping[str, Input], heads: Mapping[str, Head]
) -> Iterator[Problem]:
    """Return a problem for each mask or map with the image's height and width exchanged, for feeds without a scene.

    Args:
        source: the source of the rows, whose images have one size.
    """
    images = {name: kind for name, kind in inputs.items() if isinstance(kind, Image)}
    for name, head in heads.items():
        size = head.inner.size
        if size is None or head.of not in (None, *images):
            continue
        shown = [images[head.of]] if head.of is not None else list(images.values())
        sizes = [kind.size for kind in shown]
        if sizes and all(is_transposed(size, image_size) for image_size in sizes):
            words = exchanged_sides(str(head.layer), size, sizes[0])
            row = None if is_each(head) else row_of(source, 0)  # the first row may have no box
            yield Problem(place(head=name, row=row), *words, "transposed")


def require_images(inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> None:
    """Raise for heads whose ``of=`` names no image, or another one than their boxes do."""
    images = [name for name, kind in inputs.items() if isinstance(kind, Image)]
    problems = []
    for name, head in heads.items():
        of = heads.get(head.each or "", head).of
        if head.of is not None and head.of not in images:
            expected = f"the name of an image input ({', '.join(images) or 'there is none'})"
            where, found = f"{place(head=name)}, of={head.of!r}", "no image of that name"
            problems.append(Problem(where, expected, found, similar(head.of, images)))
        elif head.of is not None and of not in (None, head.of):
            expected = f"of={of!r}, the image of its boxes, `{head.each}`"
            fix = f"Leave it out; its labels have to lie in `{of}`."
            problems.append(Problem(place(head=name), expected, f"of={head.of!r}", fix))
    if problems:
        raise ContractError(*problems)


_BOXES = re.compile(r"(?<![a-z])(b?box(es)?|bnd_?box|[xy]_?(min|max))(?![a-z])", re.IGNORECASE)
_POINTS = re.compile(r"(?<![a-z])(key_?points?|landmarks?|corners?)(?![a-z])", re.IGNORECASE)
_OF_BOX = re.compile(r"(?<![a-z])[xy]_?(min|max)(?![a-z])", re.IGNORECASE)
_OF_POINT = re.compile(r"(?:.*[^a-zA-Z]|[cp])?([xyXY])|.*[a-z]([XY])|([xyXY])_?(?:center|centre|mid|pos)")
_OTHER_AXIS = str.maketrans("xyXY", "yxYX")
_VECTORS = re.compile(
    r"(?<![a-z])(flow|normals?|motion|offsets?|displacements?|vectors?|velocity)(?![a-z])", re.IGNORECASE
)


def unmoved_numbers(heads: Mapping[str, Head], moves: Sequence[Any]) -> Iterator[Problem]:
    """Yield a warning for each head that seems to hold coordinates or vectors, which its kind doesn't move.

    Args:
        moves: the augmentations that move the image.
    """
    from polyhead.augment import Flip, Rotate, Shear

    mirrors = [a for a in moves if isinstance(a, Flip)]
    turns = [a for a in moves if isinstance(a, (Flip, Rotate, Shear))]
    for name, head in heads.items():
        kind = _kind_that_moves(name, head, heads)
        if kind and moves:
            expected = f"a kind that moves with the image, which {moves[0]!r} moves"
            found = "ph.Regression, whose numbers stay as they are"
            fix = f"If they are coordinates in the image, use {kind}."
            yield Problem(place(head=name), expected, found, fix, "still", warning=True)
        elif mirrors and (sides := _classes_of_sides(head)):
            expected = f"augmentations that keep {sides} apart, as classes don't change places"
            fix = "Leave it out if a mirrored image shows the other one."
            yield Problem(place(head=name), expected, repr(mirrors[0]), fix, "still", warning=True)
        elif turns and _may_be_vectors(name, head):
            expected = "augmentations that keep directions, as the numbers of a ph.Map don't change"
            fix = "If they are vectors in the image, leave it out: ph.Crop and ph.Translate keep directions."
            yield Problem(place(head=name), expected, repr(turns[0]), fix, "still", warning=True)


def mirrored_numbers(heads: Mapping[str, Head]) -> Iterator[Problem]:
    """Yield a warning for each head whose predictions for a mirrored image seem to mean something else."""
    for name, head in heads.items():
        where = f"predict(tta=), {place(head=name)}"
        if sides := _classes_of_sides(head):
            fix = "If a mirrored image shows the other one, leave tta= out."
            expected = "classes that are the same in a mirrored image"
            yield Problem(where, expected, sides, fix, "still", warning=True)
        elif _kind_that_moves(name, head, heads) or _may_be_vectors(name, head):
            expected = "numbers that are the same in a mirrored image, as their mean is predicted"
            found = f"ph.{type(head).__name__}, whose numbers are not mirrored back"
            fix = "If they are coordinates or vectors in the image, leave tta= out."
            yield Problem(where, expected, found, fix, "still", warning=True)


def _kind_that_moves(name: str, head: Head, heads: Mapping[str, Head]) -> str:
    """The head for numbers that are coordinates by their name or columns; empty for others."""
    inner, count = head.inner, math.prod(head.inner.shape)
    names = " ".join([name, *head.columns(name)])
    if not inner.quantities or inner.layer is not None:
        return ""
    each = "" if head.each is None else f", each={head.each!r}"
    if count == 1 and not each:
        axis = _OF_POINT.fullmatch(name)
        k = 0 if axis is None else axis.start(axis.lastindex or 0)
        partner = name[:k] + name[k].translate(_OTHER_AXIS) + name[k + 1 :]
        pair = sorted([name, partner]) if axis and partner in heads else ()
        point = f"ph.Keypoints(1, column={[c for n in pair for c in heads[n].columns(n)]})" if pair else ""
        return "ph.Boxes(1) with the columns of the box in column=" if _OF_BOX.search(name) else point
    if not count % 4 and not each and _BOXES.search(names):
        return f"ph.Boxes({count // 4})"
    return f"ph.Keypoints({count // 2}{each})" if not count % 2 and _POINTS.search(names) else ""


def _may_be_coordinates(name: str, kind: Input) -> bool:
    """Return whether the name, columns and count of an input's numbers suggest coordinates."""
    words, count = " ".join([name, *kind.columns(name)]), math.prod(kind.shape or ())
    if isinstance(kind, Image) or getattr(kind, "vocabulary", None) is not None:
        return False
    several = (not count % 4 and _BOXES.search(words)) or (not count % 2 and _POINTS.search(words))
    return bool(several or _OF_BOX.search(words))


def _classes_of_sides(head: Head) -> str:
    """Two classes whose names differ only in left and right; empty if there are none."""
    names = head.names
    if head.layer in COORDINATES or not all(isinstance(name, str) for name in names):
        return ""
    return next((f"{names[a]!r} and {names[b]!r}" for a, b in left_and_right(names)), "")


def _may_be_vectors(name: str, head: Head) -> bool:
    return head.layer == "map" and head.channels > 1 and bool(_VECTORS.search(name))
