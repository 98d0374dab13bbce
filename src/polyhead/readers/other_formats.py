"""Recognizes annotation files of formats that have no reader."""

from __future__ import annotations

from typing import Any

_KEYS = (
    ({"shapes", "imagePath"}, "LabelMe"),
    ({"_via_img_metadata"}, "VIA"),
    ({"regions", "filename"}, "VIA"),
    ({"asset", "regions"}, "VoTT"),
    ({"assets"}, "VoTT"),
    ({"data", "annotations"}, "Label Studio"),
    ({"annotator"}, "Label Studio"),
    ({"image", "annotations"}, "CreateML"),
)
"""Keys of the outermost object of a JSON file, or of the first entry in it, and the program that writes both."""


def fix_for_json(content: Any) -> str:
    """Return the fix to suggest for JSON of another program than COCO's; empty if it is unknown.

    >>> fix_for_json({"shapes": [], "imagePath": "a.jpg"})
    "This is LabelMe's own format: export it as COCO or PASCAL VOC, or convert it."
    >>> fix_for_json({"a.jpg123": {"filename": "a.jpg", "regions": []}}).partition(":")[0]
    "This is VIA's own format"
    """
    entries = list(content.values()) if isinstance(content, dict) else content
    first = entries[0] if isinstance(entries, list) and entries else None
    known = (
        name
        for keys, name in _KEYS
        for found in (content, first)
        if isinstance(found, dict) and keys <= {*found}
    )
    name = next(known, None)
    return (
        ""
        if name is None
        else f"This is {name}'s own format: export it as COCO or PASCAL VOC, or convert it."
    )


def fix_for_xml(tag: str) -> str:
    """Return the fix to suggest for XML with another outermost element than PASCAL VOC's."""
    return "This may be CVAT's own format: export it as PASCAL VOC or COCO." if tag == "annotations" else ""
