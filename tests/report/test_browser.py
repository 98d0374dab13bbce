"""The page in a real browser: pictures are drawn, filters work, nothing leaves, text stays text."""

import itertools
import json

import numpy as np
import pytest

import chromium
import polyhead as ph
from polyhead.report import preview

HOSTILE = "<script>document.title='taken'</script>"

if chromium.binary() is None:
    print("tests/report/test_browser.py: no Chromium on the path, so no page is opened")
pytestmark = pytest.mark.skipif(chromium.binary() is None, reason="no Chromium on the path")


def feed():
    present = np.arange(12) % 3 != 0
    kind = [[HOSTILE, "dog"][i % 2] if p else None for i, p in enumerate(present)]
    images = np.random.default_rng(0).integers(0, 256, (12, 40, 60, 3), dtype=np.uint8)
    mask = [np.eye(40, 60, dtype=np.uint8) if i % 4 else None for i in range(12)]
    box = [[5, 5, 30, 25] if i != 4 else None for i in range(12)]
    data = {
        "photo": images,
        "present": present,
        "kind": kind,
        "box": box,
        "mask": mask,
        "price": np.arange(12.0),
    }
    return ph.Feed(
        data,
        inputs={"photo": ph.Image()},
        heads={
            "present": ph.Binary(),
            "kind": ph.Categorical(given="present"),
            "box": ph.Boxes(1),
            "mask": ph.Mask(2),
            "price": ph.Regression(),
        },
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    preview(feed(), path, n=12)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def rows(browser):
    """The rows of the samples that are shown."""
    titles = browser.run(
        "[...document.querySelectorAll('.card')].filter((card) => card.offsetParent)"
        ".map((card) => card.querySelector('h3').textContent)"
    )
    return [int(title.removeprefix("row ")) for title in titles]


VISIT = itertools.count()


def opened(browser, page, fragment=""):
    # another address each time: the same one with another fragment would not be loaded again
    browser.open(f"{page}?{next(VISIT)}{fragment}")
    return browser


def test_the_pictures_are_drawn(browser, page):
    opened(browser, page)
    sizes = browser.run(
        "[...document.querySelectorAll('.picture')].map((i) => [i.naturalWidth, i.naturalHeight, i.offsetWidth])"
    )
    assert len(sizes) == 12
    assert browser.run("document.querySelectorAll('.area').length") == 9  # three masks are missing
    assert all(size[:2] == [60, 40] and size[2] > 100 for size in sizes)
    # a box lies where its label has it, in shares of its picture
    place = browser.run(
        "(() => { const b = document.querySelector('.box'), p = b.parentElement;"
        "return [b.offsetLeft / p.offsetWidth, b.offsetTop / p.offsetHeight,"
        "b.offsetWidth / p.offsetWidth, b.offsetHeight / p.offsetHeight]; })()"
    )
    np.testing.assert_allclose(place, [5 / 60, 5 / 40, 25 / 60, 20 / 40], atol=0.01)


def test_nothing_leaves(browser, page):
    browser.requests.clear()
    browser.violations.clear()
    opened(browser, page)
    assert browser.requests
    assert [url for url in browser.requests if not url.startswith(("file://", "data:"))] == []
    assert browser.violations == []
    # and nothing could: not a picture, not a message, not a script that is written into the page
    browser.run(
        "new Promise((done) => { const image = new Image(); image.onerror = () => done(0);"
        "image.src = 'http://example.org/a.png'; document.body.append(image); })"
    )
    assert browser.run("fetch('http://example.org/').then(() => 'sent', () => 'refused')") == "refused"
    browser.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.taken = 1';"
        "document.body.append(s); })()"
    )
    assert browser.run("window.taken ?? 0") == 0
    abroad = [url for url in browser.requests if not url.startswith(("file://", "data:"))]
    assert sorted(abroad) == sorted(browser.stopped)
    assert any("Content Security Policy" in text for text in browser.violations)


def test_a_class_named_like_a_script_stays_text(browser, page):
    opened(browser, page)
    assert browser.run("document.title") == "Preview of a feed: 12 of 12 rows"
    assert browser.run("document.querySelectorAll('main script').length") == 0
    shown = browser.run(
        f"[...document.querySelectorAll('dd')].filter((d) => d.textContent === {json.dumps(HOSTILE)}).length"
    )
    assert shown == 4
    assert browser.run("document.querySelectorAll('.tag')[1].textContent") == "dog"
    assert browser.run("document.querySelectorAll('.tag')[2].textContent") == HOSTILE


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", list(range(12))),
        ("#h0=c:0", [0, 3, 6, 9]),
        ("#h1=s:unasked", [0, 3, 6, 9]),
        ("#h1=c:1", [1, 5, 7, 11]),
        ("#h2=s:missing", [4]),
        ("#h3=s:missing&h0=c:1", [4, 8]),
        ("#h4min=3&h4max=5.5", [3, 4, 5]),
        ("#row=2%2C+7", [2, 7]),
        ("#row=99", []),
    ],
)
def test_filters_from_the_address(browser, page, fragment, expected):
    opened(browser, page, fragment)
    assert rows(browser) == expected
    assert browser.run("document.getElementById('count').textContent") == f"{len(expected)} of 12 samples"
    assert browser.run("document.getElementById('none').hidden") == bool(expected)


