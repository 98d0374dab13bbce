"""``polyhead evaluate``: measures a saved model on labeled rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.messages import WRONG_USE, fail, reporting
from polyhead.cli.saved_model import ModelArgument, load_model_and_rows, require_arguments, require_output


def run_evaluate(
    model: ModelArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Rows with labels: FILE.PY:NAME of a feed, source, mapping or frame, or of a function that returns "
            "one; or the path of a table or store.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file to write: .html for a page, .csv or .json for the metrics.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Rows in a batch; by default, that of the feed, or 32.", show_default=False),
    ] = None,
    intervals: Annotated[
        float, typer.Option(help="The confidence level of the intervals; 0 leaves them out, which is faster.")
    ] = 0.95,
    resamples: Annotated[
        int, typer.Option(min=1, help="The number of bootstrap samples for the intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the bootstrap samples.")] = 0,
    worst: Annotated[
        int,
        typer.Option(
            min=0, help="The number of rows with the largest loss that the page shows for each head."
        ),
    ] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the metrics, as JSON.")] = False,
) -> None:
    """Evaluate a saved model on labeled rows, and print a table of the metrics of each head.

    The exit code is 0 for success, 1 for wrong data, and 2 for wrong arguments or a model that does not fit the data.
    """
    checks = [] if output is None else [partial(require_output, output, (".html", ".csv", ".json"), [data])]
    require_arguments(model, [data], *checks, partial(_require_level, intervals))
    with reporting(f"{model} {data}", output):
        from polyhead.results.evaluate import evaluate

        loaded, rows = load_model_and_rows("evaluate", model, [data])
        evaluation = evaluate(
            loaded, rows, batch_size=batch_size, intervals=intervals or None, resamples=resamples, seed=seed
        )
        if output is not None:
            evaluation.save(output, worst=worst)
    typer.echo(evaluation.to_json() if as_json else str(evaluation))


def _require_level(intervals: float) -> None:
    if not 0 <= intervals < 1:
        fail(f"--intervals {intervals:g}: give a level between 0 and 1, such as 0.95.", WRONG_USE)
