"""Validates the classes of a head, and encodes columns of them as ids."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from polyhead.columns.values import EXACT
from polyhead.errors import BadValue, ContractError, Problem, as_list, hints, plain_scalar, shown, similar
from polyhead.kinds.missing import is_missing
from polyhead.kinds.value_advice import conversion_fix, listed_fix, object_fix, reads_as_number, repeats_fix

MISSING, STRANGE = -1, -2
"""In place of an id: a missing label, and a value that is not a class."""

_TYPES = (str, bytes, int, float, Decimal, datetime.date, datetime.timedelta, np.generic)

AS_TEXT = "Give ids as text: np.asarray(column).astype(str)."

IN_FLOATS = "ids that floats hold exactly"
FROM_FLOATS = "pandas makes floats of integers beside missing ones: read them as Int64, or as text."
"""The remedy for ids beyond 2^53 in floats, of which several may be equal."""

_NOTHING = {"background", "bg", "none", "nothing", "void", "unlabeled", "unlabelled"}


def class_problem(value: Any) -> tuple[str, str] | None:
    """Return what to expect in place of a value that cannot be a class, and what to do; None for one that can.

    Declarations, stores and tables of predictions have to hold it.
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "ids of classes that fit int64", AS_TEXT
    if isinstance(value, _TYPES) and not is_missing(value):
        return None
    return "names or numbers of classes", "" if is_missing(value) else object_fix(value)


def is_rounded(name: Any) -> bool:
    """Return whether a class is a float so large that it may stand for several integers."""
    return isinstance(name, float) and EXACT <= abs(name) < np.inf


def checked_classes(kind: str, classes: Any, least: int) -> Any:
    """Validate classes: a number or distinct names, at least ``least`` of them."""
    if classes is None:
        return None
    classes = plain_scalar(classes)
    names = None if isinstance(classes, range) else as_list(classes)
    if isinstance(classes, np.ndarray) and classes.dtype.kind in "mM" and classes.ndim == 1:
        names = python_times(classes)
    if names is not None:
        names = [_bare(name) if isinstance(name, _OF_NUMPY) and name.ndim == 0 else name for name in names]
        classes = tuple(names) if isinstance(classes, tuple) else names
    expected = f"a number of at least {least}, or as many distinct names"
    if isinstance(classes, (str, bytes, bool)) or not isinstance(classes, (int, Sequence)):
        mask = isinstance(classes, Mapping) and kind == "Mask"
        fix = "Say Mask(list(names.values()), values=list(names))." if mask else ""
        raise ContractError(Problem(f"{kind}(classes)", expected, shown(classes), fix))
    for name in () if isinstance(classes, int) else classes:
        if problem := class_problem(name):
            raise ContractError(Problem(f"{kind}(classes)", problem[0], shown(name), problem[1]))
    count = classes if isinstance(classes, int) else len(classes)
    if not least <= count < 2**31 or (not isinstance(classes, int) and len(set(classes)) != count):
        fix = "Two classes are a ph.Binary head." if kind == "Categorical" and count == 1 else ""
        raise ContractError(Problem(f"{kind}(classes)", expected, shown(classes), fix))
    return classes


def class_names(classes: int | Sequence[Any]) -> tuple[Any, ...]:
    """The classes in order of their ids."""
    return tuple(range(classes)) if isinstance(classes, int) else tuple(classes)


def is_nothing(name: Any) -> bool:
    """Return whether a class has a name such as "background".

    >>> is_nothing("Background"), is_nothing("sky"), is_nothing(0)
    (True, False, False)
    """
    return str(name).strip(" _").lower() in _NOTHING


def classes_in_words(classes: int | Sequence[Any]) -> str:
    """Describe the classes for an error."""
    if isinstance(classes, int):
        return f"an integer in [0, {classes - 1}]"
    return f"one of {shown(list(classes))}"


