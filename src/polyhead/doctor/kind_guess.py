"""Guesses the input or head for a column from its name, its values, and the model's output for it."""

from __future__ import annotations

import re

import numpy as np

from polyhead.columns.image_values import names_image
from polyhead.doctor.column_survey import ColumnDescription, survey_values
from polyhead.doctor.feed_code import Guess
from polyhead.errors import ContractError, DataError, counted
from polyhead.kinds.keras_names import SIGMOID

AMOUNT = re.compile(r"age|price|score|count|amount|value|size|length|year|income|rating|weight|height")
BOX = re.compile(r"box(es)?|bbox(es)?")
MASK = re.compile(r"masks?|segmentation|seg")
MAP = re.compile(r"depths?|disparity|heat|heatmaps?|flow")
WORDS = re.compile(r"tokens?|words?|text|sentence")
POINTS = re.compile(r"keypoints?|landmarks?|points")
_MOST_CLASSES = 20
_UNEVEN = 3.0

_SIDE = 8
"""The rows and columns from which arrays with channels are taken for pixels."""


def words_of(name: str) -> list[str]:
    """Return the words of a name, in lower case.

    >>> words_of("bbox_left"), words_of("hasMask")
    (['bbox', 'left'], ['has', 'mask'])
    """
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).lower())


def has_word(pattern: re.Pattern[str], name: str) -> bool:
    """Return whether a word of a name matches the pattern."""
    return any(map(pattern.fullmatch, words_of(name)))


def nearly_unique(distinct: int, total: int) -> bool:
    """Return whether nearly every row has a different value."""
    return distinct == total or (distinct > 50 and 2 * distinct > total)


def holds_pictures(column: ColumnDescription) -> bool:
    """Return whether a column has pictures: arrays of bytes or of 0–1, not named like a mask or map."""
    shape, numbers = column.shape, column.statistics
    channels = len(shape) == 3 and shape[2] in (1, 3, 4)
    gray = len(shape) == 2 and not column.encoded  # ph.Image adds the axis of channels
    unit = numbers.dtype.startswith("float") and numbers.low[0] >= 0 and numbers.high[0] <= 1
    fits = (channels or gray) if numbers.dtype == "uint8" else channels and unit and not numbers.not_finite
    masks = has_word(MASK, column.name) or has_word(MAP, column.name)
    return column.form == "numbers" and fits and not masks


def holds_files(column: ColumnDescription) -> bool:
    """Return whether a column has image files, by name or encoded, or images of Pillow.

    >>> holds_files(ColumnDescription("photo", "text", values=["a/1.jpg", "a/2.PNG"]))
    True
    """
    return column.form == "images" or (column.form == "text" and all(map(names_image, column.values)))


def guess_input(column: ColumnDescription) -> Guess | str:
    """Return the input that a column may be, or the reason why it is not an input."""
    if holds_files(column) and not has_word(MASK, column.name):
        if not column.present.all():
            return "some rows have no image, which an input's may not lack"
        return Guess("Image", ("224", "224"), "the height and width that the model reads")
    if column.form == "text":
        words = len(column.texts or ())
        return Guess(
            "Array", ('vocabulary="auto"',), f"words as ids: keras.layers.Embedding({words + 2}, ...)"
        )
    if column.form == "lists" and has_word(WORDS, column.name) and column.present.all():
        if len(set(map(len, column.values))) == 1:
            return Guess("Array", ('vocabulary="auto"',), "words as ids, for an Embedding")
        return 'lists of words of unequal lengths; make them equal: [(list(row) + [""] * 20)[:20] for row in column]'
    if column.form == "lists":
        return "lists of text; as a head they are ph.MultiLabel()"
    if column.form == "masks":
        return "lists of masks; as a head they are ph.Mask(each=...), of the boxes of the same objects"
    if column.form == "ragged":
        return "its rows differ in shape"
    if not column.present.all() and column.shape:
        return "some of its rows are missing, which an input's may not be"
    if holds_pictures(column):
        dtype = ('dtype="uint8"',) * (column.statistics.dtype == "uint8")
        return Guess("Image", (*map(str, column.shape), *dtype) if column.encoded else ())
    is_mask = len(column.shape) in (2, 3) and has_word(MASK, column.name) and not column.encoded
    if is_mask and _guess_mask(column) is None:
        return "a mask whose values are not class ids"
    if column.complete:
        return Guess("Array")
    return Guess("Array", ("fill=0.0",), "0.0 where a number is missing")


