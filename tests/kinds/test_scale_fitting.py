"""Scales: what they are fitted on, what they do to numbers, and what is refused."""

import numpy as np
import pytest
from kind_checks import Column, encoded, message, refusal, resolved
from sklearn.preprocessing import (
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from polyhead.kinds import Array, Embedding, Map, Regression
from polyhead.kinds.scale_fitting import SAMPLED_ROWS, fit_scale
from polyhead.kinds.scales import NamedScaling, OwnScaling

NAN = np.nan
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(250_000, 60_000, (500, 2)) * [1, 1e-6]
NAMES = ["standard", "minmax", "robust"]
PEERS = [StandardScaler(), MinMaxScaler(), RobustScaler()]


def halves(array):
    return array[:170], array[170:171], array[171:]


@pytest.mark.parametrize(("name", "peer"), list(zip(NAMES, PEERS, strict=True)))
def test_scales_are_those_of_scikit_learn(name, peer):
    gaps = NUMBERS.copy()
    gaps[::7, 0] = gaps[3] = NAN
    for column in (NUMBERS, gaps):
        head = resolved(Regression(2, scale=name), column)
        labels, there = encoded(head, column)
        expected = np.nan_to_num(peer.fit_transform(column))
        np.testing.assert_allclose(labels, expected, rtol=1e-5, atol=1e-6)
        assert there.all() == (column is NUMBERS)
        back, known = head.unscaled(labels), ~np.isnan(column)
        assert back.dtype == np.float64
        np.testing.assert_allclose(back[known], column[known], rtol=1e-5)


def test_log_is_the_logarithm_of_one_more_at_unit_scale():
    column = np.array([0.0, 9.0, 999.0, 1e6])
    head = resolved(Regression(scale="log"), column)
    logs = np.log1p(column)
    labels, _ = encoded(head, column)
    np.testing.assert_allclose(labels[:, 0], (logs - logs.mean()) / logs.std(), rtol=1e-5)
    np.testing.assert_allclose(head.unscaled(labels)[:, 0], column, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*NAMES, "log"])
def test_any_pieces_give_one_scale(name):
    rows = np.abs(NUMBERS)
    whole, parts = fit_scale(name, [rows], 2), fit_scale(name, halves(rows), 2)
    assert whole == parts
    assert whole != fit_scale(name, [rows + 1], 2)
    np.testing.assert_allclose(whole.center, parts.center, rtol=1e-12)


def test_quantiles_of_many_rows_are_those_of_a_sample_that_stays_small():
    rows = RNG.lognormal(size=(4 * SAMPLED_ROWS + 5, 1))
    found = fit_scale("robust", np.array_split(rows, 7), 1)
    low, median, high = np.quantile(rows, (0.25, 0.5, 0.75))
    assert found.center[0] == pytest.approx(median, rel=0.02)
    assert found.width[0] == pytest.approx(high - low, rel=0.02)
    assert found == fit_scale("robust", [rows], 1)


