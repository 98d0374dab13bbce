"""Folders of masks: matches masks to images by name, and detects folders of masks next to folders of images."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from polyhead.columns.image_values import ENDINGS
from polyhead.errors import counted, place, shown
from polyhead.readers.paths import Root, stem_of

_IMAGES = re.compile(
    r"(jpeg)?(images?|imgs?|photos?|photographs?|pictures?|pics?|frames?|scans?|inputs?|rgb)"
)
_MASKS = re.compile(
    r"masks?|(segmentation|seg)s?(_?masks?|_?labels?|class|object)?|labels?|labelmaps?|annotations?|gts?"
    r"|ground_?truths?"
)
_LOSSLESS = tuple(end for end in ENDINGS if end not in (".jpg", ".jpeg", ".jp2", ".heic", ".heif", ".avif"))


def folders_of_masks(names: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """Detect top-level folders that hold images and their masks rather than classes.

    A folder holds masks if at least half of its files are named after images in another folder, and more says so: it
    is named like a folder of masks; or all its files are lossless, and the other folder is named like a folder of
    images, the files have a word for masks in their names, or each is named after one of the other's lossy files. Equal
    names alone do not suffice, as classes may number their images in the same way.

    Args:
        names: the names of all files, such as ``folder/name.jpg``.

    Returns:
        The values of ``images=`` and ``masks=`` for `read_folder`; None for other folders.

    >>> folders_of_masks(["photos/1.jpg", "photos/2.jpg", "masks/1_m.png", "masks/2_m.png"])
    ('photos', {'mask': 'masks/{stem}_m'})
    >>> folders_of_masks(["Fotos/1.jpg", "Fotos/2.jpg", "Masken/1.png"])
    ('Fotos', {'mask': 'Masken'})
    >>> folders_of_masks(["cat/1.jpg", "dog/1.jpg"]) is None
    True
    """
    files_in: dict[str, list[str]] = {}
    for name in names:
        folder, sign, rest = name.partition("/")
        if sign:
            files_in.setdefault(folder, []).append(rest)
    stems = {folder: {os.path.splitext(rest)[0] for rest in files} for folder, files in files_in.items()}
    pictures = [folder for folder in files_in if _IMAGES.fullmatch(folder.lower())]
    if not pictures:
        pictures = [folder for folder in files_in if not _MASKS.fullmatch(folder.lower())]
    for images in sorted(pictures, key=lambda folder: -len(stems[folder])):
        named = bool(_IMAGES.fullmatch(images.lower()))
        lossy = not any(rest.lower().endswith(_LOSSLESS) for rest in files_in[images])
        masks: dict[str, str] = {}
        for folder, files in files_in.items():
            pattern = _pattern(stems[images], sorted(stems[folder]))
            if folder == images or _IMAGES.fullmatch(folder.lower()) or pattern is None:
                continue
            before, _, after = pattern.partition("{stem}")
            by_affix = any(_MASKS.fullmatch(word.strip("_-. ").lower()) for word in (before, after))
            every = all(m[len(before) : len(m) - len(after)] in stems[images] for m in stems[folder])
            lossless = all(rest.lower().endswith(_LOSSLESS) for rest in files)
            if _MASKS.fullmatch(folder.lower()) or (lossless and (named or by_affix or (lossy and every))):
                masks[folder] = folder if pattern == "{stem}" else f"{folder}/{pattern}"
        if masks:
            return images, masks if len(masks) > 1 else {"mask": next(iter(masks.values()))}
    return None


def _pattern(images: Collection[str], masks: Sequence[str]) -> str | None:
    """Return the pattern of the masks' names, with ``{stem}`` for the image's name; None if fewer than half match.

    >>> _pattern({"1", "2"}, ["1_mask", "2_mask"]), _pattern({"1"}, ["1"]), _pattern({"1"}, ["7"]) is None
    ('{stem}_mask', '{stem}', True)
    """
    counts: Counter[str] = Counter()
    for mask in masks:
        if mask in images:
            counts["{stem}"] += 1
            continue
        counts.update(f"{{stem}}{mask[i:]}" for i in range(1, len(mask)) if mask[:i] in images)
        counts.update(f"{mask[:i]}{{stem}}" for i in range(1, len(mask)) if mask[i:] in images)
    best = max(counts, key=lambda pattern: (counts[pattern], -len(pattern)), default=None)
    return best if best is not None and "/" not in best and 2 * counts[best] >= len(masks) else None


def _folder_above(images: Sequence[str], masks: Sequence[str]) -> str:
    """Return the folder in which images have the names of masks; an empty string if there is none, or more than one.

    >>> _folder_above(["photos/a", "photos/b"], ["a"])
    'photos'
    """
    names = set(masks)
    folders = {
        "/".join(parts[:i])
        for parts in (image.split("/") for image in images)
        for i in range(1, len(parts))
        if "/".join(parts[i:]) in names
    }
    return folders.pop() if len(folders) == 1 else ""


def masks_beside(names: Sequence[str]) -> str:
    """Return the value of ``masks=`` for images with masks in the same folder; empty if there are none.

    >>> masks_beside(["1.jpg", "1_mask.png", "2.jpg", "2_mask.png"]), masks_beside(["1.jpg", "face_mask.jpg"])
    ('{stem}_mask', '')
    """
    stems = {os.path.splitext(name)[0] for name in names}
    matches = [match for stem in stems if (match := _BESIDE.fullmatch(stem)) and match[1] in stems]
    endings = {match[2] for match in matches}
    return f"{{stem}}{endings.pop()}" if len(endings) == 1 and 3 * len(matches) >= len(stems) else ""


_BESIDE = re.compile(r"(.+)([_-](?:masks?|seg|segmentation))", re.IGNORECASE)


class MaskFolder:
    """A folder of masks, and the pattern of their names."""

    def __init__(self, home: Root, argument: str, column: str) -> None:
        self._where = f"read_folder(masks=), column `{column}`"
        self._column, self._argument = column, argument
        folder, pattern = argument, "{stem}"
        if "{stem}" in argument:
            folder, _, pattern = argument.rpartition("/")
        head, tail = os.path.splitext(pattern)
        self._before, _, self._after = (head if tail.lower() in ENDINGS else pattern).partition("{stem}")
        self._plain = pattern == "{stem}"
        self._root = home.below(folder, self._where)
        self.path = self._root.path

    def without_masks(self, names: list[str]) -> list[str]:
        """Leave masks out of the names of images in the same folder; each is named after another image."""
        stems = {stem_of(name) for name in names}
        return names if self._plain else [name for name in names if self._stem(name) not in stems]

    def of(self, names: Sequence[str], left_out: Sequence[str], root: str) -> list[Any]:
        """Find the path of each image's mask, or None.

        Args:
            left_out: the names of images that were left out, so that their masks are not reported.
            root: the folder that was searched for images; empty if the user gave ``images=``.
        """
        findings = self._root.findings
        masks: dict[str, str] = {}
        for name in self._root.files()[0]:
            stem = self._stem(name)
            if stem is None:
                continue
            where = place(file=os.path.join(self.path, name))
            if stem in masks:
                findings.add("mask-twice", where, "one mask for each image", f"{masks[stem]} as well")
            masks[stem] = name
        stems = [stem_of(name) for name in names]
        if len(set(stems)) < len(stems):
            self._twice(names, stems)
        all_stems = {*stems, *map(stem_of, left_out)}
        unmatched = [stem for stem in masks if stem not in all_stems]
        without_image = [masks[stem] for stem in unmatched]
        if len(without_image) == len(masks):
            found = "no masks at all"
            if without_image:
                found = f"{shown(without_image[0])} and no {shown(stems[0])}"
            pattern = _pattern(all_stems, unmatched) or _folder_above(unmatched, stems)
            example: Any = f"{self._argument}/{pattern or '{stem}_mask'}"
            if self._column != "mask":
                example = {self._column: example}
            differ = " for names that differ" if not pattern or "{stem}" in pattern else ""
            fix = f"Say masks={json.dumps(example, ensure_ascii=False)}{differ}."
            if not pattern:
                columns = f'{{"image": [...], "{self._column}": [...]}}'
                fix += f" If no {{stem}} says how, pair the files yourself: {columns}."
            fix = fix if self._plain and without_image else ""
            folder = _folder_above(stems, unmatched) if root else ""
            fix = f'Say images="{folder}".' if folder else fix
            expected = "masks with the names of the images"
            findings.add("no-masks", f"{self._where}, {place(file=self.path)}", expected, found, fix)
        for name in without_image:
            where = place(file=os.path.join(self.path, name))
            findings.add("no-image", where, "an image of this name", "none", warning=True)
        paths = [os.path.join(self.path, *masks[s].split("/")) if s in masks else None for s in stems]
        missing = paths.count(None)
        findings.note(f"{counted(len(paths) - missing, 'mask')} in {self.path}, {missing:,} missing")
        if without_image:
            findings.note(f"{counted(len(without_image), 'mask')} without image")
        return paths

    def _stem(self, name: str) -> str | None:
        """Return the stem of a mask's image, or None if the mask's name does not match the pattern."""
        folder, _, base = stem_of(name).rpartition("/")
        if len(base) <= len(self._before) + len(self._after):
            return None if not self._plain else name
        if not (base.startswith(self._before) and base.endswith(self._after)):
            return None
        stem = base[len(self._before) : len(base) - len(self._after)]
        return f"{folder}/{stem}" if folder else stem

    def _twice(self, names: Sequence[str], stems: Sequence[str]) -> None:
        seen: dict[str, str] = {}
        for name, stem in zip(names, stems, strict=True):
            if stem in seen:
                expected = "unique names of images, without their extensions"
                self._root.findings.add("file-twice", place(file=name), expected, f"{seen[stem]} as well")
            seen[stem] = name
