"""The page as text: what stands in it, what cannot break out of it, how large it gets."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead.report import preview

HOSTILE = ["</script><script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "<!-- ünïcödé 猫 & -->"]


class Parsed(HTMLParser):
    """The tags of a page, and its text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._inside = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text += data


def page(columns, inputs, heads, n=16, **options):
    return preview(ph.Feed(columns, inputs=inputs, heads=heads), n=n, **options).html


def test_what_comes_from_data_is_escaped():
    a, b, c = HOSTILE
    columns = {
        a: np.zeros((6, 8, 8, 3), np.uint8),
        b: np.arange(6.0),
        c: [a, b, c] * 2,
        "tags": [[a], [b, c]] * 3,
    }
    columns["mask"] = np.arange(6 * 64).reshape(6, 8, 8) % 3
    columns["box"] = np.tile([1.0, 1, 5, 5], (6, 1))
    heads = {c: ph.Categorical(), "tags": ph.MultiLabel(), "mask": ph.Mask([a, b, c]), "box": ph.Boxes(1)}
    heads["two"] = ph.Mask([a, b], multi=True, column="channels")
    columns["channels"] = np.ones((6, 8, 8, 2), np.uint8)
    text = page(columns, {a: ph.Image(), "facts": ph.Array(column=[b])}, heads)
    found = Parsed(text)
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert all(attrs["src"].startswith("data:image/png;base64,") for tag, attrs in found.tags if tag == "img")
    assert all(not name.startswith("on") for _, attrs in found.tags for name in attrs)
    assert all(word in found.text for word in HOSTILE)
    facts = re.search(r'<script type="application/json" id="facts">(.*?)</script>', text)[1]
    kinds = [one["heads"][0]["classes"] for one in json.loads(facts)]
    assert kinds == [[sorted(HOSTILE).index(HOSTILE[i % 3])] for i in range(6)]


def test_it_asks_for_nothing():
    columns = {"image": np.zeros((3, 8, 8, 3), np.uint8), "y": [0, 1, None]}
    text = page(columns, {"image": ph.Image()}, {"y": ph.Binary()})
    assert re.findall(r"https?:|[\"'(]//|@import|<link|<iframe|<object|<base", text) == []
    policy = dict(next(a for t, a in Parsed(text).tags if a.get("http-equiv")))["content"]
    assert policy.startswith(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-"
    )


def test_sixteen_large_noisy_images_stay_small():
    rng = np.random.default_rng(0)
    columns = {"image": rng.integers(0, 256, (16, 224, 224, 3), dtype=np.uint8)}
    columns["mask"] = rng.integers(0, 5, (16, 224, 224))
    text = page(columns, {"image": ph.Image()}, {"mask": ph.Mask(5)})
    assert len(text) < 16 * 224 * 224 * (3 + 1) * 4 / 3 * 1.05
    large = {"image": rng.integers(0, 256, (1, 1500, 1000, 3), dtype=np.uint8), "y": [1]}
    assert len(page(large, {"image": ph.Image()}, {"y": ph.Binary()})) < 512 * 512 * 3 * 4 / 3


def test_states_of_labels():
    columns = {
        "x": np.arange(4.0),
        "present": [1, 0, None, 1],
        "kind": ["cat", "dog", "cat", None],
        "price": [1.0, 2.0, 3.0, np.nan],
        "share": [1.0, 0.0, 2.0, 1.0],
    }
    heads = {
        "kind": ph.Categorical(given="present"),
        "present": ph.Binary(),
        "price": ph.Regression(sample_weight="share"),
    }
    seen = preview(ph.Feed(columns, inputs="x", heads=heads, batch_size=3))
    states = {name: [(s.labels[name].state, s.labels[name].why) for s in seen.samples] for name in heads}
    assert states == {
        "present": [("labeled", ""), ("labeled", ""), ("missing", "no label"), ("labeled", "")],
        "kind": [
            ("labeled", ""),
            ("unasked", "present is 0"),
            ("unasked", "present has no label"),
            ("missing", "no label"),
        ],
        "price": [("labeled", ""), ("silent", "its weight is 0"), ("labeled", ""), ("missing", "no label")],
    }
    assert [s.labels["price"].weight for s in seen.samples] == [None, None, 2.0, None]
    words = Parsed(seen.html).text
    assert "25.0% labeled (1) · 50.0% not asked (2) · 25.0% no label (1)" in words


