import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds.judging_classes import BinaryJudge, CategoricalJudge
from polyhead.kinds.judging_numbers import EmbeddingJudge
from polyhead.results.bootstrap import Intervals
from polyhead.results.evaluation import Evaluation
from polyhead.results.evaluation_page import evaluation_page
from polyhead.results.head_evaluation import Metric


def evaluation(cosines, ids=None, how=None, weights=None):
    """Of one head `vector`, and one `nobody` without labels."""
    cosines = np.asarray(cosines, np.float64)
    rows = np.arange(len(cosines))
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights)
    items = {"row": rows, "weight": weights, "loss": 1 - cosines, "cosine": cosines}
    none = {name: array[:0] for name, array in items.items()}
    judges = {"vector": EmbeddingJudge("vector"), "nobody": EmbeddingJudge("nobody")}
    ids = rows if ids is None else np.asarray(ids)
    return Evaluation(judges, {"vector": items, "nobody": none}, ids, how or Intervals(0.9, 200, 0))


def test_print():
    assert str(evaluation([0.5, 0.5, 0.5])) == (
        "  head     metric      value   90% interval   rows\n"
        " ──────────────────────────────────────────────────\n"
        "  vector   cosine        0.5     [0.5, 0.5]      3\n"
        "  nobody   no labels                             0"
    )


def test_print_without_intervals():
    assert str(evaluation([0.25, 0.5], how=Intervals(None, 10, 0))) == (
        "  head     metric      value   rows\n"
        " ───────────────────────────────────\n"
        "  vector   cosine      0.375      2\n"
        "  nobody   no labels              0"
    )


def of_classes(names, how):
    """Of one head `kind`, a row for each class, which is predicted."""
    count = len(names)
    rows = np.arange(count)
    items = {
        "row": rows,
        "weight": np.ones(count),
        "loss": np.ones(count),
        "label": rows,
        "predicted": rows,
        "confidence": np.ones(count),
        "above": np.zeros(count),
    }
    judge = CategoricalJudge("kind", names)
    return Evaluation({"kind": judge}, {"kind": items}, rows, how)


def test_odd_names_of_classes_are_readable():
    """Line breaks and very long names leave each metric its line; the page has them in full."""
    names = ["two\nlines", "日本" * 3, "a very long name " * 20 + "1", "a very long name " * 20 + '"2"']
    found = of_classes(names, Intervals(None, 10, 0))
    for text in (str(found), str(found["kind"]), str(found.compare(found))):
        lines = text.splitlines()
        assert sum("two lines" in line for line in lines) == 1
        assert max(map(len, lines)) < 150
    assert len(str(found).splitlines()) == 2 + len(found["kind"])
    page = evaluation_page(found, {}, {}, {"kind": ph.Categorical(4)})
    assert (
        page.count('1">a very long name a …</th>')
        == page.count('&quot;2&quot;">a very long name a …</th>')
        == 2
    )


def test_print_leaves_out_many_classes():
    found = of_classes([f"c{i}" for i in range(40)], Intervals(None, 10, 0))
    assert "f1[c0]" in found["kind"]
    assert "f1[c0]" not in str(found)
    assert "f1_macro" in str(found)
    told = "and 40 of single classes or columns: print(evaluation['kind'])"
    assert str(found).splitlines()[-1] == f"  {told}"
    assert told in found._repr_html_().replace("&#x27;", "'")
    assert "single classes" not in str(of_classes(["cat", "dog"], Intervals(None, 10, 0)))


def test_print_one_head():
    found = of_classes(["cat", "a dog\nor [two]"], Intervals(None, 10, 0))["kind"]
    assert str(found) == repr(found)
    assert str(found).splitlines() == [
        "  metric              value   rows",
        " ──────────────────────────────────",
        "  accuracy                1      2",
        "  f1_macro                1      2",
        "  f1_micro                1      2",
        "  log_loss                1      2",
        "  calibration_error       0      2",
        "",
        "                   f1",
        " ─────────────────────",
        "  cat               1",
        "  a dog or [two]    1",
    ]
    html = found._repr_html_()
    assert html.count("<table>") == 2
    assert "a dog or [two]" in html


def test_one_head_of_many_classes_has_a_line_for_each():
    found = of_classes([f"a class with a long name {i}" for i in range(80)], Intervals(0.95, 10, 0))["kind"]
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.lstrip().startswith("a class") for line in lines) == 80
    assert "f1" in lines[lines.index("") + 1]
    assert lines[-1].endswith("1 [0, 1]") or "[" in lines[-1]


def test_to_pandas():
    frame = evaluation([0.5, 1.0]).to_pandas()
    assert frame.columns.tolist() == ["head", "metric", "value", "low", "high", "rows"]
    assert frame.iloc[0].tolist() == ["vector", "cosine", 0.75, 0.5, 1.0, 2]


def test_without_intervals_nothing_has_a_column_for_them(tmp_path):
    found = evaluation([0.5, 1.0], how=Intervals(None, 10, 0))
    assert found.to_pandas().columns.tolist() == ["head", "metric", "value", "rows"]
    table = found.save(tmp_path / "metrics.csv").read_text()
    assert table.splitlines() == ["head,metric,value,rows", "vector,cosine,0.75,2"]
    assert "interval" not in found._repr_html_()
    heads = {name: ph.Embedding(2) for name in found}
    assert "interval" not in evaluation_page(found, {}, {}, heads)
    assert "interval</th>" in evaluation_page(evaluation([0.5, 1.0]), {}, {}, heads)


