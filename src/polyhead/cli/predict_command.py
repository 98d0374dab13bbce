"""``polyhead predict``: predicts files or a table with a saved model."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.messages import reporting
from polyhead.cli.saved_model import ModelArgument, load_model_and_rows, require_arguments, require_output
from polyhead.errors import counted


def run_predict(
    model: ModelArgument,
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
    ending = output.suffix.lower()
    require_arguments(model, data, partial(require_output, output, (".parquet", ".csv", ".json"), data))
    with reporting(" ".join([str(model), *data[:1]]), output):
        from polyhead.results.predict import predict

        loaded, rows = load_model_and_rows("predict", model, data, keep or ())
        predictions = predict(
            loaded,
            rows,
            batch_size=batch_size,
            keep=keep or (),
            probabilities=probabilities,
            path=output if ending == ".parquet" else None,
        )
        written = list(predictions.columns)
        if ending == ".json":
            predictions.write_coco(output)
            written = []
        elif ending == ".csv":
            predictions.write_csv(output)
            with open(output, encoding="utf-8", newline="") as file:
                written = next(csv.reader(file))  # without masks and maps
    typer.echo(", ".join([f"{output}: {counted(len(predictions), 'row')}", *written]))
