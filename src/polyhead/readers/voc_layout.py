"""Finds the images and XML files of a data set in PASCAL VOC's format, and reads the objects in the XML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from polyhead.columns.image_values import ENDINGS
from polyhead.errors import DataError, Problem, listed, place, shown, similar
from polyhead.readers.annotations import number_of
from polyhead.readers.findings import SHOWN, Findings
from polyhead.readers.other_formats import fix_for_xml
from polyhead.readers.paths import Root, searched_folders

IMAGES = ("jpegimages", "images", "image", "imgs", "img")
ANNOTATIONS = ("annotations", "annotation", "xmls", "xml", "labels")


class VocFolders(NamedTuple):
    """The folders of the images and of the XML files; the latter may be None."""

    images: Root
    annotations: Root | None

    @property
    def beside(self) -> bool:
        """True if XML files are in the folder of images or its subfolders."""
        inside = self.images.path.rstrip(os.sep) + os.sep
        return self.annotations is not None and f"{self.annotations.path}{os.sep}".startswith(inside)

    def xmls(self) -> list[str]:
        """List the names of the XML files."""
        return [] if self.annotations is None else self.annotations.files((".xml",))[0]

    def xml(self, stem: str) -> str:
        """Return the path of an XML file, whose extension may be in capital letters."""
        assert self.annotations is not None
        path = os.path.join(self.annotations.path, stem)
        capital = not os.path.exists(f"{path}.xml") and os.path.exists(f"{path}.XML")
        return f"{path}.XML" if capital else f"{path}.xml"


class VocEntry(NamedTuple):
    """An image: its path, and its XML file with the root element, or None."""

    image: str
    xml: str | None
    tree: Element | None


def voc_folders(home: Root, images: Any, annotations: Any) -> VocFolders:
    """Find the folders that the user gave, or the usual ones. Raises `DataError` if none of these exists."""
    with os.scandir(home.path) as entries:
        contents = sorted((e.name, e.is_dir()) for e in entries if not e.name.startswith("."))
    folders = {name.lower(): name for name, folder in contents if folder}
    files = [name.lower() for name, folder in contents if not folder]

    def named(path: Any, usual: tuple[str, ...], endings: tuple[str, ...], argument: str) -> Root | None:
        if path is not None:
            return home.below(path, f"read_voc({argument}=)")
        name = next((folders[folder] for folder in usual if folder in folders), None)
        if name is None and not any(file.endswith(endings) for file in files):
            return None
        return home.below(name or "", f"read_voc({argument}=)")

    pictures = named(images, IMAGES, ENDINGS, "images")
    xml_folder = named(annotations, ANNOTATIONS, (".xml",), "annotations")
    if pictures is None:
        expected = "folders such as JPEGImages and Annotations, or images next to their XML files"
        found = ", ".join(name for name, _ in contents[:6]) or "an empty folder"
        near = (
            folder
            for folder in searched_folders(home.path)
            if os.path.isdir(os.path.join(folder, "JPEGImages"))
        )
        inner = next(near, None)
        fix = "Give their folders: read_voc(images=..., annotations=...)."
        fix = fix if inner is None else f"Say read_voc({inner!r})."
        raise DataError(Problem(f"read_voc(root), {place(file=home.path)}", expected, found, fix, "folder"))
    if xml_folder is None and any(name.lower().endswith(".xml") for name in os.listdir(pictures.path)):
        xml_folder = pictures
    if annotations is None and (xml_folder is None or not _has_annotations(xml_folder.path)):
        other = next(
            (name for name in folders.values() if _has_annotations(os.path.join(home.path, name))), None
        )
        if other is not None:  # no image would be annotated
            expected = "XML files in a folder such as Annotations, or next to their images"
            where, fix = f"read_voc(root), {place(file=home.path)}", f"Say read_voc(annotations={other!r})."
            raise DataError(Problem(where, expected, f"XML files in {other}", fix, "folder"))
    return VocFolders(pictures, xml_folder)


def _has_annotations(folder: str) -> bool:
    """Return whether there are XML files in a folder or its subfolders."""
    return any(name.lower().endswith(".xml") for _, _, names in os.walk(folder) for name in names)


class _EntityError(Exception):
    pass


def parsed(path: str, findings: Findings) -> Element | None:
    """Parse an XML file; None, with an error recorded, if it is invalid or defines entities, which can be malicious."""
    where = place(file=path)
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse
    try:
        with open(path, "rb") as file:
            parser.ParseFile(file)
        tree = builder.close()
    except _EntityError:
        expected = "XML without custom entities, which can expand without limit"
        findings.add("xml-entity", where, expected, "an <!ENTITY>", "Take it out.")
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        findings.add("xml", where, "XML", str(error))
    except OSError as error:
        findings.add("xml", where, "a readable file", error.strerror or str(error))
    else:
        if tree.tag == "annotation":
            return tree
        findings.add("xml", where, "an <annotation>", f"<{tree.tag}>", fix_for_xml(tree.tag))
    return None


def _refuse(*declaration: Any) -> None:
    raise _EntityError


_EDGES = ("xmin", "ymin", "xmax", "ymax")
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_UNSAID = ("", "unspecified", "none", "null")
MARKS = ("truncated", "occluded", "pose")


class VocObject(NamedTuple):
    """An object: the index of its image's entry, its location for errors, and its values in the XML."""

    entry: int
    where: str
    name: str
    box: list[Any]
    difficult: bool
    marks: dict[str, Any]


