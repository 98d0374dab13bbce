"""The saved model that a command is given, and the rows for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from polyhead.cli.arguments import NAMED, load_value
from polyhead.cli.messages import WRONG_USE, fail
from polyhead.images.headers import ENDINGS

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.KERAS",
        help="A model that ph.compile compiled, as model.save wrote it.",
        show_default=False,
    ),
]


def require_model_file(path: Path) -> None:
    """End the command if there is no such file."""
    if not path.exists():
        fail(f"{path}: no such file.", WRONG_USE)


def load_saved_model(path: Path) -> Any:
    """The Keras model in a file; the command ends if Keras cannot load it."""
    import keras

    try:
        return keras.saving.load_model(path)
    except Exception as error:  # Keras, h5py and the user's classes can raise anything
        lines = str(error).strip().splitlines()
        fail(f"{path}: Keras cannot load it: {lines[0] if lines else type(error).__name__}")


def load_rows(data: list[str]) -> Any:
    """The data behind the arguments: one table, folder or object, or any number of image files."""
    for one in data:
        if NAMED.fullmatch(one) is None and not Path(one).exists():
            fail(f"{one}: no such file.", WRONG_USE)
    if all(Path(one).suffix.lower() in ENDINGS for one in data):
        return data
    if len(data) > 1:
        fail("give image files, or a single table, folder or FILE.PY:NAME.", WRONG_USE)
    return data[0] if NAMED.fullmatch(data[0]) is None else load_value(data[0])


def require_output(output: Path, formats: tuple[str, ...]) -> str:
    """The ending of the file to write, which chooses its format."""
    ending = output.suffix.lower()
    if ending not in formats:
        fail(f"{output}: name a file that ends in {', '.join(formats)}.", WRONG_USE)
    if not output.parent.is_dir():
        fail(f"{output}: its folder does not exist.", WRONG_USE)
    return ending
