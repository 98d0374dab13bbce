"""The names and the skeleton of COCO's keypoints reach heads, stores and previews."""

import json

import numpy as np
import pytest

import polyhead as ph

NAMES, LINES = ["nose", "left_eye", "right_eye"], [[2, 1], [1, 3]]  # COCO counts from 1
PERSON = {"id": 1, "name": "person", "keypoints": NAMES, "skeleton": LINES}
FROM_ZERO = ((1, 0), (0, 2))


@pytest.fixture
def people(tmp_path):
    """Reads two drawn people, described by some categories."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

    def read(*categories, name="a", **options):
        said = {"images": [], "annotations": [], "categories": list(categories) or [PERSON]}
        for i in (1, 2):
            image.new("RGB", (60, 40), (90, 60 * i, 30)).save(tmp_path / f"{i}.png")
            said["images"].append({"id": i, "file_name": f"{i}.png", "height": 40, "width": 60})
            points = [10 * i, 10, 2, 10 * i + 4, 8, 2, 10 * i - 4, 8, 1]
            one = {"id": i, "image_id": i, "category_id": 1, "bbox": [5, 5, 20, 20], "keypoints": points}
            said["annotations"].append(one)
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
        return ph.read_coco(tmp_path / f"{name}.json", tmp_path, **options)

    return read


def head_of(source, head=None):
    pose = head or ph.Keypoints(3, column="keypoints", each="boxes")
    feed = ph.Feed(source, inputs={"image": ph.Image(20, 30)}, heads={"boxes": ph.Boxes(2), "pose": pose})
    return feed.heads["pose"].inner, feed


def test_a_head_has_the_names_and_lines_of_the_file(people, tmp_path):
    head, feed = head_of(people())
    assert head.point_names == tuple(NAMES)
    assert head.skeleton == FROM_ZERO
    feed.preview(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(name in page for name in NAMES)
    saved = ph.Declaration.load(feed.declaration.save(tmp_path / "a.json") or tmp_path / "a.json")
    assert saved.heads["pose"].inner.point_names == tuple(NAMES)  # as predictions of a loaded model have them


def test_left_and_right_change_places_when_the_image_is_mirrored(people):
    feed = head_of(people())[1]
    mirrored = feed.on(feed.source, augment=[ph.Flip(p=1.0)])
    assert mirrored.heads["pose"].inner.pairs == ((1, 2),)
    before, after = (next(one.batches()).labels["pose"][:, 0] for one in (feed, mirrored))
    assert np.allclose(after, (np.array([30, 0]) + before * [-1, 1])[:, [0, 2, 1]])
    own = ph.Keypoints(3, column="keypoints", each="boxes", pairs=[(0, 1)])
    assert head_of(people(), own)[0].pairs == ((0, 1),)


def test_a_store_keeps_them(people, tmp_path):
    ph.pack(people(), tmp_path / "a.store")
    head, _ = head_of(ph.open_store(tmp_path / "a.store").select([1]))
    assert (head.point_names, head.skeleton) == (tuple(NAMES), FROM_ZERO)


def test_what_a_head_says_itself_counts(people):
    own = ph.Keypoints(3, column="keypoints", each="boxes", point_names=["a", "b", "c"], skeleton=[(0, 1)])
    assert head_of(people(), own)[0] == own
    unnamed = {key: value for key, value in PERSON.items() if key != "skeleton"}
    assert head_of(people(unnamed))[0].skeleton == ()


@pytest.mark.parametrize("lines", [[[0, 1]], [[1, 4]], [[2, 2]], [[1, 2, 3]], [["1", 2]], 7, [3]])
def test_a_skeleton_that_cannot_be_read_is_left_out(people, tmp_path, lines):
    with pytest.warns(ph.PolyheadWarning, match="skeletons that cannot be read left out"):
        source = people({**PERSON, "skeleton": lines})
    (problem,) = source.report.warnings
    expected = "expected pairs of distinct points, counted from 1 to 3, got "
    assert str(problem).startswith(f"file {tmp_path / 'a.json'}, category 'person', skeleton: {expected}")
    assert str(problem).endswith("It is left out; give skeleton= to the head, counted from 0.")
    assert head_of(source)[0].skeleton == ()


def test_categories_and_sources_that_differ(people):
    dog = {"id": 2, "name": "dog", "keypoints": ["tail", "ear", "paw"], "skeleton": [[1, 2]]}
    both = people(PERSON, dog)
    assert "keypoints without names: the categories name them differently" in both.report.notes
    assert (head_of(both)[0].point_names, head_of(both)[0].skeleton) == ((), ())
    assert head_of(people(PERSON, dog, categories=["person"]))[0].point_names == tuple(NAMES)

    turned = people({**PERSON, "keypoints": NAMES[::-1]}, name="b")
    with pytest.raises(ph.DataError) as caught:
        head_of(ph.Source.concat(people(), turned))
    assert str(caught.value) == (
        "head `pose`, column `keypoints`: expected the same keypoints in all sources, "
        "['nose', 'left_eye', 'right_eye'] as in source 0, got ['right_eye', 'left_eye', 'nose'] in source 1. "
        "If they mean the same, give point_names= and skeleton= to the head."
    )
    assert head_of(ph.Source.concat(people(), people(name="c")))[0].skeleton == FROM_ZERO
    assert np.isfinite(head_of(people())[1].peek()[1]["pose"]).all()
