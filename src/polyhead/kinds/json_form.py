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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, fields
from typing import Any

from polyhead.errors import ContractError, PolyheadError, Problem, hints, plain_scalar, shown, similar
from polyhead.kinds.head import Head
from polyhead.kinds.keras_objects import deserialized, serialized
from polyhead.kinds.kind import Kind
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
    found: dict[str, Any] = {"kind": _kind_name(type(kind))}
    for one in _saved_fields(kind):
        value = getattr(kind, one.name)
        if type(value) is not type(one.default) or value != one.default:
            found[one.name] = _to_form(value, f"{where}, {one.name}=", 0)
    return found


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
    classes = {_kind_name(one): one for one in _subclasses(base)}
    if name not in classes:
        own = "." in name
        word = "head" if base is Head else "input"
        fix = f"Import {name.rpartition('.')[0]} first." if own else similar(name, classes)
        raise ContractError(Problem(where, f"a kind of {word}", f"{name!r}", fix))
    known = {one.name: one for one in _saved_fields(classes[name])}
    strange = [field for field in form if field != "kind" and field not in known]
    if strange:
        expected = f"fields of {name} ({', '.join(known)})"
        raise ContractError(Problem(where, expected, shown(strange[0]), similar(strange[0], known)))
    values = {field: _from_form(form[field], f"{where}, {field}=", 0) for field in form if field != "kind"}
    for field, value in values.items():
        _require_type(known[field], value, f"{where}, {field}=")
    try:
        made = classes[name](**{field: value for field, value in values.items() if known[field].init})
    except PolyheadError as error:
        raise ContractError(*(_inside(where, problem) for problem in error.problems)) from None
    except Exception as error:
        raise ContractError(Problem(where, f"values that {name} takes", f"{error}")) from error
    return made.fixed(**{field: value for field, value in values.items() if not known[field].init})


def _inside(where: str, problem: Problem) -> Problem:
    return Problem(f"{where}, {problem.place}", problem.expected, problem.found, problem.fix)


def _saved_fields(kind: Kind | type[Kind]) -> list[Field[Any]]:
    """The fields in the order of a readable declaration: the kind's own, then those common to all kinds."""
    return sorted(fields(kind), key=lambda one: (bool(one.kw_only), not one.init))


def _kind_name(kind: type) -> str:
    """The name of a class in a file: short for polyhead's classes, with the module for the user's."""
    return (
        kind.__name__ if kind.__module__.startswith("polyhead.") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _subclasses(base: type) -> Iterator[type[Kind]]:
    one: type[Kind]
    for one in base.__subclasses__():
        yield from _subclasses(one)
        if not getattr(one, "__abstractmethods__", None):
            yield one


def _require_type(one: Field[Any], value: Any, where: str) -> None:
    """Raise for a learned field of the wrong type, which its class does not check."""
    words = str(one.type).split(" | ")
    types = {"bool": bool, "int": int, "None": type(None)}
    if one.type == "Spellings" and isinstance(value, tuple) and all(map(_counts_names, value)):
        return
    if words[0] == "tuple[int, int]" and isinstance(value, tuple) and [type(v) for v in value] == [int, int]:
        return
    if not one.init and not any(type(value) is types.get(word, object) for word in words):
        raise ContractError(Problem(where, str(one.type), shown(value)))


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
        forms = [_keras_form(one, where, _SCALE_FIX) for one in (value.scaler if pair else [value.scaler])]
        own = forms if pair else forms[0]
        return {"scale": {"own": own, "low": list(value.low), "high": list(value.high)}}
    if isinstance(value, list):
        return [_to_form(one, where, depth + 1) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [_to_form(one, where, depth + 1) for one in value]}
    if isinstance(value, (set, frozenset)):
        return {"set": [_to_form(one, where, depth + 1) for one in sorted(value, key=repr)]}
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
        return [_from_form(one, where, depth + 1) for one in form]
    if "kind" in form:
        return from_json(form, where)
    if len(form) == 1:
        ((name, held),) = form.items()
        try:
            if name == "float" and held in ("nan", "inf", "-inf"):
                return float(held)
            if name in ("tuple", "set") and isinstance(held, list):
                values = (_from_form(one, where, depth + 1) for one in held)
                return tuple(values) if name == "tuple" else set(values)
            if name == "mapping" and isinstance(held, list) and all(_is_pair(one) for one in held):
                pairs = ((_from_form(k, where, depth + 1), _from_form(v, where, depth + 1)) for k, v in held)
                return dict(pairs)
            if name in _FORMS and isinstance(held, str):
                return _FORMS[name][2](held)
        except (ValueError, TypeError, ArithmeticError):
            raise ContractError(Problem(where, f"a value of the form {name!r}", shown(held))) from None
        if name == "keras":
            return _from_keras_form(held, where)
        if name == "scale" and isinstance(held, dict):
            return _from_scale_form(held, where)
    raise ContractError(Problem(where, "a value as Declaration.save writes it", shown(form)))


def _from_scale_form(form: dict[str, Any], where: str) -> Scaling:
    own = form.get("own")
    forms = own if isinstance(own, list) else [own]
    made = tuple(_from_keras_form(one, where) for one in forms) if own is not None else ()
    try:
        if set(form) == {"own", "low", "high"} and made:
            return OwnScaling(made if isinstance(own, list) else made[0], form["low"], form["high"])
        if set(form) == {"name", "center", "width"}:
            return NamedScaling(form["name"], form["center"], form["width"])
    except PolyheadError as error:
        raise ContractError(*(_inside(where, problem) for problem in error.problems)) from None
    raise ContractError(Problem(where, "a scale as Declaration.save writes it", shown(form)))


def _is_pair(form: Any) -> bool:
    return isinstance(form, list) and len(form) == 2


def _keras_form(value: Any, where: str, more: str = "") -> Any:
    """Serialize a user's loss, metric or scale with Keras; ``more`` is further advice for errors."""
    try:
        found = serialized(value)
        deserialized(found)
    except Exception as error:
        fix = "Decorate its class or function with @keras.saving.register_keras_serializable()."
        expected = "what Keras can save and load"
        raise ContractError(Problem(where, expected, shown(value), hints(more, fix))) from error
    return found


def _from_keras_form(form: Any, where: str) -> Any:
    try:
        return deserialized(form)
    except Exception as error:
        name = form.get("class_name") if isinstance(form, dict) else form
        fix = "Import the module that registers it first, with @keras.saving.register_keras_serializable()."
        raise ContractError(Problem(where, "what Keras can load", shown(name), fix)) from error
