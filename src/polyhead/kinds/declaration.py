"""The declaration of a feed without its data: saved to a file, carried by a model, or used with other rows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from polyhead.errors import ContractError, DataError, Problem, as_path, place, shown, similar
from polyhead.kinds.head import Head
from polyhead.kinds.json_form import from_json, to_json
from polyhead.kinds.kind import Input
from polyhead.whole_file import writing

if TYPE_CHECKING:
    from polyhead.feed import Feed

VERSION = 2
"""The version of the file format; since 2, heads and inputs may have a fitted scale."""

_KEYS = ("polyhead_declaration", "inputs", "heads", "checksum")


class KnownHeads(dict[str, Head]):
    """Heads from another feed: their label columns may be absent if rows are only predicted."""


class FixedKinds(dict[str, Any]):
    """A dict of inputs or heads that can't be changed; copies made by ``dict`` and ``|`` can.

    Args:
        kinds: pairs too, which `dataclasses.asdict` passes, without the other arguments.
        owner: what it belongs to, for the error.
    """

    def __init__(
        self, kinds: Mapping[str, Any] | Iterable[tuple[str, Any]], owner: str = "It", instead: str = ""
    ) -> None:
        super().__init__(kinds)
        self._owner, self._instead = owner, instead

    def __reduce__(self) -> tuple[Any, ...]:
        return FixedKinds, (dict(self), self._owner, self._instead)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self._owner} can't be changed. {self._instead}".rstrip())

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse


@dataclass(frozen=True)
class Declaration:
    """The inputs and heads of a feed, resolved: classes learned, sizes known, class weights worked out.

    `Feed.declaration` returns it, a model compiled by `polyhead.compile` carries it, and `declaration_of` reads it from
    a loaded model.

    Attributes:
        inputs: ``{name: input kind}``.
        heads: ``{name: head kind}``.

    >>> import polyhead as ph
    >>> data = {"x": [[0.0, 1.0], [2.0, 3.0]], "animal": ["dog", "cat"]}
    >>> declaration = ph.Feed(data, inputs="x", heads={"animal": ph.Categorical()}).declaration
    >>> declaration.heads
    {'animal': Categorical(('cat', 'dog'))}
    >>> ph.Declaration.from_dict(declaration.to_dict()) == declaration
    True
    """

    inputs: Mapping[str, Input]
    heads: Mapping[str, Head]

    def __post_init__(self) -> None:
        for field, other in (("inputs", "heads"), ("heads", "inputs")):
            changed = f"{field}={{**declaration.{field}, ...}}, {other}=declaration.{other}"
            instead = f"Make another: ph.Declaration({changed})."
            object.__setattr__(self, field, FixedKinds(getattr(self, field), f"declaration.{field}", instead))

    def __eq__(self, other: object) -> bool:
        """Compare inputs and heads; losses and metrics are equal if Keras saves them as the same values."""
        if not isinstance(other, Declaration):
            return NotImplemented
        if (self.inputs, self.heads) == (other.inputs, other.heads):
            return True
        try:
            return self.to_dict() == other.to_dict()
        except ContractError:  # a loss without such values equals only itself
            return False

    def feed(self, data: Any, **arguments: Any) -> Feed:
        """Make a feed of other rows with this declaration: the same classes, sizes and weights.

        Label columns may be absent: the feed can then only predict.

        Args:
            data: as for `Feed`.
            **arguments: arguments of `Feed`, such as ``batch_size``; ``inputs`` and ``heads`` replace the ones here.

        >>> import polyhead as ph
        >>> data = {"x": [[0.0, 1.0], [2.0, 3.0]], "animal": ["dog", "cat"]}
        >>> declaration = ph.Feed(data, inputs="x", heads={"animal": ph.Categorical()}).declaration
        >>> declaration.feed({"x": [[4.0, 5.0]]}, batch_size=1).peek()[0]["x"].tolist()
        [[4.0, 5.0]]
        """
        from polyhead.feed import Feed

        heads = arguments.pop("heads", self.heads)
        heads = KnownHeads(heads) if isinstance(heads, Mapping) else heads
        return Feed(data, **{"inputs": self.inputs, **arguments, "heads": heads})

    # As data ---------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return this declaration as a dict that can be saved as JSON.

        Raises:
            ContractError: for a loss or metric of a head that Keras cannot serialize.
        """
        kinds = {
            "inputs": {name: to_json(kind, place(input=name)) for name, kind in self.inputs.items()},
            "heads": {name: to_json(head, place(head=name)) for name, head in self.heads.items()},
        }
        return {"polyhead_declaration": VERSION, **kinds}

    @classmethod
    def from_dict(cls, found: Any) -> Declaration:
        """Make the declaration from the dict that `to_dict` returned.

        Raises:
            ContractError: for a value that is not a declaration, or is one of a newer version of polyhead.
        """
        version = found.get("polyhead_declaration") if isinstance(found, dict) else None
        if type(version) is not int or version < 1:
            raise ContractError(Problem("declaration", 'a dict with "polyhead_declaration"', shown(found)))
        if version > VERSION:
            fix = "A newer polyhead wrote it: install that one."
            raise ContractError(Problem("declaration", f"version {VERSION} or older", f"{version}", fix))
        unknown = next((name for name in found if name not in _KEYS), None)
        if unknown is not None:
            expected = f"the entries {', '.join(_KEYS)}"
            raise ContractError(Problem("declaration", expected, shown(unknown), similar(unknown, _KEYS)))
        if "checksum" in found and found["checksum"] != _checksum(found):
            fix = 'If you changed it by hand, leave its entry "checksum" out.'
            raise ContractError(Problem("declaration", "the checksum it was saved with", "another one", fix))
        for name in ("inputs", "heads"):
            if not isinstance(found.get(name), dict) or not found[name]:
                expected = "a dict of kinds by name"
                raise ContractError(Problem(f"declaration, {name}", expected, shown(found.get(name))))
        inputs = {name: from_json(kind, place(input=name), Input) for name, kind in found["inputs"].items()}
        heads = {name: from_json(head, place(head=name), Head) for name, head in found["heads"].items()}
        return cls(inputs, heads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write this declaration to a JSON file, completely or not at all.

        Raises:
            ContractError: for a loss or metric of a head that Keras cannot serialize.
            DataError: for a path that cannot be written.
        """
        file = as_path(path, "Declaration.save(path)")
        form = self.to_dict()
        form["checksum"] = _checksum(form)
        text = json.dumps(form, indent=2, ensure_ascii=False, allow_nan=False)
        with writing(file) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Declaration:
        """Read the declaration that `save` wrote.

        Nothing in the file is executed. A head or a loss of your own is found once its module is imported.

        Raises:
            DataError: for a file that cannot be read, is damaged, or is of a newer version of polyhead.
        """
        file = as_path(path, "Declaration.load(path)")
        where = place(file=str(file))
        try:
            form = json.loads(
                file.read_bytes(), object_pairs_hook=_without_repeats, parse_constant=_no_constant
            )
        except OSError as error:
            raise DataError(Problem(where, "a file that can be read", f"{error.strerror or error}")) from None
        except (ValueError, RecursionError) as error:
            fix = "It is damaged: save the declaration again."
            raise DataError(Problem(where, "the JSON of a declaration", str(error), fix)) from None
        try:
            return cls.from_dict(form)
        except ContractError as error:
            problems = (replace(problem, place=f"{where}, {problem.place}") for problem in error.problems)
            raise DataError(*problems) from None


def _checksum(form: Mapping[str, Any]) -> str:
    """A checksum of all entries but the checksum itself, in any order."""
    entries = {name: value for name, value in form.items() if name != "checksum"}
    return hashlib.blake2b(json.dumps(entries, sort_keys=True).encode(), digest_size=8).hexdigest()


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("two entries of one name")
    return entries


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} where a number should be")
