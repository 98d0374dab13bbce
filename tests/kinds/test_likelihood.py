import numpy as np
import pytest
from sklearn import metrics as sk

import polyhead as ph
from polyhead.kinds.judging import HeadBatch
from polyhead.kinds.keras_names import SIGMOID, SOFTMAX
from polyhead.kinds.likelihood import best_temperature, best_threshold, likelihoods

pytestmark = pytest.mark.once

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("activations", [SIGMOID, SOFTMAX])
def test_temperature_of_logits_and_of_probabilities_is_the_same(activations):
    logits = RNG.normal(size=(50, 3)) * 2
    shares = likelihoods(logits, True, activations)
    for temperature in (0.5, 1.0, 3.0):
        expected = likelihoods(logits / temperature, True, activations)
        np.testing.assert_allclose(likelihoods(logits, True, activations, temperature), expected)
        np.testing.assert_allclose(likelihoods(shares, False, activations, temperature), expected, rtol=1e-6)


def test_outputs_without_probabilities_stay():
    outputs = RNG.normal(size=(5, 2))
    assert likelihoods(outputs, False, ()) is outputs


def test_the_temperature_that_made_the_logits_is_found():
    logits = RNG.normal(size=(40_000, 4))
    shares = likelihoods(logits, True, SOFTMAX)
    ids = (RNG.random((40_000, 1)) > np.cumsum(shares, 1)).sum(1)
    too_sure = likelihoods(logits * 2.5, True, SOFTMAX)
    assert best_temperature(too_sure, ids, np.ones(40_000), SOFTMAX) == pytest.approx(2.5, rel=0.05)
    shares = likelihoods(logits, True, SIGMOID)
    labels = (RNG.random(shares.shape) < shares).astype(float)
    unsure = likelihoods(logits / 2, True, SIGMOID)
    assert best_temperature(unsure, labels, np.ones(labels.shape), SIGMOID) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("objective", ["f1", "accuracy", "youden"])
def test_no_other_threshold_is_better(objective):
    labels = RNG.random(80) < 0.3
    scores, weights = np.round(RNG.random(80) * 0.6 + 0.4 * labels, 2), RNG.random(80)

    def goodness(threshold):
        said = scores >= threshold
        if objective == "f1":
            return sk.f1_score(labels, said, sample_weight=weights)
        if objective == "accuracy":
            return sk.accuracy_score(labels, said, sample_weight=weights)
        return sk.balanced_accuracy_score(labels, said, sample_weight=weights)

    found = best_threshold(scores, labels, weights, objective)
    assert goodness(found) == pytest.approx(max(map(goodness, np.unique(scores))))


def test_the_best_threshold_may_predict_no_positives():
    labels, scores = np.arange(6) == 3, np.array([0.2, 0.9, 0.6, 0.3, 0.5, 0.4])
    assert best_threshold(scores, labels, np.ones(6), "accuracy") == pytest.approx(0.95)
    scores[1] = 1.0  # no threshold is above it
    assert best_threshold(scores, labels, np.ones(6), "accuracy") == pytest.approx(0.8)


@pytest.mark.parametrize("shift", [0.0, 0.999999])
def test_thresholds_tell_close_scores_apart(shift):
    labels = np.arange(10) > 4
    scores = (shift + 4e-7 * labels + 1e-8 * np.arange(10)).astype(np.float32)
    found = best_threshold(scores.astype(float), labels, np.ones(10), "f1")
    assert ((scores >= found) == labels).all()
    assert len(repr(found)) < 12


def test_heads_use_their_temperature_and_threshold():
    logits = np.array([[1.0, 0.0]])
    head = ph.Categorical(2, temperature=2.0)
    found = HeadBatch.of(head, np.array([0]), logits, None, True).outputs
    np.testing.assert_allclose(found, likelihoods(logits / 2, True, SOFTMAX))
    assert ph.Binary(threshold=0.2).judge("y", {}, None).threshold == 0.2
    assert ph.MultiLabel(2, threshold=0.2).judge("y", {}, None).threshold == 0.2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ph.Binary(threshold=2), "Binary(threshold=): expected a number in [0, 1], got 2."),
        (lambda: ph.Binary(temperature=0), "Binary(temperature=): expected a number above 0, got 0."),
        (lambda: ph.MultiLabel(threshold=-1), "MultiLabel(threshold=): expected a number in [0, 1], got -1."),
        (
            lambda: ph.Categorical(temperature=None),
            "Categorical(temperature=): expected a number above 0, got None.",
        ),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ph.ContractError) as error:
        make()
    assert str(error.value) == message


def test_they_travel_as_json_and_stay_out_of_it_by_default():
    heads = {"a": ph.Binary(threshold=0.3, temperature=2.0), "b": ph.Categorical(3)}
    feed = ph.Feed({"x": [0.0, 1], "a": [0, 1], "b": [0, 1]}, inputs="x", heads=heads)
    form = feed.declaration.to_dict()
    assert form["heads"]["a"] == {"kind": "Binary", "threshold": 0.3, "temperature": 2.0}
    assert "temperature" not in form["heads"]["b"]
    assert ph.Declaration.from_dict(form).heads == feed.heads