def objects_of(
    entries: Sequence[VocEntry], names: Sequence[str] | None, findings: Findings
) -> tuple[list[VocObject], list[int]]:
    """Read the objects of XML files; also return the index of the entry of each unusable object.

    Args:
        names: the valid names, or None.
    """
    objects: list[VocObject] = []
    dropped: list[int] = []
    empty = 0
    for number, entry in enumerate(entries):
        nodes = [] if entry.tree is None else entry.tree.findall("object")
        for i, node in enumerate(nodes, 1):
            if not "".join(node.itertext()).strip():
                empty += 1
                continue
            voc_object = _object(number, f"{place(file=entry.xml)}, object {i}", node, names, findings)
            if voc_object is None:
                dropped.append(number)
            else:
                objects.append(voc_object)
    if empty:
        findings.note(f"{empty:,} empty <object> skipped")
    return objects, dropped


def _object(
    number: int, where: str, node: Element, names: Sequence[str] | None, findings: Findings
) -> VocObject | None:
    name = (node.findtext("name") or "").strip()
    if not name:
        findings.leave_out("category", where, "a <name>", "none")
        return None
    if names is not None and name not in names:
        # comparing all names takes long
        hint = similar(name, names) if findings.count("category") < SHOWN else ""
        findings.leave_out("category", where, f"one of {listed(names, 8)}", shown(name), hint)
        return None
    box = node.find("bndbox")
    if box is None:
        findings.leave_out("box", where, "a <bndbox> of xmin, ymin, xmax, ymax", "none")
        return None
    edges = [number_of(box.findtext(edge)) for edge in _EDGES]
    words = {mark: (node.findtext(mark) or "").strip() for mark in ("difficult", *MARKS)}
    marks = {mark: _mark_value(mark, word) for mark, word in words.items()}
    hard = marks.pop("difficult")
    if hard is None and words["difficult"].lower() not in _UNSAID:
        found, dropped = shown(words["difficult"]), findings.invalid == "drop"
        fix = "It is taken as 0."
        findings.add("difficult", where, "0 or 1 as <difficult>", found, fix, warning=dropped)
    return VocObject(number, where, name, edges, bool(hard), marks)


def _mark_value(mark: str, word: str) -> Any:
    """Return the value of a mark, or None if it is unspecified."""
    if word.lower() in _UNSAID:
        return None
    return word if mark == "pose" else _TRUTHS.get(word.lower())


def mark_columns(objects: Sequence[VocObject]) -> dict[str, list[Any]]:
    """Make a column for each mark that any object has."""
    columns = {mark: [o.marks[mark] for o in objects] for mark in MARKS}
    return {mark: values for mark, values in columns.items() if any(value is not None for value in values)}
