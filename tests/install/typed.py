"""A user's program, for `mypy --strict` and pyright to check against an installed polyhead."""

from __future__ import annotations

from typing import Any

import numpy as np

import polyhead as ph


class Squares(ph.Source):
    def __len__(self) -> int:
        return 10

    def read(self, ids: np.ndarray[Any, Any]) -> dict[str, Any]:
        return {"x": ids, "y": ids % 2, "square": ids**2}


def declare(data: ph.Source) -> ph.Feed:
    return ph.Feed(
        data,
        inputs={"x": ph.Array()},
        heads={
            "y": ph.Binary(class_weight="balanced"),
            "z": ph.Regression(scale="standard", column="square"),
        },
        batch_size=4,
        shuffle=True,
        augment=[],
    )


feed: ph.Feed = declare(Squares())
rows: int = feed.num_samples
batches: int = len(feed)
text: str = str(feed.describe())
declaration: ph.Declaration = feed.declaration
state: dict[str, Any] = feed.state()
feed.restore(state)
other: ph.Feed = feed.on(Squares(), batch_size=2)


def train(model: Any) -> float:
    ph.compile(model, feed, optimizer="adam")
    report: ph.Report = feed.check(model)
    problems: tuple[ph.Problem, ...] = report.problems
    found: ph.Evaluation = ph.evaluate(model, feed)
    return len(problems) + len(found)


def augmented(image_size: int) -> ph.Feed:
    return ph.Feed(
        "faces.parquet",
        inputs={"image": ph.Image(image_size, image_size)},
        heads={"box": ph.Boxes(1), "kind": ph.Categorical(["cat", "dog"]), "mask": ph.Mask()},
        augment=[ph.Flip(), ph.Rotate(10), ph.MixUp()],
    )
