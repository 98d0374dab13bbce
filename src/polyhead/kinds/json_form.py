"""Converts inputs and heads to JSON values and back.

A kind is ``{"kind": its name, its fields that differ from the default}``. A type that JSON lacks is a dict whose single
key names it, as ``{"tuple": [0, 255]}``. Loading executes no code from the file: classes are looked up only among those
already imported.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, fields, replace
from typing import Any

from polyhead.errors import ContractError, PolyheadError, Problem, hints, plain_scalar, shown, similar
from polyhead.kinds.head import Head
from polyhead.kinds.keras_names import deserialized, serialized
from polyhead.kinds.kind import Kind, is_default
from polyhead.kinds.scales import NamedScaling, OwnScaling, Scaling

DEEPEST = 12
"""The deepest nesting of values; no declaration needs as much."""

_FORMS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "bytes": (bytes, lambda v: base64.b64encode(v).decode(), lambda v: base64.b64decode(v, validate=True)),
    "datetime": (datetime.datetime, lambda v: v.isoformat(), datetime.datetime.fromisoformat),
    "date": (datetime.date, lambda v: v.isoformat(), datetime.date.fromisoformat),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
    "timedelta": (
        datetime.timedelta,
        lambda v: str(v // datetime.timedelta(microseconds=1)),
        lambda v: datetime.timedelta(microseconds=int(v)),
    ),
}
"""``{name: (type, to text, from text)}``; a subclass comes before its base."""

_SCALE_FIX = 'Say scale="standard", "minmax", "robust" or "log", which files can hold.'


def to_json(kind: Kind, where: str) -> dict[str, Any]:
    """Convert an input or a head to a dict of JSON values.

    Raises:
        ContractError: for a loss or metric that Keras cannot serialize, or a value that JSON cannot represent.

    >>> from polyhead.kinds import Boxes
    >>> to_json(Boxes(2, given="seen"), "head `box`")
    {'kind': 'Boxes', 'max_boxes': 2, 'given': 'seen'}
    """
    form: dict[str, Any] = {"kind": _kind_name(type(kind))}
    for f in _saved_fields(kind):
        value = getattr(kind, f.name)
        if not is_default(f, value):
            form[f.name] = _to_form(value, f"{where}, {f.name}=", 0)
    return form


def from_json(form: Any, where: str, base: Any = Kind) -> Any:
    """Make the input or head from the dict that `to_json` returned.

    Args:
        base: the required base class, `Input` or `Head`.

    Raises:
        ContractError: for a dict that `to_json` cannot have written; names the place of the mistake.

    >>> from_json({"kind": "Boxes", "max_boxes": 2}, "head `box`")
    Boxes(2)
    """
    name = form.get("kind") if isinstance(form, dict) else None
    if not isinstance(name, str):
        raise ContractError(Problem(where, 'a dict with an entry "kind"', shown(form)))
    classes = {_kind_name(kind): kind for kind in _subclasses(base)}
    if name not in classes:
        module = name.rpartition(".")[0]
        word = "head" if base is Head else "input"
        fix = f"Import {module} first." if module else similar(name, classes)
        raise ContractError(Problem(where, f"a kind of {word}", f"{name!r}", fix))
    known = {f.name: f for f in _saved_fields(classes[name])}
    values = {}
    for field, value in form.items():
        if field == "kind":
            continue
        if field not in known:
            expected = f"fields of {name} ({', '.join(known)})"
            raise ContractError(Problem(where, expected, shown(field), similar(field, known)))
        values[field] = _from_form(value, f"{where}, {field}=", 0)
        _require_type(known[field], values[field], f"{where}, {field}=")
    learned = {field: values.pop(field) for field in known if field in values and not known[field].init}
    try:
        return classes[name](**values).fixed(**learned)
    except PolyheadError as error:
        raise _inside(error, where) from None
    except Exception as error:
        raise ContractError(Problem(where, f"values that {name} takes", f"{error}")) from error


def _inside(error: PolyheadError, where: str) -> ContractError:
    return ContractError(*(replace(problem, place=f"{where}, {problem.place}") for problem in error.problems))


def _saved_fields(kind: Kind | type[Kind]) -> list[Field[Any]]:
    """The fields in the order of a readable declaration: the kind's own, then those common to all kinds."""
    return sorted(fields(kind), key=lambda f: (bool(f.kw_only), not f.init))


def _kind_name(kind: type) -> str:
    """The name of a class in a file: short for polyhead's classes, with the module for the user's."""
    ours = kind.__module__.startswith("polyhead.")
    return kind.__name__ if ours else f"{kind.__module__}.{kind.__qualname__}"


def _subclasses(base: type) -> Iterator[type[Kind]]:
    subclass: type[Kind]
    for subclass in base.__subclasses__():
        yield from _subclasses(subclass)
        if not getattr(subclass, "__abstractmethods__", None):
            yield subclass


