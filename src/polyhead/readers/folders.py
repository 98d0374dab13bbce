"""Reads folders of images, with labels from class folders, folders of masks, or a table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.columns.image_values import ENDINGS
from polyhead.columns.values import Coded, Values, with_gaps
from polyhead.errors import DataError, Problem, counted, listed, place, shown, similar
from polyhead.kinds.missing import plain
from polyhead.kinds.source_column import About
from polyhead.progress import shown_each
from polyhead.readers.annotations import Images, require_choices
from polyhead.readers.findings import Findings
from polyhead.readers.mask_folders import MaskFolder, folders_of_masks
from polyhead.readers.paths import Files, Root
from polyhead.sources.source import Source
from polyhead.sources.tables import read_table

KEYS = ("file", "file_name", "filename", "image", "image_path", "path", "name")
"""Common names of the column with file names."""

PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
"""Common names of folders that hold a part of the data."""


def read_folder(
    root: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    classes: bool | None = None,
    masks: str | Mapping[str, str] | None = None,
    table: Any = None,
    key: str | None = None,
    missing_files: str = "raise",
    verify: bool = False,
) -> Images:
    """Read the images in a folder, one row each, with labels from class folders, masks and a table.

    Columns:

    - ``image``: the path of the image; ``file``: its path relative to the folder of images.
    - ``label``, with class folders: the name of the first folder, None for images outside of them.
    - ``mask``, or the columns named in ``masks``: the path of the mask, or None.
    - the columns of the table except its key; None or NaN for images that are not in it.

    Args:
        root: the folder of the data set.
        images: the folder of images in the root. By default the folder ``images``, if it exists and masks or a table
            are given, otherwise the root itself.
        classes: use the first folder as the class of its images; the default if there are folders, and neither masks
            nor a table. Folders that hold images and their masks, such as ``photos`` and ``masks``, or parts of the
            data, such as ``train`` and ``val``, are then an error.
        masks: the folder of masks, named like the images except for the extension, or several as ``{column: folder}``.
            For other names, give a pattern: ``"masks/{stem}_mask"``.
        table: a CSV or Parquet file, relative to the root or the working directory, a source, such as that of
            `read_coco` or `read_yolo`, or other data for `read_table`, with a row for each image.
        key: the table's column of file names, with or without folder and extension; by default the first of
            ``file``, ``file_name``, ``filename``, ``image``, ``image_path``, ``path``, ``name``, in
            small or capital letters.
        missing_files: ``"raise"``, or ``"drop"`` rows of the table whose image does not exist, and images
            that cannot be read, judging by their headers. `drop_unreadable` decodes whole images.
        verify: read the header of every image and mask, to check that they can be opened and have the same size.

    Returns:
        A source with a ``report`` of all irregularities, and the names of the classes as ``categories``.

    Raises:
        DataError: with all problems that make the data unusable.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cat/a.jpg", "cat/b.jpg", "dog/a.jpg"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     _ = (folder / name).write_bytes(b"")
    >>> rows = read_folder(folder)
    >>> rows.read(np.array([2, 0]))["label"]
    ['dog', 'cat']
    """
    require_choices("read_folder", locals())
    findings = Findings()
    files = Files(findings, missing_files)
    home = Root(root, "read_folder(root)", findings)
    if not isinstance(masks, (str, os.PathLike, Mapping, type(None))):
        fix = 'Say masks="masks", or masks={"mask": "masks"} for several.'
        raise DataError(Problem("read_folder(masks=)", "a folder, or {column: folder}", shown(masks), fix))
    mask_paths = {"mask": masks} if isinstance(masks, (str, os.PathLike)) else dict(masks or {})
    usual = os.path.join(home.path, "images")
    if images is None and (mask_paths or table is not None) and os.path.isdir(usual):
        images = usual
    base = home.below("" if images is None else images, "read_folder(images=)")
    folders = {column: MaskFolder(home, str(folder), column) for column, folder in mask_paths.items()}
    names = _images(base, [*folders.values()], table, findings)
    findings.stop()
    sizes: list[tuple[int, int]] = []
    left_out: list[str] = []
    if verify or missing_files == "drop":
        names, sizes, left_out = _with_headers(base, names, files, findings)
    findings.note(counted(len(names), "image"))
    columns: dict[str, Values] = {
        "image": [os.path.join(base.path, *n.split("/")) for n in names],
        "file": names,
    }
    about: dict[str, About] = {}
    categories: list[str] = []
    inferred = classes is None and not mask_paths and table is None and any("/" in name for name in names)
    if inferred:
        _require_classes(base, names, findings)
    if classes or inferred:
        columns["label"], categories = _classes(base, names, findings)
    if inferred:
        _warn_of_nested_classes(base, names, findings)
    for column, folder in folders.items():
        columns[column] = folder.of(names, left_out, "" if images else base.path)
        if verify:
            _verify_masks(columns[column], sizes, column, files, findings)
    if table is not None:
        joined, about = _table_columns(home, base, table, key, names, left_out, files)
        for column in [c for c in joined if c in columns]:
            fix = "Rename the column of the table, or leave it out."
            found = "the table has it as well"
            findings.add("column", f"column `{column}`", "a unique name for each column", found, fix)
        columns |= joined
    findings.stop()
    if categories:
        about["label"] = About(tuple(categories))
    return Images(columns, findings.warn_and_report(place(file=home.path)), categories, about)


def _images(base: Root, masks: Sequence[MaskFolder], table: Any, findings: Findings) -> list[str]:
    """List the images in a folder and its subfolders, without masks."""
    names, others = base.files()
    for folder in masks:
        if folder.path == base.path:
            names = folder.without_masks(names)
        else:
            inside = os.path.relpath(folder.path, base.path).replace(os.sep, "/") + "/"
            names = [name for name in names if not name.startswith(inside)]
    if isinstance(table, (str, os.PathLike)) and os.path.dirname(os.path.join(base.path, table)) == base.path:
        others -= 1
    if others > 0:
        findings.note(counted(others, "file that is not an image", "files that are not images"))
    if not names:
        expected = f"images, files that end in {', '.join(ENDINGS)}"
        findings.add("no-images", place(file=base.path), expected, "none")
    return names


def _with_headers(
    base: Root, names: Sequence[str], files: Files, findings: Findings
) -> tuple[list[str], list[tuple[int, int]], list[str]]:
    """Return the images whose header can be read, their sizes, and the other images."""
    kept: list[str] = []
    sizes: list[tuple[int, int]] = []
    left_out: list[str] = []
    for name in shown_each("reading images", names):
        size = files.size(os.path.join(base.path, name))
        if size is None:
            left_out.append(name)
        else:
            kept.append(name)
            sizes.append(size)
    files.note()
    if left_out and not sizes:
        expected = "at least one image that can be read"
        findings.add("no-images", place(file=base.path), expected, f"none of {len(left_out):,}")
    findings.stop()
    return kept, sizes, left_out


def _require_classes(base: Root, names: Sequence[str], findings: Findings) -> None:
    """Raise if the first folders hold parts of the data, or images and their masks, rather than classes."""
    parts = sorted({name.partition("/")[0] for name in names if "/" in name})
    if len(parts) > 1 and PARTS.issuperset(part.lower() for part in parts):
        found = f"{' and '.join(f'`{part}`' for part in parts)}, which look like parts of the data"
        example = json.dumps(os.path.join(base.path, parts[0]), ensure_ascii=False)
        fix = f"Read each part: read_folder({example}). Or say classes=True if they are classes, classes=False if not."
        findings.add("parts", place(file=base.path), "a folder for each class", found, fix)
        findings.stop()
    labels = os.path.join(base.path, "labels")
    if "images" in parts and os.path.isdir(labels):
        stems = {os.path.splitext(name.partition("/")[2])[0] for name in names}
        if any(os.path.isfile(os.path.join(labels, f"{stem}.txt")) for stem in stems):
            found = "the folders `images` and `labels` of a YOLO data set"
            fix = f"Say read_yolo({json.dumps(base.path, ensure_ascii=False)}), or classes=True if they are classes."
            findings.add("parts", place(file=base.path), "a folder for each class", found, fix)
            findings.stop()
    detected = folders_of_masks(names)
    if detected is None:
        return
    images, masks = detected
    argument = json.dumps(masks["mask"] if len(masks) == 1 else masks, ensure_ascii=False)
    words = " and ".join(f"`{folder.partition('/')[0]}`" for folder in masks.values())
    found = f"the images in `{images}` and files of the same names in {words}, which look like their masks"
    fix = f"Say read_folder(..., images={json.dumps(images)}, masks={argument}), or classes=True if they are classes."
    findings.add("mask-folders", place(file=base.path), "a folder for each class", found, fix)
    findings.stop()


def _warn_of_nested_classes(base: Root, names: Sequence[str], findings: Findings) -> None:
    """Warn of folders of classes with several folders of images, which may be the classes."""
    inner: dict[str, set[str]] = {}
    for top, _, rest in (name.partition("/") for name in names):
        inner.setdefault(top, set()).update(rest.split("/")[:-1][:1])
    for top, folders in inner.items():
        if len(folders) > 1:
            path = os.path.join(base.path, top)
            fix = f"All of them get the label `{top}`: say classes=True if that is right, or "
            fix += f"read_folder({json.dumps(path, ensure_ascii=False)}) if its folders are the classes."
            held = f"{len(folders)} folders, {listed(sorted(folders), 3)}"
            where = place(file=path)
            findings.add("nested-classes", where, "the images of one class", held, fix, warning=True)


def _classes(base: Root, names: Sequence[str], findings: Findings) -> tuple[Coded, list[str]]:
    """Return the first folder of each image as its label, and the names of the classes."""
    folders = sorted(
        entry.name for entry in os.scandir(base.path) if entry.is_dir() and not entry.name.startswith(".")
    )
    labels = [name.split("/", 1)[0] if "/" in name else None for name in names]
    used = set(labels)
    categories = [folder for folder in folders if folder in used]
    code = {name: i for i, name in enumerate(categories)}
    for folder in folders:
        if folder not in used:
            where = place(file=os.path.join(base.path, folder))
            fix = "It is not a class."
            findings.add("empty-class", where, "images in the folder of a class", "none", fix, warning=True)
    for name, label in zip(names, labels, strict=True):
        if label is None:
            where = place(file=os.path.join(base.path, name))
            expected = "an image in the folder of a class"
            findings.add("no-class", where, expected, "one outside", "Its label is missing.", warning=True)  # fmt: skip
    missing = labels.count(None)
    labeled = counted(len(names) - missing, "image")
    findings.note(f"{counted(len(categories), 'class')}; {labeled} labeled, {missing:,} missing")
    return Coded(np.array([-1 if f is None else code[f] for f in labels], np.int32), categories), categories


def _verify_masks(
    masks: Any, sizes: Sequence[tuple[int, int]], column: str, files: Files, findings: Findings
) -> None:
    """Read each mask's header; record masks that differ in size from their image, replace unreadable ones by None."""
    for row, (path, size) in enumerate(zip(masks, sizes, strict=True)):
        if path is None:
            continue
        mask_size = files.size(path)
        if mask_size is None:
            masks[row] = None
        elif mask_size != size:
            where = place(file=path, column=column)
            words = f"{mask_size[0]} x {mask_size[1]} for an image {size[0]} x {size[1]}"
            expected = "a mask of the size (height x width) of its image"
            findings.add("mask-size", where, expected, words, warning=True)


