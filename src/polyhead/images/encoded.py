"""Reads encoded images and checks their headers before any pixel is decoded."""

from __future__ import annotations

import glob
import ntpath
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from polyhead.columns.image_values import content, file_of, is_pillow, names_image
from polyhead.errors import DataError, Problem, place
from polyhead.foreign_errors import GIT_LFS
from polyhead.images.content import Broken, Content, Header, NoPage
from polyhead.images.headers import parse
from polyhead.images.pillow_files import Held, rare_header

Encoded = Any
"""Bytes, also as a uint8 array ``(n,)``; a path; or a Pillow image."""

FORMATS = "JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF, JPEG 2000, PGM, PPM or PFM"

MAX_PIXELS = 1 << 27
"""The largest image that is decoded by default: 134 million pixels, 400 MB as RGB."""


def read_encoded(source: Encoded, where: str) -> tuple[bytes | Held, str]:
    """Return the bytes of a file, or an image in memory, and its location in errors, with the name of the file.

    Raises:
        DataError: for an unreadable source.
    """
    if is_pillow(source):
        return _of_pillow(source, where)
    data: bytes | Held
    if isinstance(source, (bytes, Held)):
        data = source
    elif isinstance(source, (str, os.PathLike)):
        where = file_place(source, where)
        data = read_file(source, where)
    elif isinstance(source, (bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.ndim == 1:
        data = source.tobytes()
    else:
        raise refusal(where, "encoded bytes or a path", type(source).__name__)
    return data, where


def _of_pillow(image: Any, where: str) -> tuple[bytes | Held, str]:
    """Like `read_encoded`, for a Pillow image: the bytes of its file if it is not decoded yet, else its pixels."""
    file = file_of(image)
    where = file_place(file, where) if file and not where.endswith(place(file=file)) else where
    data = content(image)
    if data is not None:
        return data, where
    try:
        return Held(image), where
    except Broken as error:
        fix = "Call image.load() before its file is closed, or give the path of the file."
        raise damage(where, "an image of Pillow whose pixels can be read", str(error), fix) from error


def read_file(path: Any, where: str) -> bytes:
    """Read the bytes of a file; ``where`` is its location in errors.

    Raises:
        DataError: if it cannot be read.
    """
    with _reading(path, where) as file:
        return file.read()


@contextmanager
def _reading(path: Any, where: str) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            yield file
    except DataError:
        raise
    except (OSError, TypeError, ValueError) as error:  # ValueError: a path with a null character
        found = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise damage(where, "a file that can be read", found, _fix_of_path(path)) from error


def _fix_of_path(path: Any) -> str:
    """Suggest a fix for what is no path, or for a relative one that does not exist; an empty string for others."""
    if not isinstance(path, (str, os.PathLike)):
        return ""
    name = os.fspath(path)
    if isinstance(name, str) and name != name.strip() and os.path.exists(name.strip()):
        return "Leave out the spaces around it: [name.strip() for name in column]."
    if name.startswith("data:"):
        return 'Decode them: [base64.b64decode(text.partition(",")[2]) for text in column].'
    if is_base64(name):
        return _FROM_BASE64
    if os.path.isabs(name) or os.path.exists(name):
        return ""
    if not name:
        return "Leave out rows without an image; give None for a label without a file."
    if " " in name and name.replace(" ", "").isdigit():
        return (
            'Numbers as text are not read: make arrays of pixels, np.array(text.split(), "uint8").reshape(height, '
            "width); draw run lengths as arrays (H, W)."
        )
    if name.startswith("file://"):
        return 'Give plain paths: [name.removeprefix("file://") for name in column].'
    if name.startswith("~"):
        return "Give whole paths: [os.path.expanduser(name) for name in column]."
    if os.path.expandvars(name) != name:
        return "Give whole paths: [os.path.expandvars(name) for name in column]."
    if "://" in name:
        return "Download it: files are read from disk."
    if glob.has_magic(name) and glob.glob(name):
        return "Give the files that the pattern means: sorted(glob.glob(pattern))."
    if "\\" in name and os.sep != "\\":
        plain = 'name.replace("\\\\", "/")'
        drive, _ = ntpath.splitdrive(name)
        moved = f'.replace("{drive}/old/folder", folder)' if drive else ""
        return f"It is a path of Windows. Turn it into one of this computer: [{plain}{moved} for name in column]."
    return (
        f"The working directory is {os.getcwd()}. If the files are in another folder, put it before their names: "
        "[os.path.join(folder, name) for name in column]."
    )


_BASE64 = ("iVBORw0KGgo", "/9j/4", "/9j/2", "R0lGODlh", "R0lGODdh", "UklGR", "SUkqA", "TU0AK")
"""How a PNG, JPEG, GIF, WebP or TIFF begins in base64."""


def is_base64(text: str) -> bool:
    """Return whether a text is an image in base64, or its data URI."""
    return text.startswith((*_BASE64, "data:image/"))


_FROM_BASE64 = "They are in base64; decode them: [base64.b64decode(text) for text in column]."


_OTHER_FORMATS = (
    (128, b"DICM", "a DICOM file", "pydicom"),
    (0, b"\x1f\x8b", "a gzip file, such as .nii.gz", "nibabel"),
    (0, b"PK\x03\x04", "a ZIP file, such as .npz", "numpy.load"),
    (0, b"\x89HDF", "an HDF5 file", "h5py"),
    (0, b"#?RADIANCE", "a Radiance HDR file", "cv2.imread"),
    (0, b"v/1\x01", "an OpenEXR file", "OpenEXR"),
    (0, b"%PDF", "a PDF file", "pdf2image"),
    (4, b"ftyp", "a video", "cv2.VideoCapture"),
    (344, b"n+1", "a NIfTI file", "nibabel"),
)
"""Formats that are not read: where their files have which bytes, and what reads them."""


def _fix_of_bytes(data: bytes) -> str:
    """Suggest a fix for bytes that are no image, but text or another format; an empty string for others."""
    for start, mark, format, reader in _OTHER_FORMATS:
        if data[start : start + len(mark)] == mark:
            return f"It is {format}: read it into an array, for example with {reader}, and give arrays."
    if data.startswith(GIT_LFS):
        return "It is a pointer of Git LFS: run git lfs pull."
    if b"<svg" in data[:512]:
        return "It is an SVG drawing: convert it to PNG."
    if data.startswith(tuple(start.encode() for start in _BASE64)):
        return _FROM_BASE64
    if len(data) <= 1024 and names_image(data.decode("ascii", "replace")):
        return "If they are paths, give text: [name.decode() for name in column]."
    return ""


def file_place(path: Any, where: str) -> str:
    """Add a file to a location in errors."""
    file = place(file=str(path))
    return f"{where}, {file}" if where else file


def header_of(source: Encoded, *, page: int = 0, where: str = "") -> Header:
    """Read the header of an image; of a file no more than its header.

    Raises:
        DataError: for a file that is missing, empty, not an image, or has no such page.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a.gif"
    >>> _ = file.write_bytes(b"GIF89a" + bytes([5, 0, 3, 0]))
    >>> header_of(file).size
    (3, 5)
    """
    if isinstance(source, (str, os.PathLike)):
        where = file_place(source, where)
        with _reading(source, where) as file:
            return header_in(Content(file), page, where)
    data, where = read_encoded(source, where)
    return header_in(data, page, where)


def header_in(data: bytes | Content | Held, page: int, where: str) -> Header:
    """Read the header of an image. Raises `DataError` if the data is not an image or has no such page."""
    data = Content(data) if isinstance(data, bytes) else data
    if isinstance(data, Content) and not data.size:
        raise damage(where, "an image", "no bytes")
    try:
        header = data.header if isinstance(data, Held) else parse(data, page) or rare_header(data)
    except NoPage as error:
        raise no_page(error, page, where) from None
    except Broken as error:
        raise damage(where, "an image with a whole header", str(error)) from None
    if header is None:
        assert isinstance(data, Content)
        found = f"{data.size} bytes that begin with {data.peek(0, 8)!r}"
        raise damage(where, f"an image ({FORMATS})", found, _fix_of_bytes(data.peek(0, 1025)))
    if not header.height or not header.width:
        raise damage(where, "an image", f"a size of {header.width} x {header.height} pixels")
    return header


def checked_header(
    data: bytes | Held, max_pixels: int | None, page: int | None, where: str, layer: str
) -> Header:
    """Read the header of an image or mask, and check that it is safe to decode."""
    header = header_in(data, page or 0, where)
    if not isinstance(data, Held):
        found = f"{header.width} x {header.height} in {len(data)} bytes"
        if header.height * header.width > (MAX_PIXELS if max_pixels is None else max_pixels):
            fix = "If the size is right, say ph.Image(max_pixels=...), or shrink the image first."
            raise refusal(where, f"at most {max_pixels or MAX_PIXELS:,} pixels", found, fix)
        if max_pixels is None and _cost(header) > max(_FREE, _LEAST_SHARE * len(data)):
            fix = "The file is damaged, or has a single color; then say ph.Image(max_pixels=...)."
            raise refusal(where, "a file as large as its image", found, fix)
    _require_one(header, page, where, layer)
    return header


def _require_one(header: Header, page: int | None, where: str, layer: str) -> None:
    """Raise if a file has several pages and ``page`` is None, or if the page does not exist."""
    if page and header.pages == 1:
        raise no_page(NoPage(header.format, 1), page, where)
    if page is None and header.pages > 1:
        found = f"a TIFF of {header.pages} pages" if header.format == "TIFF" else "an animation"
        fix = "Say ph.Image(page=0) for the first of them, or save each as a separate file."
        fix = fix if layer == "image" else f"Save the {layer} as a separate file."
        raise refusal(where, f"one {layer}", found, fix)


def _cost(header: Header) -> int:
    """Estimate the bytes that decoding needs."""
    sample = -(-header.bits // 8)
    if header.format == "PNG":
        pixel = (1, 1, 3, 4, 2, 1, 4)[min(header.color_type or 0, 6)] * sample
    else:
        pixel = max(_BYTES_A_PIXEL.get(header.format, 8), 2 * (header.bands or 1) * sample)
    return header.height * header.width * pixel


_BYTES_A_PIXEL = {"JPEG": 9, "BMP": 4, "PNM": 4, "TIFF": 2, "JPEG 2000": 16}
_FREE = 1 << 28
_LEAST_SHARE = 1100
"""Above 256 MB, a file must have one byte for every 1,100 decoded; deflate compresses by at most 1,032."""


def no_page(error: NoPage, page: int, where: str) -> DataError:
    """The error for a page that does not exist."""
    unit = "page" if error.pages == 1 or error.format == "TIFF" else "frame"
    article = "an" if error.format[0] in "AHIi" else "a"
    found = f"{article} {error.format} that has {error.pages:,} {unit}{'s' * (error.pages > 1)}"
    fix = "Say ph.Image(page=0)." if error.pages == 1 else f"Say a page of 0 to {error.pages - 1:,}."
    return refusal(where, f"page {page}, counted from 0", found, fix)


def refusal(where: str, expected: str, found: str, fix: str = "", code: str = "") -> DataError:
    """The error for an image that cannot be used."""
    return DataError(Problem(where or "an encoded image", expected, found, fix, code))


DAMAGED = "image"
"""The code of problems with a file that is missing, not an image, or damaged, whatever the declaration."""


def damage(where: str, expected: str, found: str, fix: str = "") -> DataError:
    """The error for an image that is damaged, so that no declaration could read it."""
    return refusal(where, expected, found, fix, DAMAGED)
