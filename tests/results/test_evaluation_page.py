"""The page of an evaluation: what stands on it, that text stays text, and how a browser takes it."""

import re

import keras
import numpy as np
import pytest

import chromium
import polyhead as ph

HOSTILE = "<script>document.title='taken'</script>"
RNG = np.random.default_rng(8)
ROWS = 30


@pytest.fixture(scope="module")
def evaluation():
    x = RNG.normal(size=(ROWS, 2)).astype("float32")
    data = {
        "x": x,
        "photo": RNG.integers(0, 256, (ROWS, 8, 12, 3), dtype=np.uint8),
        "kind": np.where(x[:, 0] > 0, "dog", HOSTILE),
        "tame": [None if i % 4 == 0 else bool(v > 0) for i, v in enumerate(x[:, 1])],
        "price": x,
        "box": [[[1, 1, 5, 6]] if i % 3 else [] for i in range(ROWS)],
        "mask": RNG.integers(0, 2, (ROWS, 8, 12)),
    }
    heads = {
        "kind": ph.Categorical(),
        "tame": ph.Binary(),
        "price": ph.Regression(2),
        "box": ph.Boxes(1),
        "there": ph.Binary(each="box", column="box"),
        "mask": ph.Mask(2),
    }
    feed = ph.Feed(data, inputs={"x": ph.Array(), "photo": ph.Image()}, heads=heads, batch_size=16)
    inputs = {"x": keras.Input((2,), name="x"), "photo": keras.Input((8, 12, 3), name="photo")}
    model = keras.Model(inputs, ph.outputs({"mask": inputs["photo"], None: inputs["x"]}, feed))
    return ph.evaluate(model, feed, resamples=20)


@pytest.fixture(scope="module")
def path(evaluation, tmp_path_factory):
    return evaluation.save(tmp_path_factory.mktemp("page") / "report.html", worst=2)


@pytest.fixture(scope="module")
def page(path):
    return path.read_text(encoding="utf-8")


def test_every_metric_is_on_the_page(evaluation, page):
    for head in evaluation.values():
        for name, metric in head.items():
            assert name.partition("[")[0] in page
            assert metric.between in page


def test_charts(page):
    for title in ("ROC", "Precision over recall", "Reliability", "Errors (predicted less labeled)"):
        assert title in page
    assert "Labels in rows, predictions in columns" in page


def test_the_rows_with_the_largest_loss_are_there_twice(evaluation, page):
    for name in evaluation:
        (part,) = re.findall(rf"<h2>Largest losses of {name}</h2>.*?</section>(?=\n)", page, re.DOTALL)
        found = re.findall(r"<h4>row (\d+), loss", part)
        assert [int(row) for row in found] == evaluation.worst(name, 2)
        assert part.count("<h4>labeled</h4>") == part.count("<h4>predicted</h4>") == 2


def test_text_stays_text_and_nothing_is_loaded(page):
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_page_without_rows(evaluation, tmp_path):
    page = evaluation.save(tmp_path / "page.htm", worst=0).read_text(encoding="utf-8")
    assert "Largest losses" not in page


@pytest.mark.once
def test_predictions_are_in_the_units_of_the_data():
    price = 1e5 + 1e4 * RNG.normal(size=20)
    x = ((price - price.mean()) / price.std()).astype("float32")
    feed = ph.Feed({"x": x, "price": price}, inputs="x", heads={"price": ph.Regression(scale="standard")})
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"price": keras.layers.Activation("linear", name="price")(inputs)})
    ((labeled, predicted),) = ph.evaluate(model, feed, intervals=None)._rows.samples([3])
    assert predicted.labels["price"].value == pytest.approx(price[3], rel=1e-4)
    assert labeled.labels["price"].value == pytest.approx(price[3], rel=1e-4)


@pytest.mark.once
def test_arguments(evaluation, tmp_path):
    with pytest.raises(ph.ContractError) as error:
        evaluation.save("report.pdf")
    expected = "save(path): expected the name of a file that ends in .html, .csv or .json, got 'report.pdf'."
    assert str(error.value) == expected
    with pytest.raises(ph.ContractError) as error:
        evaluation.save(tmp_path / "report.html", worst=-1)
    assert str(error.value) == "save(worst=): expected an integer of at least 0, got -1."
    for name in ("no/report.html", "no/metrics.csv"):
        with pytest.raises(ph.DataError, match=r"a folder that exists, got none\. Make the folder first\."):
            evaluation.save(tmp_path / name)


@pytest.mark.once
@pytest.mark.skipif(chromium.binary() is None, reason="no Chromium on the path")
@pytest.mark.parametrize("width", [1200, 380])
def test_in_a_browser(path, width, tmp_path):
    with chromium.Browser(tmp_path / "profile", size=(width, 900)) as browser:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.send("Emulation.setDeviceMetricsOverride", **size)
        browser.open(path.as_uri())
        assert browser.run("document.title") == f"Evaluation of {ROWS} rows"
        assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert browser.run("[...document.images].every(one => one.naturalWidth > 0)")
        assert not browser.violations
        assert all(one.startswith(("file:", "data:")) for one in browser.requests)
