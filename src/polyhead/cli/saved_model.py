"""Loads the saved model that a command gets, and the rows for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from polyhead.cli.arguments import NAMED, load_saved_model, load_value, require_file, require_path
from polyhead.cli.messages import WRONG_USE, check_all, fail, reporting
from polyhead.columns.image_values import ENDINGS
from polyhead.errors import ContractError, Problem, hints, listed, similar
from polyhead.feed import Feed
from polyhead.readers.as_source import as_source, loose_images
from polyhead.sources.source import Source
from polyhead.sources.tables import is_table, parquet_files
from polyhead.store.files import is_store

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.KERAS",
        help="A model compiled by ph.compile and saved by model.save.",
        show_default=False,
    ),
]


def require_arguments(model: Path, data: list[str], *others: Callable[[], Any]) -> None:
    """End the command if a file does not exist or another check fails, with all errors."""

    def require_one() -> None:
        if len(data) > 1 and not _are_images(data):
            fail("give image files, or a single table, folder or FILE.PY:NAME.", WRONG_USE)

    of_data = (partial(_require_data, argument) for argument in data)
    check_all(*others, partial(require_file, model), *of_data, require_one)


def require_output(output: Path, formats: tuple[str, ...], data: Sequence[str]) -> None:
    """End the command unless the file to write has a known ending, is not a file of the data, and its folder exists."""
    messages = []
    if any(_is_read_with(output, Path(path)) for path in data):
        messages.append(f"{output}: this is the data: name another file to write.")
    if output.suffix.lower() not in formats:
        messages.append(f"{output}: name a file that ends in {', '.join(formats)}.")
    if not output.parent.is_dir():
        messages.append(f"{output}: its folder does not exist.")
    check_all(*(partial(fail, message, WRONG_USE) for message in messages))


def _is_read_with(output: Path, data: Path) -> bool:
    """Return whether a file to write is the data, or would be read as a part of its folder of Parquet files."""
    if not data.is_dir():
        return output.is_file() and data.is_file() and output.samefile(data)
    output, folder = output.resolve(), data.resolve()
    is_inside = output.suffix.lower() == ".parquet" and output.is_relative_to(folder)
    is_part = is_inside and any(Path(file) != output for file in parquet_files(folder))
    return is_part and not is_store(folder) and not loose_images(folder)


def load_model_and_rows(
    method: str, model: Path, data: list[str], keep: Sequence[str] = ()
) -> tuple[Any, Any]:
    """Load a saved model and the data that the arguments name: a table, folder or object, or a list of image files.

    The command ends with the errors of both: a model that cannot be loaded or has no declaration, an object that does
    not exist, columns to keep that the data does not have.
    """
    rows: Any = None

    def load_rows() -> None:
        nonlocal rows
        rows = _data_named(data)
        with reporting(" ".join(data[:1])):
            _require_columns(rows, keep)

    def load_model() -> Any:
        from polyhead.results.rows import declaration_for

        loaded = load_saved_model(model)
        with reporting(str(model)):
            declaration_for(method, loaded, rows, None, prefer_feed=method == "evaluate")
        return loaded

    # in this order: a Python file may define the model's own layers
    _, loaded = check_all(load_rows, load_model)
    return loaded, rows


def _require_data(text: str) -> None:
    named = NAMED.fullmatch(text)
    if named is not None:
        require_file(Path(named["file"]))
    else:
        require_path(text)


def _are_images(data: list[str]) -> bool:
    return all(Path(path).suffix.lower() in ENDINGS for path in data)


def _data_named(data: list[str]) -> Any:
    if _are_images(data):
        return data
    return data[0] if NAMED.fullmatch(data[0]) is None else load_value(data[0])


def _require_columns(rows: Any, keep: Sequence[str]) -> None:
    """Raise a `ContractError` for columns to keep that the data does not have, if its columns are known."""
    if isinstance(rows, Feed):
        rows = rows.source
    is_path = (
        isinstance(rows, str) and not _are_images([rows]) and (Path(rows).is_file() or is_store(Path(rows)))
    )
    if is_path or is_table(rows):
        rows = as_source(rows, least=0)
    columns = rows.columns if isinstance(rows, Source) else rows if isinstance(rows, Mapping) else None
    unknown = [] if columns is None else [name for name in keep if name not in columns]
    if columns is not None and unknown:
        advice = f"The columns are {listed([str(name) for name in columns], 8)}."
        fixes = {name: hints(similar(name, columns), advice) for name in unknown}
        missing = "no such column in the data"
        raise ContractError(*(Problem(f"--keep {name}", "", missing, fix) for name, fix in fixes.items()))