def test_original_beside_augmented():
    images = np.zeros((3, 8, 8, 3), np.uint8)
    images[:, :, :4] = 255
    columns = {"image": images, "box": np.tile([0.0, 0, 4, 8], (3, 1))}
    feed = ph.Feed(
        columns,
        inputs={"image": ph.Image(8, 8)},
        heads={"box": ph.Boxes(1)},
        augment=[ph.Flip(p=1.0)],
        shuffle=True,
    )
    seen = preview(feed)
    assert sorted(sample.row for sample in seen.samples) == [0, 1, 2]
    for sample in seen.samples:
        assert sample.labels["box"].value.tolist() == [[4, 0, 8, 8]]
        assert sample.original.labels["box"].value.tolist() == [[0, 0, 4, 8]]
        assert np.array_equal(sample.original.inputs["image"], sample.inputs["image"][:, ::-1])
    assert "image, augmented" in seen.html
    assert "image, original" in seen.html
    assert feed.epoch == 0


@pytest.mark.parametrize(
    ("path", "n", "words"),
    [
        (
            "page.pdf",
            4,
            "preview(path): expected the name of a file that ends in .html or .png, got 'page.pdf'.",
        ),
        (
            Path("no", "page.png"),
            4,
            f"file {Path('no', 'page.png')}: expected a folder that exists, got none. Make the folder first.",
        ),
        (None, 0, "preview(n=): expected an integer of at least 1, got 0."),
    ],
)
def test_wrong_use_is_an_error_that_says_what_to_give(path, n, words):
    feed = ph.Feed({"x": np.zeros(3), "y": np.zeros(3)}, inputs="x", heads={"y": ph.Regression()})
    with pytest.raises(ph.PolyheadError) as error:
        preview(feed, path, n)
    assert str(error.value) == words


def test_a_generator_is_previewed_too():
    def rows():
        for start in range(0, 8, 4):
            yield np.full((4, 2), start, np.float32), np.array([0.0, np.nan, 1, 1], np.float32)

    source = ph.from_generator(rows, length=8, names=("x", "y"))
    seen = preview(ph.Feed(source, inputs="x", heads={"y": ph.Binary()}, batch_size=4), n=5)
    assert [sample.labels["y"].state for sample in seen.samples].count("missing") == 1
    assert "row 4" in seen.html


def test_a_notebook_gets_a_frame():
    feed = ph.Feed({"x": np.zeros(3), "y": ["<b>", "c", "c"]}, inputs="x", heads={"y": ph.Categorical()})
    frame = Parsed(preview(feed)._repr_html_())
    assert [tag for tag, _ in frame.tags] == ["iframe"]
    assert frame.tags[0][1]["srcdoc"].startswith("<!DOCTYPE html>")
    assert frame.tags[0][1]["sandbox"] == "allow-scripts"


def test_each_box_is_named_by_its_class():
    a, b, c = HOSTILE
    columns = {
        "image": np.zeros((3, 8, 8, 3), np.uint8),
        "box": [[[1, 1, 4, 4], [2, 2, 6, 6]], [[0, 0, 3, 3]], None],
        "kind": [[a, b], [c], None],
        "middle": [[[[2, 2]], [[4, 4]]], [[[1, 1]]], None],
    }
    heads = {
        "box": ph.Boxes(2),
        "kind": ph.Categorical(each="box"),
        "middle": ph.Keypoints(1, each="box"),
    }
    text = page(columns, {"image": ph.Image()}, heads)
    found = Parsed(text)
    boxes = [attrs for tag, attrs in found.tags if tag == "div" and "box" in attrs.get("class", "").split()]
    assert len(boxes) == 3
    assert [attrs["style"].split(";")[0] for attrs in boxes] == [
        "left:25.000%",  # the larger one first, so that the smaller one can be pointed at
        "left:12.500%",
        "left:0.000%",
    ]
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert f"{a[:60]}, {b[:60]}" in found.text
    assert len([attrs for tag, attrs in found.tags if "point" in attrs.get("class", "").split()]) == 3
    facts = json.loads(re.search(r'<script type="application/json" id="facts">(.*?)</script>', text)[1])
    assert [one["heads"][1]["classes"] for one in facts] == [[0, 2], [1], []]


