"""``polyhead predict``: predicts files or a table with a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from polyhead.cli.arguments import NAMED, load_data
from polyhead.cli.messages import WRONG_USE, fail, reporting
from polyhead.images.headers import ENDINGS

_FORMATS = (".parquet", ".csv", ".json")


def run_predict(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL.KERAS",
            help="A model that ph.compile compiled, as model.save wrote it.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Image files, a folder of images, the path of a table or store, or FILE.PY:NAME.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The file to write: .parquet or .csv for a table, .json for COCO results.",
            show_default=False,
        ),
    ],
    batch_size: Annotated[int, typer.Option(min=1, help="Rows in a batch.")] = 32,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of the data to copy into the table; may be repeated.", show_default=False
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write the probability of each class.")
    ] = False,
) -> None:
    """Predict rows with a saved model, and write a table of them."""
    ending = _ending_of(output)
    if not model.is_file():
        fail(f"{model}: no such file.", WRONG_USE)
    with reporting(" ".join([str(model), *data[:1]]), output):
        import keras

        from polyhead.results.predict import predict

        rows = _given_rows(data)
        found = predict(
            keras.saving.load_model(model),
            rows,
            batch_size=batch_size,
            keep=keep or (),
            probabilities=probabilities,
            path=output if ending == ".parquet" else None,
        )
        if ending == ".json":
            found.write_coco(output)
        elif ending == ".csv":
            found.write_csv(output)
    typer.echo(f"{output}: {len(found):,} rows, {', '.join(found.columns)}")


def _ending_of(output: Path) -> str:
    """The ending of the file to write, which chooses its format."""
    ending = output.suffix.lower()
    if ending not in _FORMATS:
        fail(f"{output}: name a file that ends in {', '.join(_FORMATS)}.", WRONG_USE)
    if not output.parent.is_dir():
        fail(f"{output}: its folder does not exist.", WRONG_USE)
    return ending


def _given_rows(data: list[str]) -> Any:
    """The data behind the arguments: one table, folder or object, or any number of image files."""
    for one in data:
        if NAMED.fullmatch(one) is None and not Path(one).exists():
            fail(f"{one}: no such file.", WRONG_USE)
    if all(Path(one).suffix.lower() in ENDINGS for one in data):
        return data
    if len(data) > 1:
        fail("give image files, or a single table, folder or FILE.PY:NAME.", WRONG_USE)
    if NAMED.fullmatch(data[0]) is None:
        return data[0]
    given = load_data(data[0])
    return given.source if given.feed is None else given.feed