@pytest.mark.parametrize("name", [*NAMES, "log"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
def test_a_constant_number_is_not_divided_by_0(name, value):
    column = np.column_stack([np.full(50, value), np.arange(50)])
    labels, _ = encoded(resolved(Regression(2, scale=name), column), column)
    assert np.abs(labels[:, 0]).max() < 1e-6
    assert labels[:, 1].std() > 0.1


def test_quartiles_that_are_equal_leave_the_deviation():
    column = np.zeros(100)
    column[::5] = 7.0
    head = resolved(Regression(scale="robust"), column)
    assert head.scale.width == (pytest.approx(column.std()),)


def test_large_numbers_close_together_keep_their_digits():
    seconds = 1.7e9 + np.arange(100.0)
    head = resolved(Regression(scale="standard"), seconds)
    labels, _ = encoded(head, seconds)
    np.testing.assert_allclose(head.unscaled(labels)[:, 0] - 1.7e9, np.arange(100), atol=1e-4)


def test_what_is_missing_and_what_is_marked_is_left_out():
    column = [None, 10.0, -1.0, 30.0, NAN]
    head = resolved(Regression(missing=-1, scale="minmax"), column)
    assert head.scale == NamedScaling("minmax", (10.0,), (20.0,))
    labels, there = encoded(head, column)
    assert labels[:, 0].tolist() == [0, 0, 0, 1, 0]
    assert there.tolist() == [False, True, False, True, False]
    nothing = resolved(Regression(scale="standard"), [None, None])
    assert encoded(nothing, [None])[0].tolist() == [[0]]


def test_each_place_of_the_last_axis_has_a_scale():
    column = RNG.normal(size=(40, 5, 2)) * [1, 1000] + [0, 5]
    head = resolved(Regression((5, 2), scale="standard"), column)
    labels, _ = encoded(head, column)
    np.testing.assert_allclose(labels.mean((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(labels.std((0, 1)), 1, rtol=1e-5)
    column[3, 2, 1] = NAN
    depth = resolved(Map(2, scale="standard"), column[:, None])
    labels, there = encoded(depth, column[:, None])
    assert labels[3, 0, 2, 1] == 0
    np.testing.assert_allclose(labels[..., 1][there[..., 1]].std(), 1, rtol=1e-5)


@pytest.mark.parametrize("factor", [0.001, -2.0])
def test_a_factor_of_a_map_is_undone(factor):
    column = np.array([[[3000.0, NAN]]])
    head = resolved(Map(scale=factor), column)
    labels, _ = encoded(head, column)
    assert labels.tolist() == [[[[np.float32(3000 * factor)], [0.0]]]]
    assert head.unscaled(labels)[0, 0, 0].tolist() == [pytest.approx(3000)]
    assert not head.needs_fitting
    assert head.meaning == {"scale": factor}
    assert Map(scale=1).scaling is None
    assert [metric.name for metric in head.default_metrics(False)] == ["mae", "rmse"]


def test_a_scale_is_not_fitted_again():
    head = resolved(Regression(scale="standard"), NUMBERS[:, 0])
    column = Column(NUMBERS[:9, 0] * 2)
    again = head.resolve(column)
    assert again == head
    assert column.scanned == 0


def test_inputs_are_scaled_and_gaps_are_filled_in_the_units_of_the_data():
    column = np.array([[1, 10], [3, 30], [5, 20]])
    kind = resolved(Array(scale="minmax"), column)
    assert kind.dtype == "float32"
    assert kind.conversion(column.astype(np.float32)) is None
    assert kind.encode(column).tolist() == [[0, 0], [0.5, 1], [1, 0.5]]
    gaps = np.array([2.0, NAN, 6.0])
    kind = resolved(Array(scale="minmax", fill=4.0), gaps)
    assert kind.encode(gaps).tolist() == [[0], [0.5], [1]]


# A scale of one's own ------------------------------------------------------------------------------


class Tenth:
    """A scale that has only what it needs, and is fitted in place."""

    def fit(self, rows):
        self.most = rows.max(0)

    def transform(self, rows):
        return rows / self.most * 10

    def inverse_transform(self, rows):
        return rows * self.most / 10


OWN = [*PEERS, PowerTransformer(), QuantileTransformer(n_quantiles=50), Tenth(), (np.sqrt, np.square)]


@pytest.mark.parametrize("own", OWN, ids=lambda own: type(own).__name__)
def test_a_scale_of_one_s_own(own):
    column = np.abs(NUMBERS)
    column[4] = NAN
    before = dict(getattr(own, "__dict__", {}))
    head = resolved(Regression(2, scale=own), *halves(column))
    assert getattr(own, "__dict__", {}) == before  # a copy was fitted
    labels, there = encoded(head, column)
    rows = column[~np.isnan(column).any(1)]
    expected = own[0](rows) if isinstance(own, tuple) else type(own)(**_arguments(own))
    if not isinstance(own, tuple):
        expected.fit(rows)
        expected = expected.transform(rows)
    np.testing.assert_allclose(labels[there], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(head.unscaled(labels)[there], rows, rtol=1e-4)
    table = head.scale.tabulated(head.scale.transform(rows))
    assert np.median(np.abs(table / rows - 1)) < 1e-3
    assert head.scale == resolved(Regression(2, scale=own), column).scale


def _arguments(own):
    return own.get_params() if hasattr(own, "get_params") else {}


def test_a_scale_that_writes_in_place_leaves_the_column_as_it_is():
    column = NUMBERS.copy()
    head = resolved(Regression(2, scale=StandardScaler(copy=False)), column)
    labels, _ = encoded(head, column)
    head.unscaled(labels)
    np.testing.assert_array_equal(column, NUMBERS)
    np.testing.assert_allclose(labels.mean(0), 0, atol=1e-6)


def test_a_table_of_a_straight_line_is_exact_beyond_its_ends():
    found = fit_scale(StandardScaler(), [NUMBERS], 2)
    assert isinstance(found, OwnScaling)
    table = found.inverse
    assert np.shape(table["values"]) == (2, 1025)
    first = np.array(table["values"])[:, 0]
    np.testing.assert_allclose(found.inverse_transform(np.array([table["start"]]))[0], first)


# What is refused -----------------------------------------------------------------------------------


def test_numbers_that_a_logarithm_cannot_take_are_named():
    column = np.array([5.0, NAN, 3.0, -1.0])
    words = message(resolved, Regression(scale="log"), column)
    assert words == (
        'head `h`, row 3: expected numbers above -1, as scale="log" takes log(1 + number), got -1.0. '
        'Say scale="standard", or leave the row out.'
    )
    head = resolved(Regression(scale="log"), column[:3])
    assert message(head.encode, column) == words
    assert np.isfinite(head.encode(column[:3], check=False)[0]).all()
    roots = resolved(Array(scale=(np.sqrt, np.square)), np.array([4.0, 9.0]))
    assert message(roots.encode, np.array([4.0, -9.0])) == (
        "head `h`, row 1: expected numbers that (<ufunc 'sqrt'>, <ufunc 'square'>) can take, got -9.0. "
        'Say scale="standard", or leave the row out.'
    )


def test_a_scale_that_cannot_be_undone_is_refused():
    assert message(resolved, Regression(scale=(np.log, np.square)), np.full(3, 100.0)) == (
        "head `h`: expected a scale whose inverse gives the numbers back, got 21.2076 for 100 by "
        "(<ufunc 'log'>, <ufunc 'square'>)."
    )
    turned = (lambda v: v[..., ::-1], lambda v: v[..., ::-1])
    words = message(resolved, Regression(2, scale=turned), NUMBERS)
    assert words.startswith("head `h`: expected a scale that takes each number by itself, got ")
    words = message(resolved, Regression(scale=(lambda v: v[:0], np.exp)), np.ones(3))
    assert words.startswith(
        "head `h`: expected a scale whose transform gives as many numbers as it gets, got (<function"
    )


def test_an_error_of_a_scale_of_one_s_own_is_told():
    class Broken(Tenth):
        def fit(self, rows):
            raise KeyError("gone")

    assert message(resolved, Regression(scale=Broken()), np.ones(3)) == (
        "head `h`: expected a scale that can be fitted and undone, got KeyError: 'gone'. "
        "It gets an array of float64 (rows, numbers)."
    )


@pytest.mark.parametrize("given", [2.0, "stand", object(), StandardScaler, np.log, (np.log,), (1, 2), True])
def test_what_is_no_scale(given):
    words = refusal(Regression, scale=given)
    assert words.startswith(
        'Regression(scale=): expected "standard", "minmax", "robust", "log", an object with fit, transform and '
        "inverse_transform, or a pair of functions, got "
    )
    assert ("Did you mean `standard`?" in words) == (given == "stand")
    assert ("Write StandardScaler() with parentheses." in words) == (given is StandardScaler)
    assert ("Give its inverse as well, as (np.log, np.exp)." in words) == (given is np.log)


def test_scales_that_do_not_fit_what_they_are_for():
    assert refusal(Map, scale="lin").startswith(
        'Map(scale=): expected "standard", "minmax", "robust", "log", a number, an object with fit'
    )
    assert refusal(Embedding, 3, scale="standard") == (
        "Embedding(scale=): expected no scale= for vectors whose direction counts, got 'standard'. Leave it out."
    )
    assert refusal(Array, dtype="int32", scale="standard") == (
        "Array(dtype=): expected dtype=\"float32\", as scale= gives fractions, got 'int32'. Leave dtype= out."
    )
    two = NamedScaling("log", (0.0, 0.0), (1.0, 1.0))
    assert refusal(Regression, 3, scale=two) == (
        "Regression(scale=): expected a scale of 3 numbers, as the shape says, got a scale of 2."
    )