def fix_of_no_class(value: Any, classes: int | Sequence[Any]) -> str:
    """Say what to do about a value that is not among the classes of a Categorical head."""
    missing = f'If {value!r} means "no label", say Categorical(missing={value!r}).'
    number = isinstance(value, (int, float))
    first = None if isinstance(classes, int) else classes[0]
    if isinstance(value, datetime.date) and isinstance(first, datetime.date):
        days = not isinstance(first, datetime.datetime)
        if days == isinstance(value, datetime.datetime):
            return f'Give {"dates" if days else "times"}: np.asarray(column, "M8[{"D" if days else "us"}]").'
    if isinstance(value, bool) and not isinstance(classes, int) and len(classes) == 2:
        by_flag = dict(zip((False, True), classes, strict=True))
        return f"Give the names: [{by_flag}.get(one) for one in column]."
    if number and value < 0:
        return missing
    if isinstance(value, float) and not value.is_integer():
        return "Use ph.Regression for numbers that are no ids."
    if isinstance(classes, int):
        if isinstance(value, str) and reads_as_number(value):
            return conversion_fix(value)
        if not number:
            return "Give the names of the classes, or say Categorical() to learn them from the column."
        ids = list(range(1, classes + 1)) if classes < 7 else f"range(1, {classes + 1})"
        from_1 = f"If the ids count from 1, say Categorical({ids}); if they count from 0, Categorical({classes + 1})."
        return hints(from_1 if value == classes else "Ids count from 0.", missing)
    numerals = {int(name) for name in classes if isinstance(name, str) and name.strip().isdecimal()}
    if number and value in numerals:
        return "The classes are text: give text, from a CSV file with pandas.read_csv(path, dtype={column: str})."
    if number and value in range(len(classes)) and all(isinstance(name, str) for name in classes):
        names = f"np.array({list(classes) if len(classes) < 7 else 'names'})[ids]"
        return f"If these are ids of the names, give the names, also in a generator: {names}."
    fix = f'Name it among the classes, or say Categorical(missing={value!r}) if it means "no label".'
    return hints(similar(value, classes), fix)


CLASS_A_STEP = (
    "A class for each step of a sequence is ph.Mask(classes, missing=-100): give ids of shape (N, 1, T), with -100 in "
    "the padding, and an output of shape (1, T, classes)."
)
VOLUMES = 'say Regression((D, H, W, n), loss="categorical_crossentropy"), with one-hot labels'


def _fix_of_several(values: Any, count: int | None) -> str:
    """Say what to do about rows with several values; ``count`` is the number of classes, if known."""
    rows = [value for value in values if isinstance(value, (list, tuple, np.ndarray))]
    try:
        array = np.asarray(rows, float)
    except (TypeError, ValueError):  # rows of other lengths, or of names
        repeated = any(len(set(map(repr, row))) < len(row) for row in rows)
        return hints(CLASS_A_STEP if repeated else _AT_ONCE, _OF_BOXES)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim > 2:
        return (
            "A class for each pixel is ph.Mask." if array.ndim == 3 else f"If these are volumes, {VOLUMES}."
        )
    if array.ndim == 2 and len(array) and count in (None, array.shape[1]):
        if (unlabeled := np.isnan(array).all(1)).all():
            return "Give None for a row without a label."
        if (array[~unlabeled] >= 0).all() and np.allclose(array[~unlabeled].sum(1), 1):
            if ((array > 0) & (array < 1)).any():
                return (
                    f'For soft labels say ph.Regression({array.shape[1]}, loss="categorical_crossentropy").'
                )
            return f"If these are one-hot, give {_IDS_BESIDE_NAN if unlabeled.any() else 'np.argmax(column, axis=1)'}."
        if ((array == 0) | (array == 1)).all():
            return _AT_ONCE
    return CLASS_A_STEP if isinstance(values, np.ndarray) else hints(CLASS_A_STEP, _OF_BOXES)


_IDS_BESIDE_NAN = (
    "np.where(np.isnan(column).all(axis=1), -1, np.argmax(column, axis=1)), with Categorical(missing=-1)"
)
_OF_BOXES = 'If these are the classes of boxes, say each="..." with the name of their head.'
_AT_ONCE = "If several classes hold at once, use ph.MultiLabel."


