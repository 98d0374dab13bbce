"""Metrics of heads, against scikit-learn: of rows with weights, and of rows that count several times."""

import numpy as np
import pytest
from sklearn import metrics as sk

import polyhead as ph
from polyhead.kinds.judging import HeadBatch, grouped

pytestmark = pytest.mark.once

RNG = np.random.default_rng(3)
ROWS = 120


def judge(head, labels, outputs, weights=None, counts=None, logits=False, **beside):
    """The metrics of one head where rows count so many times; by default once."""
    heads = {"y": head, **{name: one[0] for name, one in beside.items()}}
    answers = {"y": HeadBatch.of(head, labels, outputs, weights, logits)}
    answers |= {name: HeadBatch.of(*one) for name, one in beside.items()}
    one = head.judge("y", heads, None)
    items = one.items_of(answers)
    counts = np.ones((1, len(labels))) if counts is None else counts
    found = one.metrics(items, counts[:, items["row"]] * items["weight"])
    return {name: values[0] for name, values in found.items()}, items, one


def some_weights(kind):
    if kind == "weights":
        weights = RNG.random(ROWS)
        weights[::7] = 0
        return weights, None
    return None, RNG.integers(0, 4, ROWS).astype(float)[None]


@pytest.mark.parametrize("kind", ["weights", "counts"])
def test_binary(kind):
    labels = (RNG.random(ROWS) > 0.6).astype(np.float32)
    outputs = np.round(np.clip(0.3 * labels + 0.7 * RNG.random(ROWS), 0.01, 0.99), 1)  # with ties
    weights, counts = some_weights(kind)
    found, _, _ = judge(ph.Binary(), labels[:, None], outputs[:, None], weights, counts)
    w = weights if counts is None else counts[0]
    said = outputs >= 0.5
    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(labels, said, sample_weight=w),
            "roc_auc": sk.roc_auc_score(labels, outputs, sample_weight=w),
            "average_precision": sk.average_precision_score(labels, outputs, sample_weight=w),
            "f1": sk.f1_score(labels, said, sample_weight=w),
            "f1_best": max(
                sk.f1_score(labels, outputs >= threshold, sample_weight=w) for threshold in np.unique(outputs)
            ),
            "log_loss": sk.log_loss(labels, outputs, sample_weight=w),
            "calibration_error": found["calibration_error"],
        }
    )


def test_calibration_error_of_binary_heads():
    labels, outputs = np.array([[1.0], [0], [1], [0]], np.float32), np.array([[0.9], [0.9], [0.2], [0.2]])
    found, _, one = judge(ph.Binary(), labels, outputs, np.array([1.0, 1, 3, 1]))
    # half of two rows where 0.9 was said, three quarters of four where 0.2 was
    assert found["calibration_error"] == pytest.approx((2 * 0.4 + 4 * 0.55) / 6)
    assert one.threshold == 0.5