def test_filters_by_hand_and_clearing_them(browser, page):
    opened(browser, page)
    browser.run(
        "(() => { const s = document.getElementById('h0'); s.value = 'c:0';"
        "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert rows(browser) == [0, 3, 6, 9]
    assert browser.run("location.hash") == "#h0=c%3A0"
    browser.run("document.querySelector('button[type=reset]').click()")
    browser.run("new Promise((done) => setTimeout(done, 50))")
    assert rows(browser) == list(range(12))


def test_layers_are_hidden_and_shown(browser, page):
    opened(browser, page)
    visible = "[...document.querySelectorAll('.%s')].filter((m) => m.offsetParent).length"
    assert [browser.run(visible % name) for name in ("box", "area", "hatch")] == [11, 9, 3]
    browser.run("document.querySelector('[data-head=\"2\"]').click()")
    assert [browser.run(visible % name) for name in ("box", "area", "hatch")] == [0, 9, 3]
    browser.run("document.querySelector('[data-head=\"3\"]').click()")
    assert [browser.run(visible % name) for name in ("box", "area", "hatch")] == [0, 0, 0]


def crowd():
    """Boxes of three classes, wide and narrow, with masks and named points of each."""
    rng = np.random.default_rng(1)
    boxes = [[[0, 0, 200, 190], [20, 100, 34, 130], [100, 20, 180, 180]], [[10, 10, 190, 190]], None]
    kinds = [["kite", "cat", HOSTILE], ["cat"], None]
    masks = [[np.eye(200, dtype=np.uint8)] * len(each) if each else None for each in boxes]
    points = [
        [[[x0 + 5, y0 + 5], [x1 - 5, y1 - 5]] for x0, y0, x1, y1 in each] if each else None for each in boxes
    ]
    data = {
        "photo": rng.integers(0, 256, (3, 200, 200, 3), dtype=np.uint8),
        "box": boxes,
        "kind": kinds,
        "mask": masks,
        "pose": points,
        "depth": rng.random((3, 200, 200), np.float32),
    }
    pose = ph.Keypoints(2, each="box", point_names=["left <eye>", "tail"], skeleton=[(0, 1)])
    heads = {"box": ph.Boxes(3), "kind": ph.Categorical(each="box"), "mask": ph.Mask(each="box")}
    return ph.Feed(data, inputs={"photo": ph.Image()}, heads={**heads, "pose": pose, "depth": ph.Map()})


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    path = tmp_path_factory.mktemp("objects") / "page.html"
    preview(crowd(), path)
    return path.as_uri()


VISIBLE = "[...document.querySelectorAll('%s')].filter((m) => m.getClientRects().length).length"


def test_objects_have_the_color_of_their_class_or_their_own(browser, objects):
    opened(browser, objects)
    colors = (
        "[...document.querySelectorAll('.card .box')]"
        ".map((b) => [b.title.slice(5), getComputedStyle(b).borderTopColor])"
    )
    by_class = browser.run(colors)
    assert [text for text, _ in by_class] == ["kite", HOSTILE, "cat", "cat"]
    assert len({color for _, color in by_class}) == 3
    # a mask and a point have the color of their box
    same = "[...document.querySelectorAll('.card .%s')].map((b) => getComputedStyle(b).backgroundColor)"
    for name, count in (("area", 1), ("point", 2)):
        assert sorted(browser.run(same % name)) == sorted(c for _, c in by_class for _ in range(count))
    browser.run(
        "(() => { const s = document.querySelector('[data-root=color]'); s.value = 'own';"
        "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    by_object = [color for _, color in browser.run(colors)]
    assert len(set(by_object[:3])) == 3
    assert by_object != [color for _, color in by_class]


def test_names_are_shown_where_they_fit(browser, objects):
    opened(browser, objects)
    shown = "[...document.querySelectorAll('.card .tag')].filter((t) => t.getClientRects().length)"
    texts = f"{shown}.map((t) => t.textContent)"
    assert "kite" in browser.run(texts)
    assert browser.run(texts).count("cat") == 1  # the other cat is narrower than its name
    for value, count in (("all", 4), ("none", 0)):
        browser.run(
            f"(() => {{ const s = document.querySelector('[data-root=tags]'); s.value = '{value}';"
            "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        assert browser.run(f"{shown}.length") == count


def test_a_switch_for_each_class(browser, objects):
    opened(browser, objects)
    assert browser.run("[...document.querySelectorAll('.chip')].map((c) => c.textContent.trim())") == [
        "cat 2",
        f"{HOSTILE} 1",
        "kite 1",
    ]
    marks = ["box", "area", "point", "bones"]
    before = [browser.run(VISIBLE % f".card .{name}") for name in marks]
    assert before == [4, 4, 8, 4]
    browser.run("document.querySelector('.chip input').click()")
    assert [browser.run(VISIBLE % f".card .{name}") for name in marks] == [2, 2, 4, 2]
    browser.run("document.querySelector('[data-every][data-to=\"\"]').click()")
    assert [browser.run(VISIBLE % f".card .{name}") for name in marks] == [0, 0, 0, 0]


def test_what_is_missing_is_seen(browser, objects):
    opened(browser, objects)
    notes = browser.run(
        "[...document.querySelectorAll('.card:last-child .notes span')].map((n) => n.textContent)"
    )
    assert notes == ["box: no label", "mask: no label", "pose: no label"]
    assert browser.run("document.querySelectorAll('.card.lacks').length") == 1
    low, high = browser.run("document.querySelector('.scale').textContent").split(".")[1:3]
    assert low
    assert high  # the range of the colors of depth


def test_a_sample_is_enlarged_by_mouse_and_keys(browser, objects):
    browser.violations.clear()
    opened(browser, objects)
    browser.run("document.querySelector('.card .pic').click()")
    title = "document.querySelector('#viewer .row-number').textContent"
    wide = "document.querySelector('#viewer .pic').offsetWidth / document.querySelector('.card .pic').offsetWidth"
    assert browser.run("document.getElementById('viewer').open") is True
    assert browser.run(title) == "row 0"
    assert browser.run(wide) > 1.2

    def press(key):
        for kind in ("rawKeyDown", "keyUp"):
            code = {"ArrowRight": 39, "ArrowLeft": 37, "Escape": 27}[key]
            browser.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    press("ArrowRight")
    assert browser.run(title) == "row 1"
    press("ArrowLeft")
    press("ArrowLeft")
    assert browser.run(title) == "row 2"
    press("Escape")
    assert browser.run("document.getElementById('viewer').open") is False
    assert browser.violations == []


def test_classes_of_a_chart_are_sorted(browser, objects):
    opened(browser, objects)
    names = "[...document.querySelectorAll('.bars')].find((b) => b.rows.length > 3)"
    assert browser.run(f"{names} === undefined")  # three classes need no sorting
    data = {"x": np.zeros(30), "y": [f"c{i % 6 * i % 7:02}" for i in range(30)]}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Categorical()})
    path = objects.removeprefix("file://").replace("page.html", "bars.html")
    preview(feed, path, n=1)
    opened(browser, f"file://{path}")
    counts = "[...document.querySelectorAll('.bars tr')].map((r) => Number(r.dataset.count))"
    browser.run("document.querySelector('[data-sort=count]').click()")
    assert browser.run(counts) == sorted(browser.run(counts), reverse=True)
    browser.run("document.querySelector('[data-sort=name]').click()")
    titles = browser.run("[...document.querySelectorAll('.bars th')].map((t) => t.textContent)")
    assert titles == sorted(set(data["y"]))


def test_on_a_phone_nothing_is_wider_than_the_screen(browser, page):
    browser.send(
        "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
    )
    opened(browser, page)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    browser.send("Emulation.clearDeviceMetricsOverride")


def test_in_a_notebook_the_page_lies_in_a_frame_and_its_filters_work(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{preview(feed(), n=5)._repr_html_()}", "utf-8")
    opened(browser, path.as_uri())
    # what a frame of another origin shows cannot be asked for; without its sandbox it can
    browser.run(
        "new Promise((done) => { const f = document.querySelector('iframe'); f.removeAttribute('sandbox');"
        "f.onload = done; f.srcdoc = f.srcdoc; })"
    )
    assert (
        browser.run("document.querySelector('iframe').contentDocument.querySelectorAll('.card').length") == 5
    )
    counted = "document.querySelector('iframe').contentDocument.getElementById('count').textContent"
    assert browser.run(counted) == "5 of 5 samples"
