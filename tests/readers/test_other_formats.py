"""Annotation files of other programs, which readers name in their errors."""

import json

import pytest

import polyhead as ph

SHAPE = {"label": "cat", "points": [[1, 2], [9, 9]], "shape_type": "rectangle"}
REGION = {
    "shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4},
    "region_attributes": {},
}
VIA = {"a.jpg99": {"filename": "a.jpg", "size": 99, "regions": [REGION], "file_attributes": {}}}
STUDIO = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": []}]}
SHORT = {"id": 1, "image": "a.jpg", "label": [], "annotator": 1}
CREATE_ML = {"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 1, "y": 2}}]}


@pytest.mark.parametrize(
    ("content", "program"),
    [
        ({"version": "5", "shapes": [SHAPE], "imagePath": "a.jpg"}, "LabelMe"),
        (VIA, "VIA"),
        ({"_via_settings": {}, "_via_img_metadata": VIA}, "VIA"),
        ({"asset": {"name": "a.jpg"}, "regions": []}, "VoTT"),
        ({"name": "pets", "assets": {}}, "VoTT"),
        ([STUDIO], "Label Studio"),
        ([SHORT], "Label Studio"),
        ([CREATE_ML], "CreateML"),
    ],
)
def test_json_of_another_program(tmp_path, content, program):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ph.DataError) as error:
        ph.read_coco(tmp_path / "a.json", tmp_path)
    fix = f"This is {program}'s own format: export it as COCO or PASCAL VOC, or convert it."
    assert str(error.value).endswith(fix)


@pytest.mark.parametrize("content", [{}, [], [1], {"a": []}, [{"image_id": 1, "category_id": 2}]])
def test_other_json_is_not_named(tmp_path, content):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ph.DataError) as error:
        ph.read_coco(tmp_path / "a.json", tmp_path)
    assert "own format" not in str(error.value)