def test_as_a_mapping():
    found = evaluation([0.5, 1.0], weights=[3, 1])
    assert list(found) == ["vector", "nobody"]
    assert "vector" in found
    assert "vectro" not in found
    assert "cosine" in found["vector"]
    assert found["vector"].get("mae") is None
    assert dict(found["vector"]) == {"cosine": Metric(0.625, 0.5, 1.0)}
    assert float(found["vector"]["cosine"]) == 0.625
    assert found.as_dict() == {"vector": {"cosine": 0.625}, "nobody": {}}
    title, _, row = str(found["vector"]).splitlines()
    assert (title.split(), row.split()) == (
        ["metric", "value", "90%", "interval", "rows"],
        ["cosine", "0.625", "[0.5,", "1]", "2"],
    )
    assert str(found["nobody"]) == "No row has a label of head `nobody`."
    assert str(found["nobody"]) in found["nobody"]._repr_html_()


def test_names_that_do_not_exist():
    with pytest.raises(ph.ContractError) as error:
        evaluation([0.5])["vectro"]
    assert str(error.value) == (
        "evaluation['vectro']: expected one of vector, nobody, got no head of that name. Did you mean `vector`?"
    )
    with pytest.raises(
        ph.ContractError, match=r"^evaluation\[\['vector'\]\]: expected one of vector, nobody, got"
    ):
        evaluation([0.5]).worst(["vector"])
    with pytest.raises(ph.ContractError) as error:
        evaluation([0.5])["vector"]["cosin"]
    assert str(error.value) == (
        "evaluation['vector']['cosin']: expected one of cosine, got no metric of that name. Did you mean `cosine`?"
    )
    with pytest.raises(ph.ContractError) as error:
        evaluation([0.5])["nobody"]["cosine"]
    assert str(error.value) == "evaluation['nobody']['cosine']: expected a row with a label, got none."


def test_worst():
    found = evaluation([0.5, 0.1, 0.9, 0.2], ids=[10, 11, 12, 13])
    assert found.worst("vector", 3) == [11, 13, 10]
    assert found.worst("vector") == [11, 13, 10, 12]
    assert found.worst("nobody") == []
    assert found["vector"].loss_of(11) == pytest.approx(0.9)
    with pytest.raises(ph.ContractError) as error:
        found.worst("vector", 0)
    assert str(error.value) == "worst(n): expected an integer of at least 1, got 0."


def test_compare():
    drawn = np.random.default_rng(0)
    hard = drawn.random(300)
    one, other = evaluation(hard), evaluation(hard - 0.01 + 0.02 * drawn.random(300) - 0.005)
    (found,) = one.compare(other)
    # each alone is far from sure; row by row, one is better
    assert one["vector"]["cosine"].low < other["vector"]["cosine"].value
    assert found.better == "first"
    assert found.low < found.difference < found.high
    assert one.compare(other).differing == (found,)
    (back,) = other.compare(one)
    assert back.better == "second"
    (same,) = one.compare(one)
    assert (same.difference, same.low, same.high, same.better) == (0, 0, 0, "")
    assert one.compare(other).to_pandas()["better"].tolist() == ["first"]


def test_print_of_a_comparison():
    assert str(evaluation([0.5, 0.5]).compare(evaluation([0.75, 0.75]))) == (
        "  head     metric   first   second   difference         interval\n"
        " ───────────────────────────────────────────────────────────────────────────────────\n"
        "  vector   cosine     0.5     0.75        -0.25   [-0.25, -0.25]   second is better"
    )


def test_a_lower_loss_is_better():
    label = np.arange(40) % 2 == 0
    found = []
    for sure in (0.9, 0.6):
        score = np.where(label, sure, 1 - sure)
        items = {"row": np.arange(40), "weight": np.ones(40), "loss": -np.log(np.full(40, sure))}
        items |= {"label": label, "score": score}
        found.append(
            Evaluation({"y": BinaryJudge("y")}, {"y": items}, np.arange(40), Intervals(0.95, 100, 0))
        )
    better = {one.metric: one.better for one in found[0].compare(found[1])}
    assert better["log_loss"] == better["calibration_error"] == "first"
    assert better["accuracy"] == ""


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (None, "compare(other): expected an Evaluation, got None."),
        (
            evaluation([0.5, 0.5], ids=[0, 2]),
            "compare(other): expected an evaluation of the same rows, got other rows, or another order. "
            "Evaluate both models on the same data.",
        ),
        (
            evaluation([0.5, 0.5], how=Intervals(0.9, 200, 1)),
            "compare(other): expected an evaluation of the same samples, got other seed= or resamples=. "
            "Pass the same ones to both calls of ph.evaluate.",
        ),
        (
            Evaluation(
                {"z": EmbeddingJudge("z")},
                {"z": evaluation([1, 1])["vector"].items_of_rows},
                np.arange(2),
                Intervals(0.9, 200, 0),
            ),
            "compare(other): expected a head of the same kind among vector, nobody, got only z.",
        ),
    ],
)
def test_what_cannot_be_compared(other, message):
    with pytest.raises(ph.ContractError) as error:
        evaluation([0.5, 0.5]).compare(other)
    assert str(error.value) == message