def guess_head(column: ColumnDescription) -> Guess | None:
    """Return the head that a column may be, or None."""
    shape, name = column.shape, column.name
    if column.form == "masks":
        return None
    if column.form == "lists":
        labels = column.texts and not has_word(WORDS, name)
        once = labels and all(None not in row and len(set(row)) == len(row) for row in column.values)
        return Guess("MultiLabel") if once else None
    if column.form == "ragged":
        fits = all(row.size == 0 or (row.ndim == 2 and row.shape[1] == 4) for row in column.values)
        return _guess_boxes(column, max(map(len, column.values))) if fits and has_word(BOX, name) else None
    if holds_files(column):
        return _guess_mask_files(column) if has_word(MASK, name) else None
    if shape in ((), (1,)):
        return _guess_single(column)
    if column.encoded:
        return _guess_encoded(column)
    if has_word(BOX, name) and shape[-1] == 4 and len(shape) <= 2:
        return _guess_boxes(column, 1 if len(shape) == 1 else shape[0])
    if has_word(POINTS, name) and len(shape) == 2 and shape[1] in (2, 3):
        return Guess("Keypoints", (str(shape[0]),))
    if has_word(MASK, name) and len(shape) in (2, 3):
        return _guess_mask(column)
    if has_word(MAP, name) and len(shape) in (2, 3):
        return Guess("Map", (str(shape[2]),) if len(shape) == 3 and shape[2] > 1 else ())
    return _guess_vector(column) if len(shape) == 1 else None


def balance_argument(column: ColumnDescription) -> tuple[str, ...]:
    """Return the argument that balances the classes of a column, if they are uneven."""
    times = list((column.counts or {}).values())
    uneven = not column.encoded and times and max(times) >= _UNEVEN * min(times)
    return ('class_weight="balanced"',) if uneven else ()


def _guess_single(column: ColumnDescription) -> Guess:
    """Return the head for one text or number per row."""
    output, counts, numbers = column.output, column.counts, column.statistics
    if column.form == "text":
        empty = "" in (column.texts or ())  # which a feed refuses as a name of a class
        remark = '"" is taken for no label' if empty else ""
        return Guess("Categorical", ('missing=""',) * empty + balance_argument(column), remark)
    loss = output.loss if output is not None and output.activation == "linear" else None
    quantity = loss is not None and output is not None and output.from_logits is None
    if column.classes in (None, 1) and numbers.zero_one and not quantity:
        return Guess("Binary", balance_argument(column))
    few = counts is not None and len(counts) <= _MOST_CLASSES
    few = few and not nearly_unique(len(counts or {}), numbers.numbers) and not has_word(AMOUNT, column.name)
    few = few and column.whole and not (column.encoded and numbers.dtype.startswith("float"))
    if (column.classes or 1) > 1 or (output is None and few):
        if not column.encoded:
            none = _no_label(column)
            remark = "" if none is None else f'if {none} means "no label", say missing={none}'
            return Guess("Categorical", balance_argument(column), remark)
        ids = _id_arguments(column)
        if ids is not None:
            return Guess("Categorical", *ids)
    return Guess("Regression")


def _guess_encoded(column: ColumnDescription) -> Guess:
    """Return the head whose labels are these arrays, unchanged."""
    shape, output = column.shape, column.output
    mask = _guess_mask(column) if len(shape) in (2, 3) else None
    if mask is not None:
        return mask
    if len(shape) == 1:
        if output is not None and len(output.shape) == 2 and output.classes == 1:
            return Guess("Regression", (str((*shape, 1)),))
        return _guess_vector(column)
    if len(shape) == 3 and min(shape[:2]) >= _SIDE:
        return Guess("Map", (str(shape[2]),), "numbers for each pixel")
    return Guess("Regression", (str(shape),))


def _guess_vector(column: ColumnDescription) -> Guess:
    """Return the head for several numbers per row."""
    size, output = str(column.shape[0]), column.output
    if not column.statistics.zero_one:
        return Guess("Regression", (size,))
    if not column.statistics.one_hot or (output is not None and output.activation in SIGMOID):
        return Guess("MultiLabel", (size,))
    if not column.changeable:
        return Guess("MultiLabel", (size,), "one-hot: give ids, labels.argmax(-1), to say ph.Categorical")
    if output is not None and output.one_hot:
        return Guess("Categorical", (size, "one_hot=True"), "made one-hot again from ids", ".argmax(-1)")
    return Guess("Categorical", (size,), "ids in place of one-hot labels", ".argmax(-1)")