_OBJECTS_OF_ONE = (
    "If these are its objects, make a column of their boxes, frame[corners].to_numpy().tolist(), and put them "
    "into one row:"
)


def _table_columns(
    home: Root,
    base: Root,
    table: Any,
    key: str | None,
    names: Sequence[str],
    left_out: Sequence[str],
    files: Files,
) -> tuple[dict[str, Values], dict[str, About]]:
    """Return the columns of a table in the order of the images, and their facts; skip images in ``left_out``."""
    findings = home.findings
    source, where = _opened_table(home, table)
    key = _key_column(source, key, where)
    values = source.only([key]).coded(np.arange(len(source)))[key]
    keys = (values.values() if isinstance(values, Coded) else np.asarray(values, object)).tolist()
    all_names = [*names, *left_out]
    index = _index(all_names, os.path.relpath(base.path, home.path).replace(os.sep, "/"))
    by_number = _by_number(all_names)
    by_lower_case = {name.rpartition("/")[2].lower(): name for name in all_names}
    rows = np.full(len(names), -1, np.int64)
    for row, name in enumerate(keys):
        in_row = f"{where}, row {row}"
        if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
            name = str(name) if str(name) in index else by_number.get(int(name), str(name))
        if not isinstance(name, str) or not name:
            findings.add("key", in_row, f"the name of an image in column `{key}`", shown(name))
            continue
        if (image := index.get(name)) is None:
            path = base.inside(name, up=False) or base.find(name, in_row)
            if path is None:
                continue
            image = index.get(os.path.relpath(path, base.path).replace(os.sep, "/"))
        if image is None:
            near = by_lower_case.get(name.replace("\\", "/").rpartition("/")[2].lower())
            fix = f"Did you mean `{near}`?" if near else ""
            if files.exists(os.path.join(base.path, name), in_row, fix):
                expected = f"an image, a file that ends in {', '.join(ENDINGS)}"
                findings.add("key", in_row, expected, shown(name))
        elif image < 0:
            fix = "Write it with its folder and ending."
            findings.add("key", in_row, "the name of one image", f"{shown(name)}, the name of several", fix)
        elif image >= len(names):
            continue
        elif rows[image] >= 0:
            expected = "one row for each image"
            fix = f"{_OBJECTS_OF_ONE} frame.groupby({key!r}, as_index=False).agg(list)."
            findings.add("row-twice", in_row, expected, f"{shown(name)}, as in row {rows[image]}", fix)
        else:
            rows[image] = row
    missing = int((rows < 0).sum())
    findings.note(f"{counted(len(names) - missing, 'image')} with a row in the table, {missing:,} missing")
    findings.stop()
    if missing == len(names):
        raise DataError(Problem(where, "a row for at least one image", "none", code="no-rows"))
    others = [column for column in source.columns if column != key]
    columns = source.only(others).coded(np.maximum(rows, 0)) if others else {}
    joined = {name: with_gaps(values, rows < 0) if missing else values for name, values in columns.items()}
    for column in ("image", "file"):  # a reader's rows have both
        if column in joined and _are_files(joined[column], names):
            del joined[column]
    return joined, {column: source.about(column) for column in ["image", *joined]}