def test_details_of_binary_heads():
    labels, outputs = np.array([[1.0], [0], [1], [0]], np.float32), np.array([[0.9], [0.7], [0.6], [0.2]])
    _, items, one = judge(ph.Binary(), labels, outputs, np.array([1.0, 1, 3, 1]))
    found = one.details(items)
    assert found["confusion"].tolist() == [[1.0, 1.0], [0.0, 4.0]]
    assert found["best_threshold"] == pytest.approx(0.6)
    assert found["curves"]["recall"].tolist() == [0.25, 0.25, 1.0, 1.0]
    assert found["curves"]["precision"].tolist() == pytest.approx([1.0, 0.5, 0.8, 4 / 6])
    assert found["reliability"]["weight"].sum() == 6


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("kind", ["weights", "counts"])
def test_categorical(kind, one_hot):
    names = ["a", "b", "c", "d", "e", "f", "g"]
    ids = RNG.integers(0, 6, ROWS)  # nobody is a "g"
    outputs = RNG.dirichlet(np.ones(7), ROWS)
    outputs[:, 6] = 1e-4
    outputs[np.arange(ROWS), ids] += 0.2
    outputs /= outputs.sum(1, keepdims=True)
    labels = np.eye(7, dtype=np.float32)[ids] if one_hot else ids.astype(np.int32)
    weights, counts = some_weights(kind)
    found, items, one = judge(ph.Categorical(names, one_hot=one_hot), labels, outputs, weights, counts)
    w = weights if counts is None else counts[0]
    said = outputs.argmax(1)
    expected = {
        "accuracy": sk.accuracy_score(ids, said, sample_weight=w),
        "top_5": sk.top_k_accuracy_score(ids, outputs, k=5, labels=range(7), sample_weight=w),
        "f1_macro": sk.f1_score(ids, said, average="macro", sample_weight=w),
        "f1_micro": sk.f1_score(ids, said, average="micro", sample_weight=w),
        "log_loss": sk.log_loss(ids, outputs, labels=range(7), sample_weight=w),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    by_class = sk.f1_score(ids, said, average=None, labels=range(6), sample_weight=w)
    assert [found[f"f1[{name}]"] for name in names[:6]] == pytest.approx(by_class.tolist())
    assert np.isnan(found["f1[g]"])
    if counts is None:
        matrix = sk.confusion_matrix(ids, said, labels=range(7), sample_weight=w)
        np.testing.assert_allclose(one.details(items)["confusion"], matrix)


def test_many_classes_have_no_confusion_matrix():
    one = ph.Categorical(range(5001)).judge("y", {}, None)
    items = {"label": np.array([0, 5000]), "predicted": np.array([0, 1]), "weight": np.ones(2)}
    found = one.details(items | {"confidence": np.array([0.95, 0.95])})
    assert sorted(found) == ["classes", "reliability"]
    assert found["reliability"]["weight"].sum() == 2


def test_logits_become_probabilities():
    logits = RNG.normal(size=(ROWS, 3))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    ids = RNG.integers(0, 3, ROWS)
    for head, labels, of_logits in (
        (ph.Categorical(3), ids, shares),
        (ph.MultiLabel(3), np.eye(3)[ids], 1 / (1 + np.exp(-logits))),
    ):
        one, other = (
            judge(head, labels, o, logits=given)[0] for o, given in ((logits, True), (of_logits, False))
        )
        assert one == pytest.approx(other)


@pytest.mark.parametrize("elementwise", [False, True])
def test_multi_label(elementwise):
    labels = (RNG.random((ROWS, 3)) > 0.6).astype(np.float32)
    outputs = np.clip(0.3 * labels + 0.7 * RNG.random((ROWS, 3)), 0, 1)
    head = ph.MultiLabel(["a", "b", "c"], elementwise=elementwise)
    weights = RNG.random((ROWS, 3) if elementwise else ROWS)
    found, _, _ = judge(head, labels, outputs, weights)
    each = np.broadcast_to(weights if elementwise else weights[:, None], (ROWS, 3))
    said = outputs >= 0.5
    ap = [sk.average_precision_score(labels[:, i], outputs[:, i], sample_weight=each[:, i]) for i in range(3)]
    f1 = [sk.f1_score(labels[:, i], said[:, i], sample_weight=each[:, i]) for i in range(3)]
    flat = {"sample_weight": each.ravel()}
    expected = {
        "map": np.mean(ap),
        "f1_macro": np.mean(f1),
        "f1_micro": sk.f1_score(labels.ravel(), said.ravel(), **flat),
        "accuracy": sk.accuracy_score(labels.ravel(), said.ravel(), **flat),
        **{f"ap[{name}]": one for name, one in zip("abc", ap, strict=True)},
        **{f"f1[{name}]": one for name, one in zip("abc", f1, strict=True)},
    }
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["weights", "counts"])
def test_regression(kind):
    labels = RNG.normal(250_000, 10, (ROWS, 2))
    outputs = labels + RNG.normal(size=(ROWS, 2))
    head = ph.Regression(2, column=["price", "tax"])
    weights, counts = some_weights(kind)
    found, _, _ = judge(head, labels, outputs, weights, counts)
    w = weights if counts is None else counts[0]
    expected = {
        "mae": sk.mean_absolute_error(labels, outputs, sample_weight=w),
        "rmse": sk.root_mean_squared_error(labels, outputs, sample_weight=w),
        "r2": sk.r2_score(labels, outputs, sample_weight=w),
    }
    scores = {"mae": sk.mean_absolute_error, "rmse": sk.root_mean_squared_error, "r2": sk.r2_score}
    for name, score in scores.items():
        by_column = score(labels, outputs, sample_weight=w, multioutput="raw_values")
        expected |= {
            f"{name}[{column}]": one for column, one in zip(("price", "tax"), by_column, strict=True)
        }
    assert found == pytest.approx(expected)


