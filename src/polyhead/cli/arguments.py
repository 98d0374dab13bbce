"""Loads the data, feeds and models that commands are given, as the path of a table or as ``file.py:name``."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import runpy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from polyhead.cli.image_folders import opened_images
from polyhead.cli.loaded_data import LoadedData
from polyhead.cli.messages import WRONG_DATA, WRONG_USE, check_all, fail, fail_for
from polyhead.cli.other_files import opened_other
from polyhead.doctor.feed_code import as_literal
from polyhead.errors import DataError, PolyheadError, hints, listed, shown, similar
from polyhead.feed import Feed
from polyhead.foreign_errors import line_of_user, quoted_error
from polyhead.migrating.slicing import as_script
from polyhead.readers.as_source import as_source
from polyhead.readers.paths import similar_file
from polyhead.sources.generator import required_arguments
from polyhead.store.files import is_store

FeedArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE.PY:NAME",
        help="A ph.Feed in a Python file, or a function that returns one.",
        show_default=False,
    ),
]
MODEL_NAME = "FILE.PY:NAME|MODEL.KERAS"
JsonOption = Annotated[bool, typer.Option("--json", help="Print only the report, as JSON.")]

NAMED = re.compile(r"(?P<file>.+\.py):(?P<name>.*)")
"""The form of an argument that names an object of a Python file."""


def load_data(text: str) -> LoadedData:
    """Load the data that an argument names: a table, a folder of images, or an object of a Python file."""
    return _from_file(text) if NAMED.fullmatch(text) else _from_path(require_path(text))


def require_path(text: str) -> Path:
    """Return the path of a file or folder; end the command if there is none, as for an empty text."""
    path = Path(text)
    if path.suffix == ".py":
        require_named(path)
    if not text or not path.exists():
        fix = "Give the path of a table or a folder of images, or file.py:name."
        name, near = (text, similar_file(path)) if text else (shown(text), "")
        fail(hints(f"{name}: no such file.", near, fix), WRONG_USE)
    return path


def _from_path(path: Path) -> LoadedData:
    if is_store(path):
        return LoadedData(as_source(path), f"ph.open_store({as_literal(path)})")
    loaded = opened_images(path) or opened_other(path)
    if loaded is not None:
        return loaded
    try:
        source = as_source(path)
    except DataError as error:
        here = "Here name a function of a Python file that returns it, as file.py:name."
        others = [
            replace(problem, fix=hints(problem.fix, here)) if "ass the frame" in problem.fix else problem
            for problem in error.problems
        ]
        raise DataError(*others) from None
    kind = re.search(r"\.(csv|parquet)(\.\w+)?$", path.name)
    frame = f"pd.read_{kind[1]}({as_literal(path)})" if kind else ""
    return LoadedData(source, f"ph.read_table({as_literal(path)})", frame=frame)


def load_objects(*texts: str) -> list[Any]:
    """Load the objects that arguments ``file.py:name`` name, unchanged; each file runs once."""
    named = [_file_and_name(text) for text in texts]
    check_all(*(partial(_require_object, text) for text in texts))
    ran = {path: _run_file(path) for path in dict.fromkeys(path for path, _ in named)}
    return check_all(*(partial(_pick, path, ran[path], name) for path, name in named))


def _file_and_name(text: str) -> tuple[Path, str]:
    named = NAMED.fullmatch(text)
    return (Path(text), "") if named is None else (Path(named["file"]), named["name"])


def _require_object(text: str) -> None:
    if NAMED.fullmatch(text) is None:
        if text.endswith(".py") and Path(text).is_file():
            require_named(Path(text))
        fail(f"{text}: name an object of a Python file, as file.py:name.", WRONG_USE)
    require_file(_file_and_name(text)[0])


def load_value(text: str) -> Any:
    """Load the object that an argument ``file.py:name`` names; a function is called."""
    return _returned(text, load_objects(text)[0])


def load_feed(feed: str, model: str | None) -> tuple[Feed, Any]:
    """Load a feed, calling a function that returns one, and the model or None."""
    value, net = _load_pair(feed, model)
    value, net = check_all(partial(_as_feed, feed, value), partial(_as_model, model, net))
    return value, net


def load_with_model(text: str, model: str | None) -> tuple[Any, Any]:
    """Load an object of a Python file, unchanged, and the model or None; the model may be a saved one."""
    value, net = _load_pair(text, model)
    return value, _as_model(model, net)


def _load_pair(text: str, model: str | None) -> tuple[Any, Any]:
    """Load an object of a Python file, and the object or the saved model that ``model`` names; call neither."""
    if model is None:
        return load_objects(text)[0], None
    if Path(model).suffix != ".keras":
        value, net = load_objects(text, model)
        return value, net
    check_all(partial(_require_object, text), partial(require_file, Path(model)))
    value = load_objects(text)[0]  # first: the file may define the model's own layers
    return value, load_saved_model(Path(model))


def load_saved_model(path: Path) -> Any:
    """Load a Keras model from a file; the command ends if Keras cannot load it."""
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        fail(f"{path}: expected a saved model, as a file that ends in .keras.", WRONG_USE)
    import keras

    try:
        return keras.saving.load_model(path)
    except Exception as error:  # Keras, h5py and the user's classes can raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        found, config, _ = lines[0].partition(" Full object config")
        fix = " Then give the data as FILE.PY:NAME of a file that defines or imports it." if config else ""
        fail(f"{path}: Keras cannot load it: {found}{fix}")


def _as_feed(text: str, value: Any) -> Feed:
    """Return a feed, or the one that a function returns."""
    feed = _returned(text, value, WRONG_USE)
    if not isinstance(feed, Feed):
        fail(f"{text}: expected a ph.Feed, got {type(feed).__name__}.", WRONG_USE)
    return feed


def _as_model(text: str | None, value: Any) -> Any:
    """Return a Keras model, or the one that a function returns; None if no model is named."""
    if text is None:
        return None
    model = _returned(text, value, WRONG_USE)
    if not callable(getattr(model, "fit", None)):
        fail(f"{text}: expected a Keras model, got {type(model).__name__}.", WRONG_USE)
    return model


def require_named(path: Path) -> NoReturn:
    """End the command if a Python file is given without the name of an object; list its names, without running it."""
    defined: list[str] = []
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            defined += [getattr(node, "name", "")] + [getattr(target, "id", "") for target in targets]
    defined = [name for name in defined if name and not name.startswith("_")]
    advice = f"It defines {listed(defined, 8)}." if defined else ""
    fail(hints(f"{path}: name an object of the file, as {path}:name.", advice), WRONG_USE)


def require_file(path: Path) -> None:
    """End the command if there is no such file."""
    if path.is_dir():
        fail(f"{path}: expected a file, got a folder.", WRONG_USE)
    if not path.is_file():
        fail(hints(f"{path}: no such file.", similar_file(path)), WRONG_USE)


def _pick(path: Path, names: dict[str, Any], name: str) -> Any:
    """Return an object of a file, or an attribute of one, as ``rows.batches``."""
    first, *attributes = name.split(".")
    if first not in names:
        public = [n for n in names if not n.startswith("_")]
        if not first:
            require_named(path)
        defined = [n for n in public if not inspect.ismodule(names[n])]
        advice = f"It defines {listed(defined, 8)}." if defined else ""
        fail(hints(f"{path}: it does not define `{first}`.", similar(first, public) or advice), WRONG_USE)
    value = names[first]
    for i, attribute in enumerate(attributes):
        if not hasattr(value, attribute):
            advice = similar(attribute, [n for n in dir(value) if not n.startswith("_")])
            owner = ".".join([first, *attributes[:i]])
            fail(hints(f"{path}: `{owner}` has no `{attribute}`.", advice), WRONG_USE)
        value = getattr(value, attribute)
    return value


def _from_file(text: str) -> LoadedData:
    loaded = load_objects(text)[0]
    value = _returned(text, loaded)
    feed = value if isinstance(value, Feed) else None
    source = as_source(value) if feed is None else feed.source
    imports, expression = import_code(*_file_and_name(text))
    return LoadedData(source, expression + "()" * inspect.isroutine(loaded), imports, feed=feed)


def import_code(path: Path, name: str) -> tuple[str, str]:
    """Return the line of code that imports an object of a Python file, and the object as code."""
    if path.stem.isidentifier():
        first = name.partition(".")[0]
        return f"from {path.stem} import {first}  # with the folder of {path.name} on the path", name
    first, *attributes = name.split(".")
    ran = f"runpy.run_path({as_literal(path)})[{as_literal(first)}]"
    return "import runpy", ".".join([ran, *attributes])


def _run_file(path: Path) -> dict[str, Any]:
    try:
        with as_script(path):
            return runpy.run_path(str(path), run_name=path.stem)
    except PolyheadError as error:  # one line for each problem
        fail(f"{path}: cannot be imported: {type(error).__name__}: {error}")
    except (Exception, SystemExit) as error:  # user code can raise anything
        fail(f"{path}: cannot be imported: {_raised(error)}")


def _returned(text: str, value: Any, code: int = WRONG_DATA) -> Any:
    """Call a function, and return any other object itself; the command ends with ``code`` if the function raises."""
    if not inspect.isroutine(value):
        return value
    if needed := required_arguments(value):
        fail(f"{text}: it needs arguments ({', '.join(needed)}). Give a function that needs none.", WRONG_USE)
    try:
        return value()
    except PolyheadError as error:
        fail_for(text, error)
    except (Exception, SystemExit) as error:  # user code can raise anything
        fail(f"{text}: it raised {_raised(error)}", code)


def _raised(error: BaseException) -> str:
    """Quote an error of the user's code, with its line; a syntax error names its line itself."""
    line = "" if isinstance(error, SyntaxError) else f"({line_of_user(error)})"
    return hints(quoted_error(error), line)