def _are_files(values: Values, names: Sequence[str]) -> bool:
    """Return whether the values are the files of these names, in any folder, or missing."""
    return all(
        value is None
        or (isinstance(value, (str, os.PathLike)) and Path(value).name == name.rpartition("/")[2])
        for value, name in zip(plain(values), names, strict=True)
    )


def _opened_table(home: Root, table: Any) -> tuple[Source, str]:
    """Return the rows of a table and its name in errors; a path may be relative to the root or the working folder."""
    if not isinstance(table, (str, os.PathLike)):
        return table if isinstance(table, Source) else read_table(table), "the table"
    expanded = os.path.expanduser(table)
    path = os.path.join(home.path, expanded)
    if not os.path.exists(path) and os.path.exists(expanded):
        path = os.path.abspath(expanded)
    return read_table(path), place(file=path)


def _key_column(source: Source, key: str | None, where: str) -> str:
    columns = source.columns
    if key is None:
        spelled = {name.lower(): name for name in reversed(columns)}
        exact = next((name for name in KEYS if name in columns), None)
        key = exact or next((spelled[name] for name in KEYS if name in spelled), None)
        if key is None:
            fix = "Say read_folder(key=...)."
            expected = f"a column of file names ({', '.join(KEYS)})"
            raise DataError(Problem(where, expected, ", ".join(columns), fix, "key"))
    elif key not in columns:
        fix = similar(key, columns)
        raise DataError(Problem(where, f"a column `{key}`", ", ".join(columns), fix, "key"))
    return key


def _index(names: Sequence[str], folder: str) -> dict[str, int]:
    """Map full names, and names without folder or extension, to indices of images; -1 if ambiguous."""
    index: dict[str, int] = {}
    for short in (
        lambda name: os.path.splitext(name.rpartition("/")[2])[0],
        lambda name: name.rpartition("/")[2],
        lambda name: os.path.splitext(name)[0],
    ):
        indices: dict[str, int] = {}
        for i, name in enumerate(names):
            indices[short(name)] = -1 if short(name) in indices else i
        index |= indices
    full = {f"{folder}/{name}": i for i, name in enumerate(names)} if folder != "." else {}
    return {**index, **full, **{name: i for i, name in enumerate(names)}}


def _by_number(names: Sequence[str]) -> dict[int, str]:
    """Map the numbers of images such as ``007.jpg``, which a CSV file's column of ids holds as 7, to their names."""
    stems = [(os.path.splitext(name.rpartition("/")[2])[0], name) for name in names]
    by_number: dict[int, list[str]] = {}
    for stem, name in stems:
        if stem.isascii() and stem.isdigit():
            by_number.setdefault(int(stem), []).append(name)
    return {number: named[0] for number, named in by_number.items() if len(named) == 1}