def test_classes_of_one_name_have_one_color_in_all_heads():
    columns = {
        "image": np.zeros((2, 8, 8, 3), np.uint8),
        "box": [[[1, 1, 4, 4], [2, 2, 6, 6]], [[0, 0, 3, 3]]],
        "kind": [["cat", "dog"], ["dog"]],
        "land": np.arange(128).reshape(2, 8, 8) % 4,
    }
    heads = {
        "box": ph.Boxes(2),
        "land": ph.Mask(["background", "dog", "tree", "cat"]),
        "kind": ph.Categorical(["cat", "dog"], each="box"),
    }
    found = Parsed(page(columns, {"image": ph.Image()}, heads))
    colors = {}
    for tag, attrs in found.tags:
        if "data-p" in attrs and tag in ("div", "i"):
            colors.setdefault(attrs["data-p"], set()).add(re.search("--k:(#......)", attrs["style"])[1])
    assert set(colors) == {"1.1", "1.2", "1.3", "2.0", "2.1"}
    assert colors["1.1"] == colors["2.1"]
    assert colors["1.3"] == colors["2.0"]
    assert len(set.union(*colors.values())) == 3


def test_the_file_of_an_image_is_named(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    paths = [tmp_path / name for name in ("<script>a.png", "b&.png")]
    for path in paths:
        image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    columns = {"image": [str(path) for path in paths], "y": [0, 1]}
    text = page(columns, {"image": ph.Image(8, 8)}, {"y": ph.Binary()})
    names = [attrs["title"] for tag, attrs in Parsed(text).tags if attrs.get("class") == "file"]
    assert names == ["<script>a.png", "b&.png"]
    assert str(tmp_path) not in text


def test_large_pictures_are_jpeg_and_small_ones_exact():
    for side, kind in ((200, "jpeg"), (32, "png")):
        columns = {"image": np.zeros((1, side, side, 3), np.uint8), "y": [1]}
        text = page(columns, {"image": ph.Image()}, {"y": ph.Binary()})
        assert f'src="data:image/{kind};base64' in text


def test_an_image_that_augmentation_left_alone_stands_there_once():
    columns = {"image": np.arange(2 * 64 * 3, dtype=np.uint8).reshape(2, 8, 8, 3), "y": [0, 1]}
    for p, pictures, words in ((1.0, 4, "image, augmented"), (0.0, 2, "image, not changed by augmentation")):
        feed = ph.Feed(
            columns, inputs={"image": ph.Image(8, 8)}, heads={"y": ph.Binary()}, augment=[ph.Flip(p=p)]
        )
        text = preview(feed).html
        assert text.count('<figure class="shot">') == pictures
        assert text.count(words) >= 2


def test_sizes_shapes_and_places_of_boxes():
    columns = {"image": np.zeros((2, 10, 20, 3), np.uint8), "box": [[[0, 0, 20, 10]], [[0, 0, 5, 10]]]}
    text = Parsed(page(columns, {"image": ph.Image()}, {"box": ph.Boxes(1)})).text
    for words in ("size: the root of the share of the image", "width / height, on a log scale"):
        assert words in text
    assert "where boxes are: up to 2 in one place" in text
    assert "0.5" in text  # the smaller box: a quarter of the image, half as wide as high


def test_maps_share_one_range_of_colors():
    depth = np.stack([np.full((8, 8), 2.0), np.full((8, 8), 7.0), np.full((8, 8), np.nan)])
    columns = {"image": np.zeros((3, 8, 8, 3), np.uint8), "depth": depth}
    text = page(columns, {"image": ph.Image()}, {"depth": ph.Map()})
    assert re.search(r'class="scale">2<i style="[^"]+"></i>7<', text)
    assert text.count("<figcaption>depth</figcaption>") == 2
    assert "depth: no label" in text
