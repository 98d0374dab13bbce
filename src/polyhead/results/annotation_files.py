"""Writes predictions in file formats for vision: COCO results, YOLO labels, mask images."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import ContractError, DataError, Problem, is_integer, place, shown, similar
from polyhead.images.encode import png
from polyhead.images.encoded import header_of
from polyhead.kinds import Head
from polyhead.kinds.predicted_columns import suffixed_name
from polyhead.results.boxes_kept import classes_of_boxes
from polyhead.whole_file import writing

_SAFE = re.compile(r"[^\w.-]+")
"""Characters of an id or a class that a file name cannot hold, such as folder separators."""


def coco_results(
    rows: Iterator[Mapping[str, Any]],
    heads: Mapping[str, Head],
    name: str,
    category_ids: Mapping[Any, int] | None,
) -> Iterator[dict[str, Any]]:
    """Yield a COCO result for each object of one head of boxes.

    Args:
        category_ids: the id of each class in the annotation file; by default 1, 2, … in the order of the classes.

    Raises:
        ContractError: a class has no id.
    """
    category = _category_head(name, heads)
    classes = heads[category].names if category else ()
    where = "write_coco(category_ids=)"
    if category_ids is not None and not isinstance(category_ids, Mapping):
        raise ContractError(Problem(where, "a dict, {class: id}", shown(category_ids)))
    ids = dict(category_ids or {label: number for number, label in enumerate(classes, 1)})
    if lacking := [label for label in classes if label not in ids]:
        expected = f"an id of each class, {shown(list(classes))}"
        raise ContractError(Problem(where, expected, f"none of {shown(lacking[0])}"))
    if wrong := [ids[label] for label in classes if not is_integer(ids[label])]:
        raise ContractError(Problem(where, "integers", shown(wrong[0])))
    points = next((n for n, h in heads.items() if h.layer == "points" and name in (n, h.each)), None)
    for row in rows:
        for number, corners, label, score in _boxes_of_row(row, heads, name, category):
            x, y, right, bottom = corners.tolist()
            result = {
                "image_id": _json_id(row["row_id" if "id" in heads else "id"]),
                "category_id": int(ids[label]) if category else 1,
                "bbox": [round(value, 3) for value in (x, y, right - x, bottom - y)],
                # all digits of a float32, so that the order of close scores stays
                "score": float(str(np.float32(score))),
            }
            if points is not None:
                xy = np.asarray(_of_box(row[points], number, heads[name]))
                flat = np.column_stack([xy, np.ones(len(xy))]).reshape(-1)
                result["keypoints"] = [round(value, 3) for value in flat.tolist()]
            yield result


def _json_id(value: Any) -> int | str | None:
    """An id for JSON: integers and strings stay, anything else becomes a string, a missing id None."""
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else str(value)


def write_json(path: Path, entries: Iterator[Any]) -> None:
    """Write a list as JSON, one entry per line; the file is written completely or not at all."""
    with writing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("[")
        for number, entry in enumerate(entries):
            file.write(",\n" if number else "\n")
            json.dump(entry, file)
        file.write("\n]\n")


def write_yolo_labels(
    rows: Iterator[Mapping[str, Any]],
    heads: Mapping[str, Head],
    name: str,
    folder: Path,
    files: Sequence[str],
    stored_sides: bool = False,
) -> None:
    """Write a text file for each image, with the class, box and score of each object.

    Boxes are fractions of the image; with ``stored_sides``, of the image as stored, before Exif rotation.

    Raises:
        DataError: an image is not a file, or the folder cannot be written.
    """
    category = _category_head(name, heads)
    class_ids = {label: i for i, label in enumerate(heads[category].names if category else (None,))}
    stems = file_names(files, range(len(files)))
    for (row, stem), file in zip(_with_names(rows, stems, folder), files, strict=True):
        header = header_of(file)
        height, width = (header.height, header.width) if stored_sides else header.size
        lines = []
        for _, corners, label, score in _boxes_of_row(row, heads, name, category):
            x, y, right, bottom = (corners / (width, height, width, height)).tolist()
            numbers = ((x + right) / 2, (y + bottom) / 2, right - x, bottom - y, score)
            lines.append(" ".join([str(class_ids[label]), *(f"{number:.6f}" for number in numbers)]) + "\n")
        (folder / f"{stem}.txt").write_text("".join(lines), encoding="utf-8")


def write_mask_images(
    rows: Iterator[Mapping[str, Any]],
    heads: Mapping[str, Head],
    name: str,
    folder: Path,
    names: Sequence[str],
) -> None:
    """Write a PNG file of class ids for each mask, with a palette for viewing, named by ``names``.

    Raises:
        DataError: the folder cannot be written.
        ContractError: the masks have more than 256 classes.
    """
    if len(heads[name].names) > 256:
        found = f"{len(heads[name].names):,}"
        raise ContractError(Problem("write_masks()", "at most 256 classes, as a palette has room for", found))
    colors, taken = palette(256), dict[str, int]()
    for row, stem in _with_names(rows, names, folder):
        mask = row[name]
        if mask is None or not len(mask):  # no box, no mask
            continue
        if mask.ndim == 2:
            (folder / f"{stem}.png").write_bytes(png(mask, colors))
            continue
        layers = mask if heads[name].each else np.moveaxis(mask, -1, 0)
        for number, layer in enumerate(layers):
            suffix = str(number) if heads[name].each else _SAFE.sub("_", str(heads[name].names[number]))
            file = folder / f"{_free_name(f'{stem}_{suffix}', taken)}.png"
            file.write_bytes(png(np.ascontiguousarray(layer), colors))


def palette(count: int) -> list[tuple[int, int, int, int]]:
    """The palette of PASCAL VOC: it spreads the bits of a class id over red, green and blue; 0 is black.

    >>> palette(3)
    [(0, 0, 0, 255), (128, 0, 0, 255), (0, 128, 0, 255)]
    """
    ids = np.arange(count)
    colors = np.zeros((count, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= ((ids >> (3 * bit + channel)) & 1) << (7 - bit)
    return [(int(r), int(g), int(b), 255) for r, g, b in colors]


def head_of(layer: str, heads: Mapping[str, Head], head: str | None, method: str) -> str:
    """Return the name of the head to write: the given one, or the only one with this layer.

    Raises:
        ContractError: the name is unknown, or no name was given and there is not exactly one such head.
    """
    candidates = [name for name, head in heads.items() if head.layer == layer]
    if head in candidates:
        return str(head)
    if head is None and len(candidates) == 1:
        return candidates[0]
    kind = f"a head of {'masks' if layer == 'mask' else layer}"
    if head is None and not candidates:
        fix = "write_parquet(path) and write_csv(path) write predictions of every kind."
        raise ContractError(Problem(f"{method}()", kind, "none", fix))
    expected = f"{kind} ({', '.join(candidates) or 'there is none'})"
    found, fix = ("none", "") if head is None else (shown(head), similar(head, candidates))
    fix = fix or ("Name one of them." if candidates else "")
    raise ContractError(Problem(f"{method}(head=)", expected, found, fix))


def _category_head(name: str, heads: Mapping[str, Head]) -> str | None:
    """The head that predicts the class of each box, or of the only box of a row; None if there is none."""
    category = classes_of_boxes(name, heads)
    if category is not None or heads[name].places > 1:
        return category
    of_rows = [
        n for n, h in heads.items() if h.layer is None and h.each is None and "softmax" in h.probabilities
    ]
    return of_rows[0] if len(of_rows) == 1 else None


def _boxes_of_row(
    row: Mapping[str, Any], heads: Mapping[str, Head], name: str, category: str | None
) -> Iterator[tuple[int, np.ndarray, Any, float]]:
    """Yield number, corners, class and score of each box of a row.

    The score is that of the box, or else the probability of its class, or 1.
    """
    head, boxes = heads[name], row[name]
    if boxes is None:
        return
    of_class = None if category is None else row.get(suffixed_name(category, "probability", heads))
    scores = row.get(suffixed_name(name, "score", heads), of_class)
    for i, corners in enumerate(head.corners_of(np.asarray(boxes, np.float64).reshape(-1, 4))):
        label = None if category is None else _of_box(row[category], i, head)
        yield i, corners, label, 1.0 if scores is None else _of_box(scores, i, head)


def _of_box(values: Any, number: int, head: Head) -> Any:
    """The value of a box; a head of single boxes has it without a list."""
    return values if head.places == 1 else values[number]


def file_names(files: Sequence[str | None], ids: Sequence[Any]) -> list[str]:
    """Return a unique name for the files of each row, without extension: that of its image, or its id.

    If two images have the same name, all names include the folders below the one that holds all images, as readers
    expect them; two images that differ only in their extension keep it. The rows of one image are numbered.

    Args:
        files: the image file of each row; None if it has none.
        ids: the id of each row.

    >>> file_names(["x/a.png", "x/b.png", None, "x/a.png"], [0, 1, "c/d", 3])
    ['a', 'b', 'c_d', 'a_2']
    >>> file_names(["x/m/a.png", "x/n/a.png", "x/n/b.png", "x/n/b.jpg"], range(4))
    ['m/a', 'n/a', 'n/b.png', 'n/b.jpg']
    """
    paths = [None if file is None else Path(os.path.abspath(file)).parts[1:] for file in files]
    images: dict[tuple[str, ...], None] = dict.fromkeys(path for path in paths if path)
    names = {path: _visible(Path(path[-1]).stem) for path in images}
    if len(set(names.values())) < len(names):
        levels = (set(folders) for folders in zip(*(path[:-1] for path in images), strict=False))
        depth = sum(1 for _ in itertools.takewhile(lambda folders: len(folders) == 1, levels))
        names = {path: "/".join((*path[depth:-1], name)) for path, name in names.items()}
        counts = Counter(names.values())
        for image in images:
            if counts[names[image]] > 1:
                names[image] = "/".join((*image[depth:-1], _visible(image[-1])))
    taken, unique = dict[str, int](), list[str]()
    names = {path: _free_name(name, taken) for path, name in names.items()}
    for path, row_id in zip(paths, ids, strict=True):
        if path in images:
            del images[path]
            unique.append(names[path])
        else:
            name = names[path] if path else _visible(_SAFE.sub("_", str(row_id)))
            unique.append(_free_name(name, taken))
    return unique


def _free_name(name: str, taken: dict[str, int]) -> str:
    """The name, or with the first number from 2 on that makes it a new one; it is added to those taken."""
    free, number = name, taken.get(name, 1)
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken[name] = number
    taken.setdefault(free, 1)
    return free


def _visible(name: str) -> str:
    return name.lstrip(".") or "row"


def _with_names(
    rows: Iterator[Mapping[str, Any]], names: Sequence[str], folder: Path
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield rows with the names of their files, whose folders are created."""
    for parent in dict.fromkeys([Path(), *(Path(name).parent for name in names)]):
        try:
            (folder / parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            where, found = place(file=str(folder / parent)), error.strerror or str(error)
            raise DataError(Problem(where, "a folder that can be written", found)) from error
    yield from zip(rows, names, strict=True)
