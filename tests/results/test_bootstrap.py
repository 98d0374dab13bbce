import numpy as np
import pytest

from polyhead.kinds.judging_classes import BinaryJudge
from polyhead.kinds.judging_numbers import EmbeddingJudge
from polyhead.results.bootstrap import Intervals, bootstrap_counts, interval
from polyhead.results.evaluation import Evaluation

RUNS = pytest.mark.parametrize("runs", [200, pytest.param(500, marks=pytest.mark.full)])


def test_samples_depend_on_seed_and_rows_alone():
    whole = np.concatenate(list(bootstrap_counts(1000, 40, seed=3)))
    parts = list(bootstrap_counts(1000, 40, seed=3, width=2000))
    assert len(parts) == 40
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (whole.sum(1) == 1000).all()
    assert not np.array_equal(np.concatenate(list(bootstrap_counts(1000, 40, seed=4))), whole)


def test_samples_stay_as_they_are():
    found = np.concatenate(list(bootstrap_counts(6, 3, seed=0)))
    assert found.tolist() == [[2, 0, 1, 1, 0, 2], [2, 0, 0, 2, 1, 1], [0, 1, 2, 0, 1, 2]]


def test_an_interval_of_nothing_is_nothing():
    assert np.isnan(interval(np.full(3, np.nan), 0.95)).all()
    assert interval(np.array([np.nan, 2.0]), 0.95) == (2.0, 2.0)


def of_values(values, seed):
    """An evaluation of one head, whose metric is the mean of values."""
    rows = np.arange(len(values))
    items = {"row": rows, "weight": np.ones(len(rows)), "loss": 1 - values, "cosine": values}
    return Evaluation({"y": EmbeddingJudge("y")}, {"y": items}, rows, Intervals(0.95, 1000, seed))


@pytest.mark.slow
@RUNS
def test_intervals_of_means_cover_the_truth_as_often_as_they_say(runs):
    drawn = np.random.default_rng(0)
    covered = 0
    for seed in range(runs):
        one = of_values(drawn.exponential(size=150), seed)["y"]["cosine"]
        covered += one.low <= 1 <= one.high
    assert 0.92 <= covered / runs <= 0.98


@pytest.mark.slow
@RUNS
def test_intervals_of_auc_and_accuracy_cover_the_truth_as_often_as_they_say(runs):
    drawn = np.random.default_rng(1)

    def scored(rows):
        label = drawn.random(rows) < 0.4
        return label, 1 / (1 + np.exp(-drawn.normal(np.where(label, 0.7, -0.5), 1)))

    def metrics_of(rows, seed, level=0.95):
        label, score = scored(rows)
        items = {
            "row": np.arange(rows),
            "weight": np.ones(rows),
            "loss": score,
            "label": label,
            "score": score,
        }
        return Evaluation({"y": BinaryJudge("y")}, {"y": items}, items["row"], Intervals(level, 500, seed))[
            "y"
        ]

    truth = metrics_of(2_000_000, 0, None)
    covered = {"roc_auc": 0, "accuracy": 0, "average_precision": 0, "f1": 0}
    for seed in range(runs):
        found = metrics_of(200, seed)
        for name in covered:
            covered[name] += found[name].low <= truth[name].value <= found[name].high
    assert {name: 0.92 <= count / runs <= 0.98 for name, count in covered.items()} == dict.fromkeys(
        covered, True
    ), covered