def _require_type(f: Field[Any], value: Any, where: str) -> None:
    """Raise for a learned field of the wrong type, which its class does not check; a user's class may have others."""
    fits = {
        "bool": type(value) is bool,
        "int": type(value) is int,
        "None": value is None,
        "tuple[int, int]": isinstance(value, tuple) and [type(v) for v in value] == [int, int],
        "Spellings": isinstance(value, tuple) and all(map(_counts_names, value)),
    }
    if not f.init and not any(fits.get(name, True) for name in str(f.type).split(" | ")):
        raise ContractError(Problem(where, str(f.type), shown(value)))


def _counts_names(group: Any) -> bool:
    return isinstance(group, dict) and all(type(count) is int for count in group.values())


# Values ----------------------------------------------------------------------------------------------


def _to_form(value: Any, where: str, depth: int) -> Any:
    value = plain_scalar(value)
    if depth > DEEPEST:
        raise ContractError(Problem(where, f"at most {DEEPEST} values inside of each other", shown(value)))
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Kind):
        return to_json(value, where)
    if isinstance(value, NamedScaling):
        return {"scale": {"name": value.name, "center": list(value.center), "width": list(value.width)}}
    if isinstance(value, OwnScaling):
        pair = isinstance(value.scaler, (list, tuple))
        forms = [_keras_form(part, where, _SCALE_FIX) for part in (value.scaler if pair else [value.scaler])]
        scaler = forms if pair else forms[0]
        return {"scale": {"own": scaler, "low": list(value.low), "high": list(value.high)}}
    if isinstance(value, (list, tuple, set, frozenset)):
        entries = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        forms = [_to_form(entry, where, depth + 1) for entry in entries]
        return forms if isinstance(value, list) else {"tuple" if isinstance(value, tuple) else "set": forms}
    if isinstance(value, Mapping):
        pairs = [[_to_form(k, where, depth + 1), _to_form(v, where, depth + 1)] for k, v in value.items()]
        return {"mapping": pairs}
    for name, (kind, write, _) in _FORMS.items():
        if isinstance(value, kind):
            return {name: write(value)}
    return {"keras": _keras_form(value, where)}


def _from_form(form: Any, where: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise ContractError(Problem(where, f"at most {DEEPEST} values inside of each other", shown(form)))
    if form is None or isinstance(form, (bool, int, float, str)):
        return form
    if isinstance(form, list):
        return [_from_form(entry, where, depth + 1) for entry in form]
    if "kind" in form:
        return from_json(form, where)
    if len(form) == 1:
        ((name, content),) = form.items()
        try:
            if name == "float" and content in ("nan", "inf", "-inf"):
                return float(content)
            if name in ("tuple", "set") and isinstance(content, list):
                values = (_from_form(entry, where, depth + 1) for entry in content)
                return tuple(values) if name == "tuple" else set(values)
            if name == "mapping" and isinstance(content, list) and all(map(_is_pair, content)):
                pairs = (
                    (_from_form(k, where, depth + 1), _from_form(v, where, depth + 1)) for k, v in content
                )
                return dict(pairs)
            if name in _FORMS and isinstance(content, str):
                return _FORMS[name][2](content)
        except (ValueError, TypeError, ArithmeticError):
            raise ContractError(Problem(where, f"a value of the form {name!r}", shown(content))) from None
        if name == "keras":
            return _from_keras_form(content, where)
        if name == "scale" and isinstance(content, dict):
            return _from_scale_form(content, where)
    raise ContractError(Problem(where, "a value as Declaration.save writes it", shown(form)))


def _from_scale_form(form: dict[str, Any], where: str) -> Scaling:
    custom = form.get("own")
    pair = isinstance(custom, list)
    parts = tuple(_from_keras_form(part, where) for part in (custom if pair else [custom])) if custom else ()
    try:
        if set(form) == {"name", "center", "width"}:
            return NamedScaling(form["name"], form["center"], form["width"])
        if set(form) == {"own", "low", "high"} and parts:
            return OwnScaling(parts if pair else parts[0], form["low"], form["high"])
    except PolyheadError as error:
        raise _inside(error, where) from None
    raise ContractError(Problem(where, "a scale as Declaration.save writes it", shown(form)))


def _is_pair(form: Any) -> bool:
    return isinstance(form, list) and len(form) == 2


def _keras_form(value: Any, where: str, advice: str = "") -> Any:
    """Serialize a user's loss, metric or scale with Keras; ``advice`` is added to errors."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of a lambda, which it then does not load
            form = serialized(value)
        deserialized(form)
    except Exception as error:
        what = "Decorate its class or function"
        if getattr(value, "__name__", "") == "<lambda>":
            what = "Write it as a function with def, and decorate that"
        fix = f"{what} with @keras.saving.register_keras_serializable()."
        expected = "what Keras can save and load"
        raise ContractError(Problem(where, expected, shown(value), hints(advice, fix))) from error
    return form


def _from_keras_form(form: Any, where: str) -> Any:
    try:
        return deserialized(form)
    except Exception as error:
        name = form.get("class_name") if isinstance(form, dict) else form
        fix = "Import the module that registers it first, with @keras.saving.register_keras_serializable()."
        raise ContractError(Problem(where, "what Keras can load", shown(name), fix)) from error
