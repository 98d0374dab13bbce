"""Decides in which image of a row each label is located, for feeds with several images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.errors import ContractError, DataError, Problem, place
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import COORDINATES
from polyhead.pipeline.image_reader import Frame


@dataclass(frozen=True)
class HeadImages:
    """The image of each head.

    Attributes:
        first: the image for which matrices are made; all images of a row are assumed to show the same scene.
        all_images: the names of all images.
        heads: ``{head: image}``, with None if it is not declared.
        fit: the ``fit=`` of the images, if it needs images of one aspect ratio; else empty.
        warned: the heads that have a label of another aspect ratio.
    """

    first: str
    all_images: tuple[str, ...]
    heads: Mapping[str, str | None]
    fit: str = ""
    warned: set[str] = field(default_factory=set, compare=False)

    def __getitem__(self, head: str) -> str:
        """The image of a head."""
        return self.heads[head] or self.first

    @cached_property
    def images(self) -> tuple[str, ...]:
        """The images whose sizes have to be known: all of them if a head does not declare its image."""
        if self.fit or None in self.heads.values():
            return self.all_images
        return tuple(name for name in self.all_images if name == self.first or name in self.heads.values())

    def only(self, names: Sequence[str]) -> HeadImages:
        """The images of some of the heads."""
        return replace(self, heads={name: self.heads[name] for name in names})

    def frames(self, head: str, frames: Mapping[str, Frame]) -> list[Frame]:
        """The size of a head's image; the sizes of all images if it is not declared."""
        image = self.heads[head]
        names = sorted(frames, key=lambda name: name != self.first) if image is None else [image]
        return [frames[name] for name in names]

    def in_first(self, name: str, head: Head, coordinates: Any, frames: Mapping[str, Frame]) -> Any:
        """Convert coordinates in a head's image to coordinates in the first one; return other labels unchanged."""
        image = self.heads[name]
        if image is None or image == self.first or head.inner.layer not in COORDINATES:
            return coordinates
        (height, width), (rows, columns) = frames[image].label_size, frames[self.first].label_size
        return coordinates * np.tile([columns / width, rows / height], coordinates.shape[-1] // 2)

    def require_one_aspect_ratio(self, frames: Mapping[str, Frame], row: int) -> None:
        """Raise if the images of a row differ in aspect ratio and ``fit=`` depends on it."""
        if not self.fit:
            return
        sizes = {name: frame.shown for name, frame in frames.items()}
        for name, size in sizes.items():
            if not _same_aspect_ratio(size, sizes[self.first]):
                height, width = sizes[self.first]
                expected = f"the aspect ratio of `{self.first}` ({height} x {width}), as {_ONE_SCENE.format(self.fit)}"
                found = f"{size[0]} x {size[1]}"
                raise DataError(Problem(place(input=name, row=row), expected, found, _STRETCH, "fit"))

    def in_proportion(
        self, name: str, size: tuple[int, int], frames: Sequence[Frame], resized: Sequence[Any], array: bool
    ) -> bool:
        """Return whether a mask or map has the aspect ratio of its image; False only once for each head.

        Args:
            name: the head.
            size: (height, width) of the mask or map.
            frames: the sizes of the images that it may belong to.
            resized: the sizes to which images and labels are stretched; a label may have been stretched to them before.
            array: whether it is an array rather than a file; it may then have any size of that aspect ratio.
        """
        if name in self.warned or any(_same_aspect_ratio(size, frame.label_size) for frame in frames):
            return True
        if any(size == target or (array and _same_aspect_ratio(size, target)) for target in resized):
            return True
        self.warned.add(name)
        return False

    def require_known(self, name: str, head: Head, frames: Mapping[str, Frame], row: int) -> None:
        """Raise for coordinates in pixels of an undeclared image."""
        if self.heads[name] is not None or len(frames) == 1:
            return
        sizes = {n: frame.label_size for n, frame in frames.items()}
        if head.column_in_pixels and len(set(sizes.values())) > 1:
            raise DataError(_unsaid(place(head=name, row=row), head, sizes))


def require_head_images(images: Mapping[str, Image], heads: Mapping[str, Head]) -> HeadImages:
    """Return the image of each head.

    Raises:
        ContractError: if it has to be declared and is not, or if images are declared in incompatible ways.
    """
    problems: list[Problem] = []
    declared: dict[str, str | None] = {}
    for name, head in heads.items():
        owner = heads.get(head.each or "", head)
        declared[name] = owner.of
    names = dict.fromkeys(of for of in declared.values() if of is not None)
    first = next(iter(names)) if len(names) == 1 else next(iter(images))
    sizes = {name: kind.size for name, kind in images.items()}
    for name, head in heads.items():
        if head.layer not in COORDINATES or head.each is not None:
            continue
        if declared[name] is None and head.labels_in_pixels and len(set(sizes.values())) > 1:
            problems.append(_unsaid(place(head=name), head, sizes))
        elif declared[name] not in (None, first) and any(kind.exif == "ignored" for kind in images.values()):
            fix = 'Leave out exif="ignored", or give all heads one of=.'
            expected = f'exif="applied", as heads have labels in several images ({", ".join(names)})'
            problems.append(Problem(place(head=name), expected, '"ignored"', fix))
    fits = {name: kind.fit for name, kind in images.items() if kind.late}
    if len(set(fits.values())) > 1:
        found = ", ".join(f"`{name}` {fit}" for name, fit in fits.items())
        problems.append(Problem("Image(fit=)", "the same for all images of a feed", found))
    fit = next(iter(set(fits.values()) - {"stretch"}), "") if len(images) > 1 else ""
    if fit and not all(_same_aspect_ratio(size, sizes[first]) for size in sizes.values()):
        found = _sizes_in_words(sizes)
        expected = f"images of one aspect ratio, as {_ONE_SCENE.format(fit)}"
        problems.append(Problem("Image(height, width)", expected, found, _STRETCH))
    if problems:
        raise ContractError(*problems)
    return HeadImages(first, tuple(images), declared, fit)


_ONE_SCENE = 'fit="{}" moves all images of a row together'
_STRETCH = 'Say fit="stretch" for each image; it takes images of any aspect ratio.'


def _same_aspect_ratio(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sizes agree in aspect ratio, up to a pixel or 2 % of the shorter side, as copies do."""
    if other[0] > other[1]:
        size, other = size[::-1], other[::-1]
    (height, width), (rows, columns) = size, other
    return abs(width * rows / columns - height) <= max(1, height / 50)


def _unsaid(where: str, head: Head, sizes: Mapping[str, tuple[int, int]]) -> Problem:
    calls = " or ".join(f'{type(head.inner).__name__}(of="{name}")' for name in sizes)
    expected = "of= to name the image in whose pixels they are, as the images of a row differ in size"
    return Problem(where, expected, f"none ({_sizes_in_words(sizes)})", f"Say {calls}.", "of")


def _sizes_in_words(sizes: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"`{name}` {height} x {width}" for name, (height, width) in sizes.items())