def test_regression_with_single_numbers_missing():
    labels, outputs = RNG.normal(size=(ROWS, 2)), RNG.normal(size=(ROWS, 2))
    weights = (RNG.random((ROWS, 2)) > 0.3).astype(float)
    found, items, _ = judge(ph.Regression(2, elementwise=True), labels, outputs, weights)
    mae = [sk.mean_absolute_error(labels[:, i], outputs[:, i], sample_weight=weights[:, i]) for i in range(2)]
    assert [found["mae[0]"], found["mae[1]"], found["mae"]] == pytest.approx([*mae, np.mean(mae)])
    assert items["row"].tolist() == np.flatnonzero(weights.any(1)).tolist()


def test_r2_of_labels_that_do_not_differ_is_none():
    found, _, _ = judge(ph.Regression(), np.full((4, 1), 0.1), np.ones((4, 1)))
    assert np.isnan(found["r2"])
    assert found["mae"] == pytest.approx(0.9)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_r2_is_the_same_in_all_units(unit):
    labels, outputs = np.array([[1.0], [2], [4]]) * unit, np.array([[1.1], [2.1], [3.5]]) * unit
    counts = np.array([[1.0, 1, 1], [2, 1, 0], [0, 3, 0]])  # in the last sample, labels do not differ
    found = [judge(ph.Regression(), labels, outputs, None, one[None])[0]["r2"] for one in counts]
    expected = [sk.r2_score(labels, outputs, sample_weight=one) for one in counts[:2]]
    assert found == pytest.approx([*expected, np.nan], nan_ok=True)


def test_numbers_without_a_label_are_not_among_the_errors():
    labels, outputs = np.array([[1.0, 0], [0, 3]]), np.array([[1.5, 7.0], [8, 3]])
    head = ph.Regression(2, elementwise=True)
    _, items, one = judge(head, labels, outputs, np.eye(2))
    np.testing.assert_array_equal(one.details(items)["errors"], [[0.5, np.nan], [np.nan, 0]])
    np.testing.assert_array_equal(one.details(items)["labels"], [[1, np.nan], [np.nan, 3]])


def test_embedding():
    labels, outputs = RNG.normal(size=(ROWS, 3)), RNG.normal(size=(ROWS, 3))
    outputs[0] = 0
    weights = RNG.random(ROWS)
    found, items, _ = judge(ph.Embedding(3), labels, outputs, weights)
    cosine = np.diag(sk.pairwise.cosine_similarity(labels, outputs))
    assert found == pytest.approx({"cosine": np.average(cosine, weights=weights)})
    np.testing.assert_allclose(items["loss"], 1 - cosine)


@pytest.mark.parametrize(
    ("head", "labels", "outputs", "said"),
    [
        (ph.Binary(), [[1.0], [1]], [[0.6], [0.4]], [[1.0], [0.0]]),
        (ph.Categorical(3), [0, 0], [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]], [2, 0]),
        (ph.Categorical(2, one_hot=True), [[1.0, 0]], [[0.1, 0.9]], [[0.0, 1.0]]),
        (ph.MultiLabel(2), [[1.0, 0]], [[0.6, 0.4]], [[1.0, 0.0]]),
        (ph.Regression(), [[1.0]], [[2.5]], [[2.5]]),
        (ph.Mask(2, size=(1, 2)), [[[0, 1]]], [[[[0.1, 0.9], [0.8, 0.2]]]], [[[1, 0]]]),
    ],
)
def test_predictions_in_the_form_of_labels(head, labels, outputs, said):
    one = head.judge("y", {"y": head}, None)
    found, counts = one.predicted_labels({"y": HeadBatch.of(head, np.array(labels), np.array(outputs), None)})
    assert found.tolist() == said
    assert counts.all()
    assert counts.shape == (len(labels), *head.weight_shape)


def test_sums_by_group():
    weights, groups = RNG.random((5, 50)), RNG.integers(0, 9, 50)
    expected = [np.bincount(groups, one, 12) for one in weights]
    np.testing.assert_allclose(grouped(weights, groups, 12), expected)
    assert grouped(np.zeros((2, 0)), np.zeros(0, int), 3).tolist() == [[0.0] * 3] * 2