def one_class_a_row(values: Any, count: int | None = None, keep_bytes: bool = False) -> Any:
    """Return a column with one class per row as codes, an array ``(B,)`` or a list.

    Args:
        count: the number of classes, if known.
        keep_bytes: whether bytes are kept; otherwise they become text.

    Raises:
        BadValue: for rows with several values.
    """
    if hasattr(values, "codes"):
        if keep_bytes or not any(isinstance(category, bytes) for category in values.categories):
            return values
        return replace(values, categories=words_as_text(list(values.categories)))
    if isinstance(values, np.ndarray):
        if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
            found = f"rows of shape {values.shape[1:]}"
            raise BadValue(None, "one class a row", found, _fix_of_several(values, count))
        values = values.reshape(len(values))
        if values.dtype.kind in "mM":
            return python_times(values)
        if values.dtype != object:
            return values if keep_bytes else words_as_text(values)
    values = [_alone(value) for value in values]
    for i, value in enumerate(values):
        several = isinstance(value, (list, tuple, set, frozenset, dict))
        if several or (isinstance(value, np.ndarray) and value.size != 1):
            raise BadValue(i, "one class a row", shown(value), _fix_of_several(values, count))
    bare = [_bare(value) if isinstance(value, _OF_NUMPY) else value for value in values]
    return bare if keep_bytes else words_as_text(bare)


_OF_NUMPY = (np.ndarray, np.number, np.datetime64)  # a Decimal cannot be compared with numbers of NumPy


def _alone(value: Any) -> Any:
    """Return the entry of a list of one, as JSON has it, and any other value unchanged."""
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _bare(value: Any) -> Any:
    return python_times(np.reshape(value, 1))[0] if value.dtype.kind in "mM" else value.item()


def python_times(values: np.ndarray) -> list[Any]:
    """Convert dates or time spans ``(B,)`` to Python's (NumPy's are other dict keys), to microseconds; NaT to None.

    Raises:
        BadValue: for spans of months or years, which have no fixed length.

    >>> python_times(np.array(["2024-03-01", "NaT"], "datetime64[D]")), python_times(np.array([90], "timedelta64[s]"))
    ([datetime.date(2024, 3, 1), None], [datetime.timedelta(seconds=90)])
    """
    unit, span = np.datetime_data(values.dtype)[0], values.dtype.kind == "m"
    if span and unit in ("Y", "M"):
        fix = "Give numbers: column.astype(int)."
        raise BadValue(None, "time spans of a fixed length", f"those of {values.dtype}", fix)
    if not span and unit in ("Y", "M", "W", "D"):
        return values.tolist()
    return values.astype(f"{'timedelta' if span else 'datetime'}64[us]").tolist()


def words_as_text(values: Any) -> Any:
    """Decode words that are UTF-8 bytes, as in TensorFlow and HDF5; anything else is unchanged.

    >>> words_as_text([b"cat", None]), words_as_text(np.array([b"cat"])).tolist()
    (['cat', None], ['cat'])
    """
    if isinstance(values, list):
        return [_without_bytes(value) for value in values]
    if values.dtype.kind == "S":
        words = [_without_bytes(value) for value in values.tolist()]
        return np.array(words, str) if all(isinstance(word, str) for word in words) else words
    return values


def _without_bytes(value: Any) -> Any:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _in_bytes(names: Iterable[Any], missing: Any) -> bool:
    return any(isinstance(name, bytes) for name in (*names, missing))


def class_ids(values: Any, classes: int | Sequence[Any], missing: Any) -> np.ndarray:
    """Return a column as int32 ids ``(B,)``; `MISSING` for no label, `STRANGE` for a value that is not a class."""
    count, names = (classes, ()) if isinstance(classes, int) else (len(classes), classes)
    values = one_class_a_row(values, count, keep_bytes=_in_bytes(names, missing))
    if hasattr(values, "codes"):
        table = _ids_by_lookup([*values.categories, None], classes, missing)
        return table[values.codes]  # code -1 is the last entry: None
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufbU":
        return _array_ids(values, classes, missing)
    return _ids_by_lookup(values, classes, missing)