def _no_label(column: ColumnDescription) -> int | None:
    """Return the id that seems to mean "no label": the only one below 0, or 255 if it is far above all others."""
    classes, low, high = column.classes, column.statistics.low[0], column.statistics.high[0]
    if low < 0:
        return int(low)
    others = [value for value in column.counts or () if value != 255]
    if high != 255 or not others:
        return None
    return 255 if max(others) < (254 if classes is None else classes) else None


def _id_arguments(column: ColumnDescription) -> tuple[tuple[str, ...], str] | None:
    """Return the arguments of a head for class ids, and a remark; None for numbers that are no ids."""
    values, classes = column.counts or (), column.classes
    if not column.whole or not column.statistics.numbers or len([v for v in values if v < 0]) > 1:
        return None
    none = _no_label(column)
    top = int(column.statistics.high[0]) if none != 255 else max(v for v in values if v != 255)
    missing = () if none is None else (f"missing={none}",)
    remark = "classes by the ids that were seen" if classes is None else ""
    if classes is not None and top >= classes:
        remark = f"ids up to {top} were seen, the layer has {classes} units"
    return (str(max(2, classes or 0, top + 1)), *missing), remark


def _guess_mask(column: ColumnDescription) -> Guess | None:
    shape, output, classes = column.shape, column.output, column.classes
    if output is not None and len(output.shape) == 2 == len(shape):
        return None  # a number for each pixel, not a class
    channels = shape[2] if len(shape) == 3 else 1
    # a feed infers the size from the first rows, which may have no mask
    size = (f"size={shape[:2]}",) if column.encoded or not column.present.all() else ()
    bytes_ = column.statistics.zero_255
    if (column.statistics.zero_one or bytes_) and (output is None or classes in (1, channels)):
        many = (str(channels), "multi=True") if channels > 1 else ()
        values = ("values=(0, 255)",) * bytes_
        remark = "255 is taken for the object" if bytes_ and not column.encoded else ""
        return Guess("Mask", (*many, *values, *size), remark)
    few = column.counts is not None or (classes or 1) > 1
    ids = _id_arguments(column) if few and channels == 1 and classes != 1 else None
    return None if ids is None else Guess("Mask", (*ids[0], *size), ids[1])


def _guess_mask_files(column: ColumnDescription) -> Guess:
    """Return the head for files of masks, by the numbers in the first readable ones."""
    from polyhead.images.decode import decode_mask

    unknown = Guess("Mask", (), "0 and 1; for class ids say how many")
    paths = column.values[:_FIRST_MASKS]
    try:
        ids = survey_values(column.name, np.concatenate([np.unique(decode_mask(path)) for path in paths]))
    except (DataError, ContractError):
        return unknown
    if ids.statistics.zero_255:
        return Guess("Mask", ("values=(0, 255)",), "255 is taken for the object")
    arguments = _id_arguments(ids)
    if arguments is None or ids.statistics.zero_one or ids.statistics.low[0] < 0:
        return unknown
    return Guess("Mask", arguments[0], f"classes by the ids in the first {len(paths)} masks")


_FIRST_MASKS = 8


def _guess_boxes(column: ColumnDescription, places: int) -> Guess:
    rows = column.values if isinstance(column.values, list) else [column.values.reshape(-1, 4)]
    flat = np.concatenate([np.asarray(row, float).reshape(-1, 4) for row in rows])
    flat = flat[~np.isnan(flat).any(axis=1)]
    args, remarks = [str(max(1, places))], list[str]()
    if column.form == "ragged" and not column.encoded:
        remarks.append(f"{max(1, places)}: the most boxes in one of {counted(len(rows), 'row')}")
    turned = len(flat) and ((flat[:, 2] < flat[:, 0]) | (flat[:, 3] < flat[:, 1])).any()
    if turned:
        args.append('format="xywh"')
        remarks.append("no xyxy, as some corners would be turned; cxcywh and yxyx are possible too")
    ends = flat[:, :2] + flat[:, 2:] if turned else flat
    if len(flat) and flat.min() >= 0 and flat.max() <= 1 and ends.max() <= 1:
        args.append("normalized=True")
    return Guess("Boxes", tuple(args), "; ".join(remarks))
