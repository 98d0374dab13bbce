"""Reads data sets in PASCAL VOC's format: one XML file per image, masks as PNG, splits as lists of names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from polyhead.columns.image_values import ENDINGS
from polyhead.errors import DataError, Problem, counted, place, shown, similar
from polyhead.kinds.source_column import About
from polyhead.progress import shown_each
from polyhead.readers.annotations import (
    Images,
    by_image,
    clip_boxes,
    missing_images,
    note_boxes,
    number_lists,
    number_of,
    require_choices,
    sizes_of,
    wanted_categories,
)
from polyhead.readers.findings import Findings
from polyhead.readers.paths import Files, Root, lines_of
from polyhead.readers.voc_layout import (
    VocEntry,
    VocFolders,
    VocObject,
    mark_columns,
    objects_of,
    parsed,
    voc_folders,
)
from polyhead.sources.source import names_in

ImageSizes = dict[int, tuple[tuple[int, int], tuple[int, int]]]
"""Two sizes of each usable image, in the annotation and of the file, by the number of its entry."""


def read_voc(
    root: str | os.PathLike[str],
    split: str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    annotations: str | os.PathLike[str] | None = None,
    categories: Iterable[str] | None = None,
    known: Sequence[str] | None = None,
    difficult: str = "keep",
    one_based: bool = True,
    unannotated: str | None = None,
    invalid: str | None = None,
    missing_files: str = "raise",
    exif: str | None = None,
    verify: bool = False,
) -> Images:
    """Read the images and annotations of a data set in PASCAL VOC's format, one row per image.

    ``JPEGImages`` holds the images, ``Annotations`` an XML file for each, ``ImageSets/Main`` lists of names,
    ``SegmentationClass`` and ``SegmentationObject`` masks for some. Folders named ``images`` and ``annotations``
    are also found, as are XML files next to their images, as written by labelImg. An XML file without objects means
    that the image has none; ``unannotated`` sets the meaning of an image without an XML file.

    Columns:

    - ``image``: the path of the image; ``file``: its name.
    - ``size``: int32 ``(N, 2)``, height and width of the image file. If the XML has a different size of the same
      proportions, the image was resized after annotation, and its boxes are scaled accordingly.
    - ``annotated``: whether the image was annotated: False if its labels are missing.
    - ``boxes``: float32 ``(k, 4)``, ``xyxy`` in pixels; ``labels``: names; ``difficult``: bool ``(k,)``;
      ``categories``: each name once, for `MultiLabel`. None if the image has no label.
    - ``truncated``, ``occluded``, ``pose``, if any XML file has them: True or False, and a word, for each object; None
      if absent or ``Unspecified``.
    - ``mask``, ``instances``, if any image has them: the paths of the PNGs of classes and of objects, or None. In VOC's
      PNGs 255 marks pixels without a label.

    By default ``Categorical`` and ``MultiLabel`` use the names in the order of ``categories``.

    Args:
        root: the folder that contains the others; paths must not lead out of it.
        split: a list in ``ImageSets/Main``, such as ``"train"``, or in ``ImageSets``, such as
            ``"Segmentation/val"``; by default all images.
        images: the folder of images in the root, if it has another name; ``"."`` for the root itself.
        annotations: the folder of the XML files, likewise.
        categories: the names to keep; objects of other categories are dropped and counted.
        known: all valid names, in the order of their ids; by default those in the XML files, sorted. Any other name is
            an error, or is dropped with ``invalid="drop"``.
        difficult: ``"keep"`` or ``"skip"`` objects marked as difficult.
        one_based: the first pixel is 1, and a box includes the pixel at ``xmax``, as in VOC itself. Set it to False
            for tools that write the edges of boxes, counted from 0.
        unannotated: whether the label of an image without an XML file is ``"missing"`` or ``"empty"``; by default it
            is missing, with a warning.
        invalid: ``"drop"`` objects that cannot be used, with a warning, or ``"raise"``. By default, boxes that are
            negative, empty or outside are dropped, and what cannot be read, such as an object without a name, is an
            error. Data of mostly unreadable objects is always an error.
        missing_files: ``"raise"``, or ``"drop"`` images that do not exist, cannot be read, or have other proportions
            than the XML states.
        exif: whether the images were annotated with their Exif orientation ``"applied"``, as viewers show them, or
            ``"ignored"``, as their pixels are stored; by default applied. `polyhead.Image` follows it.
        verify: an unreadable image is an error; by default its size is taken from the XML.

    Returns:
        A source with a ``report`` of all irregularities and the names of the ``categories``.

    Raises:
        DataError: with all problems that make the data unusable.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("JPEGImages", "Annotations"):
    ...     (folder / name).mkdir()
    >>> _ = (folder / "JPEGImages" / "a.jpg").write_bytes(b"")
    >>> _ = (folder / "Annotations" / "a.xml").write_text('''<annotation><filename>a.jpg</filename>
    ...     <size><width>60</width><height>40</height></size><object><name>cat</name><bndbox>
    ...     <xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>5</ymax></bndbox></object></annotation>''')
    >>> read_voc(folder).read(np.array([0]))["boxes"][0].tolist()
    [[0.0, 0.0, 10.0, 5.0]]
    """
    require_choices("read_voc", locals())
    if split is not None and not isinstance(split, str):
        raise DataError(Problem("read_voc(split=)", "the name of a list of images", shown(split)))
    known = None if known is None else names_in(known, "read_voc(known=)")
    findings = Findings(invalid)
    home = Root(root, "read_voc(root)", findings)
    folders = voc_folders(home, images, annotations)
    entries = _image_entries(home, folders, split, findings)
    objects, dropped = objects_of(entries, known, findings)
    names = sorted({o.name for o in objects}) if known is None else known
    keep = wanted_categories("read_voc(categories=)", names, categories, findings)
    wanted = [name for name, k in zip(names, keep.tolist(), strict=True) if k]
    sizes = _sizes_of_images(entries, Files(findings, missing_files, exif=exif), verify)
    kept_entries = [entries[number] for number in sizes]
    columns = _voc_columns(
        objects, dropped, sizes, kept_entries, set(wanted), findings, difficult, one_based, unannotated
    )
    masks = _masks(home, folders.images, kept_entries, findings)
    if split is None and kept_entries and not masks and not any(entry.xml for entry in entries):
        fix = "Say read_voc(annotations=...), the folder of the XML files."
        expected = "at least one XML file"
        findings.add("no-labels", place(file=folders.images.path), expected, "none for any image", fix)
        findings.stop()
    return Images(
        {
            "image": [entry.image for entry in kept_entries],
            "file": [os.path.basename(entry.image) for entry in kept_entries],
            "size": sizes_of([size for _, size in sizes.values()]),
            **columns,
            **masks,
        },
        findings.warn_and_report(place(file=home.path)),
        wanted,
        {"image": About(exif=exif)},
    )


def _image_entries(home: Root, folders: VocFolders, split: str | None, findings: Findings) -> list[VocEntry]:
    """Collect the images in the list of the split, or in the folders."""
    images = folders.images
    files, others = images.files()
    by_stem: dict[str, str] = {}
    for name in files:
        stem = os.path.splitext(name)[0]
        if stem in by_stem:
            expected = "unique names of images, without their extensions"
            findings.add("file-twice", place(file=os.path.join(images.path, name)), expected, by_stem[stem])
        by_stem.setdefault(stem, name)
    xmls = {name[:-4] for name in folders.xmls()}
    stems, where = sorted(xmls), None
    if split is not None:
        stems, where = _listed_stems(home, folders, split, findings, {*xmls, *by_stem})
    findings.stop()
    entries: dict[str, VocEntry] = {}
    for stem in stems:
        xml = folders.xml(stem) if stem in xmls else None
        tree = None if xml is None else parsed(xml, findings)
        image_name = by_stem.get(stem)
        if xml is not None and tree is not None:
            image_name = _image_of(xml, tree, image_name, images, findings)
            if image_name is None:
                continue
        image = os.path.join(images.path, image_name or f"{stem}.jpg")
        if image in entries:
            at = place(file=xml or image)
            findings.add("file-twice", at, "a separate image for each XML file", image)
        entries[image] = VocEntry(image, xml, tree)
    if split is None:  # also include images without an XML file
        paths = [os.path.join(images.path, name) for name in files]
        bare = {path: VocEntry(path, None, None) for path in paths if path not in entries}
        entries = dict(sorted({**entries, **bare}.items()))
    others -= len(xmls) if folders.beside else 0
    if others > 0:
        words = counted(others, "file that is no image", "files that are no images")
        findings.note(f"{words} in {os.path.basename(images.path)}")
    if not entries and not findings.report().errors:
        expected = f"images, files that end in {', '.join(ENDINGS)}"
        findings.add("no-images", where or place(file=images.path), expected, "none")
    return list(entries.values())


def _listed_stems(
    home: Root, folders: VocFolders, split: str, findings: Findings, known: Collection[str]
) -> tuple[list[str], str]:
    """Read the names in a list in ``ImageSets``; lists of a category have a second column, which is ignored.

    Args:
        known: the images and XML files without their extensions; names may have spaces, or an extension.
    """
    name = split if "/" in split else f"Main/{split}"
    path = home.find(f"ImageSets/{name}.txt", "read_voc(split)")
    findings.stop()
    assert path is not None
    where = place(file=path)
    if not os.path.isfile(path):
        folder = os.path.dirname(path)
        lists = (
            sorted(f[:-4] for f in os.listdir(folder) if f.endswith(".txt")) if os.path.isdir(folder) else []
        )
        near = similar(os.path.basename(name), lists)
        raise DataError(Problem(where, "a list of images", "nothing at this path", near, "split"))
    stems: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(lines_of(path, "a list of images"), 1):
        words = line.split()
        if not words:
            continue
        names = (line.strip(), line.strip().removesuffix(words[-1]).rstrip())
        bare = (os.path.splitext(name)[0] if name.lower().endswith(ENDINGS) else name for name in names)
        possible = (stem for pair in zip(names, bare, strict=True) for stem in pair)
        stem = next((stem for stem in possible if stem in known), words[0])
        at = f"{where}, line {number}"
        if stem in seen:
            findings.add("line-twice", at, "each image once", shown(stem), warning=True)
        elif (folders.annotations or home).find(f"{stem}.xml", at) is not None:
            stems.append(stem)
        seen.add(stem)
    return stems, where


def _image_of(xml: str, tree: Element, by_stem: str | None, images: Root, findings: Findings) -> str | None:
    """Return the name of the image of an XML file; None, with an error recorded, if it leads out of the folder."""
    where = place(file=xml)
    name = next(filter(None, ((tree.findtext(tag) or "").strip() for tag in ("filename", "path"))), "")
    if not name:
        return by_stem or os.path.splitext(os.path.basename(xml))[0] + ".jpg"
    elsewhere = images.from_elsewhere(name, by_stem)
    if elsewhere is not None:
        return elsewhere
    path = images.find(name, f"{where}, <filename>")
    if path is None:
        return None
    if os.path.isfile(path) or by_stem is None:
        return os.path.relpath(path, images.path)
    bare = os.path.splitext(name)[0] if name.lower().endswith(ENDINGS) else name
    if bare != os.path.splitext(os.path.basename(by_stem))[0]:  # some programs write no or another extension
        fix = "The image with the name of the XML file is used."
        findings.add(
            "file-name", f"{where}, <filename>", "the name of an image", shown(name), fix, warning=True
        )
    return by_stem


def _sizes_of_images(entries: Sequence[VocEntry], files: Files, verify: bool) -> ImageSizes:
    sizes: ImageSizes = {}
    for number, entry in enumerate(shown_each("reading images", entries)):
        if not files.exists(entry.image, place(file=entry.xml) if entry.xml else "the list of images"):
            continue
        declared: tuple[int, int] | None = None
        if entry.tree is not None:
            sides = [number_of(entry.tree.findtext(f"size/{side}")) for side in ("height", "width")]
            if all(isinstance(v, float) and v.is_integer() and 0 < v < 2**31 for v in sides):
                declared = (int(sides[0]), int(sides[1]))
        size = files.sized(entry.image, declared, verify)
        if size is not None:
            sizes[number] = (declared or size, size)
    files.note()
    return sizes


def _voc_columns(
    objects: Sequence[VocObject],
    dropped: Sequence[int],
    sizes: ImageSizes,
    entries: Sequence[VocEntry],
    names: set[str],
    findings: Findings,
    difficult: str,
    one_based: bool,
    unannotated: str | None,
) -> dict[str, Any]:
    """Make the columns of objects; ``names`` are the categories to keep."""
    row_of = {number: row for row, number in enumerate(sizes)}
    declared_sizes, actual_sizes = (sizes_of([pair[i] for pair in sizes.values()]) for i in range(2))
    objects = [o for o in objects if o.entry in row_of]
    rows = np.array([row_of[o.entry] for o in objects], np.int64)
    unread = np.array([row_of[entry] for entry in dropped if entry in row_of], np.int64)
    hard = np.array([o.difficult for o in objects], bool)
    wanted = np.array([o.name in names for o in objects], bool)
    others = int((~wanted).sum())
    if others:
        unwanted = sorted({o.name for o in objects} - names)
        findings.note(f"{counted(others, 'object')} of other categories left out: {', '.join(unwanted[:8])}")
    at = np.flatnonzero(wanted)
    if difficult == "skip":
        findings.note(f"{int(hard[at].sum()):,} difficult objects left out")
        at = at[~hard[at]]
    kept = [objects[i] for i in at.tolist()]
    boxes, usable = _clipped_boxes(kept, declared_sizes[rows[at]], one_based, findings)
    findings.stop_if_most(len(objects) + len(dropped))
    at, kept = at[usable], [kept[i] for i in np.flatnonzero(usable).tolist()]
    missing = missing_images(
        findings,
        len(entries),
        annotated=np.append(rows, unread),
        wanted=np.append(rows[wanted], unread),
        kept=rows[at],
        has_file=np.array([entry.xml is not None for entry in entries], bool),
        unannotated=unannotated,
    )
    findings.stop()
    note_boxes([o.name for o in kept], findings)
    scale = np.tile((actual_sizes / declared_sizes)[rows[at]][:, ::-1], 2).astype(np.float32)
    columns: dict[str, Any] = {
        "boxes": boxes[usable] * scale,
        "labels": [o.name for o in kept],
        "difficult": hard[at],
        **mark_columns(kept),
    }
    return by_image(columns, rows[at], missing)


def _clipped_boxes(
    objects: Sequence[VocObject], sizes: np.ndarray, one_based: bool, findings: Findings
) -> tuple[np.ndarray, np.ndarray]:
    def where(i: int) -> str:
        return objects[i].where

    expected = "a <bndbox> of four numbers, xmin, ymin, xmax, ymax"
    edges, unread = number_lists([o.box for o in objects], 4, where, "box", expected, findings)
    if one_based:
        edges[:, :2] -= 1
        zero = int((edges[:, :2] < 0).any(axis=1).sum())
        if zero:
            findings.note("some boxes start at 0; if the first pixel is 0, use read_voc(one_based=False)")
            findings.odd("boxes that start at 0 although one_based=True", zero)
    return clip_boxes(edges, sizes, where, findings, unread)


def _masks(
    home: Root, images: Root, entries: Sequence[VocEntry], findings: Findings
) -> dict[str, list[str | None]]:
    """Make the columns of paths of masks."""
    columns: dict[str, list[str | None]] = {}
    for column, folder in (("mask", "SegmentationClass"), ("instances", "SegmentationObject")):
        if not os.path.isdir(os.path.join(home.path, folder)):
            continue
        files = set(home.below(folder, "read_voc(root)").files((".png",))[0])
        names = [os.path.splitext(os.path.relpath(e.image, images.path))[0] for e in entries]
        paths = [os.path.join(home.path, folder, f"{n}.png") if f"{n}.png" in files else None for n in names]
        count = sum(path is not None for path in paths)
        if count:
            columns[column] = paths
            findings.note(f"{counted(count, 'mask')} in {folder}, {len(paths) - count:,} missing")
    findings.stop()
    return columns
