"""``polyhead predict``: predicts files or a table with a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.messages import reporting
from polyhead.cli.saved_model import (
    ModelArgument,
    load_rows,
    load_saved_model,
    require_model_file,
    require_output,
)


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
    ending = require_output(output, (".parquet", ".csv", ".json"))
    require_model_file(model)
    with reporting(" ".join([str(model), *data[:1]]), output):
        from polyhead.results.predict import predict

        rows = load_rows(data)  # first: a Python file may define the model's own layers
        found = predict(
            load_saved_model(model),
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
