"""What a command is given: the path of a table, or ``file.py:name``."""

from __future__ import annotations

import inspect
import json
import os
import re
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyhead.cli.messages import WRONG_USE, fail
from polyhead.errors import PolyheadError, hints, listed, similar
from polyhead.feed import Feed
from polyhead.readers.as_source import as_source
from polyhead.sources.source import Source
from polyhead.sources.tables import read_table

_NAMED = re.compile(r"(?P<file>.+\.py):(?P<name>.*)")


@dataclass(frozen=True)
class Given:
    """Data, and how a program gets at it.

    Attributes:
        source: the rows.
        expression: a piece of Python whose value is the data.
        imports: what has to be imported for it, a line or nothing.
        feed: the feed, where one was given.
    """

    source: Source
    expression: str
    imports: str = ""
    feed: Feed | None = None


def find(text: str) -> Given:
    """The data behind an argument; ends the command with one line where there is none."""
    named = _NAMED.fullmatch(text)
    try:
        return _from_file(Path(named["file"]), named["name"]) if named else _from_path(Path(text))
    except PolyheadError as error:
        fail(f"{text}: {error}")


def _from_path(path: Path) -> Given:
    if path.suffix == ".py":
        fail(f"{path}: say which object of the file, as {path}:name.", WRONG_USE)
    if not path.exists():
        fix = "Give the path of a table, or file.py:name."
        fail(hints(f"{path}: no such file.", _near(path), fix), WRONG_USE)
    return Given(read_table(path), f"ph.read_table({json.dumps(str(path), ensure_ascii=False)})")


def load(*texts: str) -> list[Any]:
    """The objects behind arguments ``file.py:name``, as they are; each file is run once."""
    ran: dict[Path, dict[str, Any]] = {}
    found = []
    for text in texts:
        named = _NAMED.fullmatch(text)
        if named is None:
            fail(f"{text}: say which object of which file, as file.py:name.", WRONG_USE)
        path = Path(named["file"])
        _require_file(path)
        if path not in ran:
            ran[path] = _run(path)
        found.append(_pick(path, ran[path], named["name"]))
    return found


def made(text: str, value: Any) -> Any:
    """The object itself, or what the function that was given returns."""
    if not inspect.isfunction(value):
        return value
    try:
        return value()
    except Exception as error:  # whatever the user's code raises is what is wrong with it
        fail(f"{text}: it raised {type(error).__name__}: {error}", WRONG_USE)


def model_of(text: str, value: Any) -> Any:
    """A Keras model, or the one that the given function returns."""
    model = made(text, value)
    if not callable(getattr(model, "fit", None)):
        fail(f"{text}: expected a Keras model, got {type(model).__name__}.", WRONG_USE)
    return model


def _require_file(path: Path) -> None:
    if not path.is_file():
        fail(hints(f"{path}: no such file.", _near(path)), WRONG_USE)


def _near(path: Path) -> str:
    """The hint for a file that is not there."""
    return similar(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""


def _pick(path: Path, names: dict[str, Any], name: str) -> Any:
    """The object of that name."""
    if name not in names:
        own = [n for n in names if not n.startswith("_")]
        if not name:
            fail(f"{path}: say which object of the file, as {path}:name.", WRONG_USE)
        held = [n for n in own if not inspect.ismodule(names[n])]
        there = f"It has {listed(held, 8)}." if held else ""
        fail(hints(f"{path}: it has no `{name}`.", similar(name, own) or there), WRONG_USE)
    return names[name]


def _from_file(path: Path, name: str) -> Given:
    _require_file(path)
    value, call = _pick(path, _run(path), name), ""
    if inspect.isroutine(value):
        value, call = _called(path, name, value), "()"
    feed = value if isinstance(value, Feed) else None
    source = as_source(value) if feed is None else feed.source
    if path.stem.isidentifier():
        imports = f"from {path.stem} import {name}  # with the folder of {path.name} on the path"
        return Given(source, f"{name}{call}", imports, feed)
    return Given(
        source,
        f"runpy.run_path({json.dumps(str(path), ensure_ascii=False)})[{json.dumps(name)}]{call}",
        "import runpy",
        feed,
    )


def _run(path: Path) -> dict[str, Any]:
    before = list(sys.path)
    sys.path.insert(0, str(path.resolve().parent))  # a script finds the modules that lie beside it
    try:
        return runpy.run_path(str(path), run_name=path.stem)
    except (Exception, SystemExit) as error:  # whatever the user's file raises is what is wrong with it
        fail(f"{path}: it cannot be imported: {_words(error)}")
    finally:
        sys.path[:] = before


def _called(path: Path, name: str, function: Any) -> Any:
    try:
        needed = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
    except ValueError:
        needed = []
    if needed:
        fail(
            f"{path}:{name}: it needs arguments ({', '.join(needed)}). Give a function that needs none.",
            WRONG_USE,
        )
    try:
        return function()
    except PolyheadError:
        raise
    except Exception as error:  # as above
        fail(f"{path}:{name}: it raised {_words(error)}")


def _words(error: BaseException) -> str:
    if isinstance(error, PolyheadError):
        return f"{type(error).__name__}: {error}"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