def value_at(values: Any, index: int) -> Any:
    """Return one value of a column with one class per row."""
    if hasattr(values, "codes"):
        return values.categories[values.codes[index]]
    value = _alone(values[index])
    return value.item() if isinstance(value, (np.ndarray, np.generic)) else value


def _ids_by_lookup(values: Sequence[Any], classes: int | Sequence[Any], missing: Any) -> np.ndarray:
    id_of = {name: i for i, name in enumerate(class_names(classes))}
    try:
        ids = (MISSING if is_missing(v, missing) else id_of.get(v, STRANGE) for v in values)
        return np.fromiter(ids, np.int32, len(values))
    except TypeError as error:  # values that are not hashable, as rows of a structured array
        raise BadValue(None, "names or ids of classes", f"{shown(values[0])} ({error})") from None


def _array_ids(array: np.ndarray, classes: int | Sequence[Any], missing: Any) -> np.ndarray:
    unlabeled = _without_label(array, missing)
    if isinstance(classes, int) or list(classes) == list(range(len(classes))):
        if array.dtype.kind == "U":
            return _ids_by_lookup(array.tolist(), classes, missing)
        count = classes if isinstance(classes, int) else len(classes)
        whole = array.dtype.kind in "iub"
        if whole and unlabeled is None and (not array.size or (array.min() >= 0 and array.max() < count)):
            return np.ascontiguousarray(array, np.int32)
        with np.errstate(invalid="ignore"):
            ids = array.astype(np.int32)
        strange = (ids != array) | (ids < 0) | (ids >= count)
    elif all(isinstance(c, str if array.dtype.kind == "U" else Real) for c in classes):
        names = np.array(classes)
        order = np.argsort(names)
        nearest = order[np.minimum(np.searchsorted(names[order], array), len(names) - 1)]
        ids, strange = nearest.astype(np.int32), names[nearest] != array
    else:
        return _ids_by_lookup(array.tolist(), classes, missing)
    ids[strange] = STRANGE
    if unlabeled is not None:
        ids[unlabeled] = MISSING
    return ids


def _without_label(array: np.ndarray, missing: Any) -> np.ndarray | None:
    """The rows without a label, bool ``(B,)``; None if an array of this type has none."""
    nan = np.isnan(array) if array.dtype.kind == "f" else None
    if not isinstance(missing, str if array.dtype.kind == "U" else Real):
        return nan
    marked: np.ndarray = array == missing
    return marked if nan is None else nan | marked


SOFT_LABELS = (
    "For soft labels, give a number for each label, and say "
    'ph.Regression(n, loss="binary_crossentropy"), where n is how many labels there are.'
)
FRACTIONS = f"{SOFT_LABELS} If fractions are labels, name all of them in MultiLabel(classes=)."


def _is_fraction(label: Any) -> bool:
    return isinstance(label, float) and label % 1 > 0  # NaN is none


def label_lists(values: Any, missing: Any, names: Iterable[Any] = ()) -> Iterable[tuple[int, Any]]:
    """Yield each row's position and list of labels; missing rows are skipped.

    Args:
        missing: the value that means "no label".
        names: the names of the classes; bytes are kept if a name is in bytes, otherwise they become text.

    Raises:
        BadValue: for a row that is not a list, or contains a label twice.
    """
    names = list(names)
    keep_bytes, fractions = _in_bytes(names, missing), any(map(_is_fraction, names))
    for row, value in enumerate(values.values() if hasattr(values, "codes") else values):
        if is_missing(value, missing):
            continue
        if not isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
            raise BadValue(row, "a list of labels", shown(value), listed_fix(value))
        labels = value.tolist() if isinstance(value, np.ndarray) else list(value)
        if not keep_bytes and bytes in map(type, labels):
            labels = words_as_text(labels)
        if not fractions and any(map(_is_fraction, labels)):
            raise BadValue(row, "a list of labels", shown(labels), FRACTIONS)
        try:
            repeated = len(set(labels)) != len(labels)
        except TypeError:
            raise BadValue(row, "a list of labels", shown(value)) from None
        if repeated:
            raise BadValue(row, "a list of distinct labels", shown(labels), repeats_fix(labels))
        yield row, labels
