"""Reads the pixels of TIFFs as stored: strips or tiles, any number of bands, 1 to 64 bits.

Pillow and OpenCV fail on some of these (bands besides RGB, several 16-bit bands, small tiles), so Pillow is used only
where it is reliable: to decompress LZW and PackBits, and for CMYK, YCbCr, fax and JPEG.

Sources: TIFF 6.0; Adobe's technical notes on Photoshop TIFF (deflate) and on the predictor of floats.
"""

from __future__ import annotations

import itertools
import lzma
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from polyhead.images.channels import Samples, over_full_range
from polyhead.images.content import Broken, Content
from polyhead.images.directories import ORIENTATION, Directories, Directory
from polyhead.images.pillow_files import opened, samples_of

_PLAIN, _LZW, _PACKBITS, _LZMA, _ZSTD, _DEFLATE = 1, 5, 32773, 34925, 50000, (8, 32946)
_BYTES = (_PLAIN, _LZW, _PACKBITS, _LZMA, _ZSTD, *_DEFLATE)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = range(4)
_PACKED = (1, 2, 4, 10, 12, 14)
"""Bit depths of samples that are packed without padding, highest bit first."""

_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_LARGEST_DICTIONARY = 1 << 27
_BITS_AT_ONCE = 1 << 24


class TiffLayout(NamedTuple):
    """How the pixels of a TIFF are stored."""

    height: int
    width: int
    bands: int
    bits: int
    kind: str
    order: str
    photometric: int
    extra: tuple[int, ...]
    compression: int
    predictor: int
    reversed: bool
    planes: int
    rows: int
    columns: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    palette: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a strip or tile."""
        return -(-self.columns * (self.bands // self.planes) * self.bits // 8)

    @property
    def tiled(self) -> bool:
        """True if there are several side by side; tiles as wide as the image are read as strips."""
        return self.columns != self.width

    @property
    def across(self) -> int:
        """Strips or tiles side by side."""
        return -(-self.width // self.columns)

    @property
    def down(self) -> int:
        """Strips or tiles one below the other."""
        return -(-self.height // self.rows)


def read_tiff(data: bytes, page: int, ids: bool = False) -> Samples:
    """Read the pixels of a page as stored, not turned upright.

    Args:
        page: the page, from 0 on.
        ids: keep palette indices, and do not scale low bit depths to 0–255.

    Raises:
        Broken: for damaged files and unsupported storage.
    """
    tiff = Directories(Content(data))
    page_entry = next(itertools.islice(tiff.pages(), page, None), None)
    if page_entry is None:
        raise Broken(f"a TIFF without page {page}")
    index, directory = page_entry
    layout = _layout(tiff, directory)
    if layout is None:
        return _through_pillow(data, tiff, directory, index, ids)
    return _as_samples(_samples_in(data, layout), layout, ids)


def _layout(tiff: Directories, directory: Directory) -> TiffLayout | None:
    """Parse how a page is stored; None if Pillow must decode it."""

    def number(tag: int, default: int) -> int:
        return tiff.number(directory, tag, default)

    height, width, bands = number(257, 0), number(256, 0), number(277, 1)
    bits = tiff.numbers(directory, 258) or (1,)
    formats = tiff.numbers(directory, 339) or (1,)
    photometric = number(262, _RGB if bands in (3, 4) else _BLACK_IS_ZERO)
    compression = number(259, 1)
    if not 1 <= bands <= 4096 or len(set(bits)) > 1 or len(set(formats)) > 1:
        raise Broken(f"a TIFF of {bands} bands with {', '.join(map(str, bits[:8]))} bits")
    if compression not in _BYTES or photometric > _PALETTE or (photometric == _PALETTE and bands > 1):
        if bits[0] > 8:
            raise Broken(f"a TIFF of {bits[0]} bits with compression {compression}, colors {photometric}")
        return None
    kind = _KINDS.get(formats[0], "")
    fills_bytes = bits[0] in (8, 16, 32, 64) and (kind != "f" or bits[0] > 8)
    if not kind or not (fills_bytes or (bits[0] in _PACKED and kind == "u")):
        raise Broken(f"a TIFF with {bits[0]} bits a sample of format {formats[0]}")
    planes = bands if number(284, 1) == 2 else 1
    tiled = 322 in directory.tags
    rows, columns = (number(323, 0), number(322, 0)) if tiled else (min(number(278, height), height), width)
    if (
        not 0 < rows <= 1 << 27
        or not 0 < columns <= 1 << 27
        or rows * columns > 4 * max(1 << 20, height * width)
    ):
        raise Broken(f"a TIFF with strips or tiles of {rows} x {columns}")
    offsets = tiff.numbers(directory, 324 if tiled else 273)
    counts = tiff.numbers(directory, 325 if tiled else 279)
    predictor = number(317, 1)
    if (
        predictor not in (1, 2, 3)
        or (predictor == 2 and bits[0] in _PACKED)
        or (predictor == 3 and kind != "f")
    ):
        raise Broken(f"a TIFF with predictor {predictor} of {bits[0]} bits")
    if photometric == _RGB and bands < 3:
        raise Broken(f"a TIFF with colors of {bands} bands")
    return TiffLayout(
        height, width, bands, bits[0], kind, tiff.order, photometric, tiff.numbers(directory, 338),
        compression, 1 if compression == _PLAIN else predictor, number(266, 1) == 2, planes, rows, columns, offsets,
        counts, tiff.numbers(directory, 320),
    )  # fmt: skip


# From bytes to numbers ------------------------------------------------------------------------------


def _samples_in(data: bytes, layout: TiffLayout) -> np.ndarray:
    """Read all samples, ``(H, W, bands)``, in their stored dtype or the next larger one."""
    count = layout.across * layout.down
    if len(layout.offsets) < count * layout.planes:
        found = f"{len(layout.offsets):,} of {count * layout.planes:,} strips or tiles"
        raise Broken(f"a TIFF with {found}")
    planes = [
        _plane(data, layout, slice(plane * count, (plane + 1) * count)) for plane in range(layout.planes)
    ]
    return planes[0] if len(planes) == 1 else np.concatenate(planes, 2)


def _plane(data: bytes, layout: TiffLayout, part: slice) -> np.ndarray:
    """Read the samples of some strips or tiles."""
    offsets, counts = layout.offsets[part], layout.counts[part]
    sizes = [layout.rows * layout.row_bytes] * len(offsets)
    if not layout.tiled:  # the last strip has the remaining rows
        sizes[-1] = (layout.height - (layout.down - 1) * layout.rows) * layout.row_bytes
    if layout.compression == _PLAIN or len(counts) != len(offsets):
        counts = tuple(sizes)
    chunks = []
    for offset, count in zip(offsets, counts, strict=True):
        if offset + count > len(data) or not count:
            found = f"{offset + count:,} of {len(data):,} bytes"
            raise Broken(f"a TIFF that ends within its pixels, at {found}")
        chunk = data[offset : offset + count]
        chunks.append(chunk.translate(_REVERSED) if layout.reversed else chunk)
    rows = _decompressed(chunks, sizes, layout).reshape(-1, layout.row_bytes)
    return _assembled(_samples(rows, layout), layout)


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _decompressed(chunks: list[bytes], sizes: list[int], layout: TiffLayout) -> np.ndarray:
    """Decompress all strips or tiles and concatenate their bytes; ``sizes`` are their decompressed sizes.

    Raises:
        Broken: if a strip or tile is damaged or too short.
    """
    if layout.compression in (_LZW, _PACKBITS):
        return _decompressed_by_pillow(chunks, sum(sizes), layout)
    expanded = []
    try:
        for chunk, size in zip(chunks, sizes, strict=True):
            expanded.append(_expanded(chunk, size, layout.compression))
            if len(expanded[-1]) < size:
                raise Broken(f"a TIFF with {len(expanded[-1]):,} of {size:,} bytes in a strip or tile")
    except (zlib.error, lzma.LZMAError, OSError, EOFError, MemoryError) as error:
        raise Broken(f"a TIFF that does not decode ({error})") from None
    return np.frombuffer(expanded[0] if len(expanded) == 1 else b"".join(expanded), np.uint8)


def _expanded(chunk: bytes, size: int, compression: int) -> bytes:
    if compression == _PLAIN:
        return chunk
    if compression == _LZMA:
        return lzma.LZMADecompressor(memlimit=_LARGEST_DICTIONARY).decompress(chunk, size)
    if compression == _ZSTD:
        import pyarrow as pa

        return bytes(pa.Codec("zstd").decompress(chunk, size))
    return zlib.decompressobj().decompress(chunk, size)


def _decompressed_by_pillow(chunks: Sequence[bytes], size: int, layout: TiffLayout) -> np.ndarray:
    """Decompress strips or tiles with Pillow, by presenting them as the strips of an 8-bit gray image."""
    count = len(chunks)
    rows, start = size // layout.row_bytes, 8
    table = 8 + 2 + 9 * 12 + 4
    offsets = np.cumsum([table + 8 * count, *map(len, chunks[:-1])], dtype=np.uint32)
    counts = np.array([len(chunk) for chunk in chunks], np.uint32)
    tags = [(256, layout.row_bytes), (257, rows), (258, 8), (259, layout.compression), (262, 1)]
    tags += [(273, table if count > 1 else int(offsets[0])), (277, 1), (278, layout.rows)]
    tags += [(279, table + 4 * count if count > 1 else int(counts[0]))]
    numbers = {273: count, 279: count}
    entries = b"".join(struct.pack("<HHII", tag, 4, numbers.get(tag, 1), value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", start, len(tags)) + entries + bytes(4)
    built = b"".join([head, offsets.tobytes(), counts.tobytes(), *chunks])
    return np.asarray(opened(built, "TIFF", (rows, layout.row_bytes))).reshape(-1)


def _samples(rows: np.ndarray, layout: TiffLayout) -> np.ndarray:
    """Convert rows of bytes to rows of samples, ``(rows, columns, bands)``."""
    bands = layout.bands // layout.planes
    if layout.bits in _PACKED:
        return _unpacked_bits(rows, layout, bands)
    size = layout.bits // 8
    if layout.predictor == 3:
        summed = np.cumsum(rows.reshape(len(rows), -1, bands), axis=1, dtype=np.uint8)
        by_sample = summed.reshape(len(rows), size, -1).transpose(0, 2, 1)
        samples = np.ascontiguousarray(by_sample).view(f">f{size}")
    elif layout.predictor == 2:
        stored = rows.view(f"{layout.order}u{size}").reshape(len(rows), layout.columns, bands)
        summed = np.cumsum(stored, axis=1, dtype=f"u{size}")
        samples = summed.view(f"{layout.kind}{size}")
    else:
        samples = rows.view(f"{layout.order}{layout.kind}{size}")
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return samples.reshape(len(rows), layout.columns, bands)


def _unpacked_bits(rows: np.ndarray, layout: TiffLayout, bands: int) -> np.ndarray:
    """Unpack samples that do not fill bytes, a few rows at a time, as each bit temporarily takes a byte."""
    shape = (len(rows), layout.columns, bands)
    samples = np.zeros(shape, np.uint8 if layout.bits < 8 else np.uint16)
    across = layout.columns * bands * layout.bits
    step = max(1, _BITS_AT_ONCE // max(1, across))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        bits = np.unpackbits(rows[part], axis=1)[:, :across].reshape(-1, *shape[1:], layout.bits)
        for k in range(layout.bits):
            samples[part] = samples[part] << 1 | bits[..., k]
    return samples


def _assembled(samples: np.ndarray, layout: TiffLayout) -> np.ndarray:
    """Put tiles side by side."""
    if not layout.tiled:
        return samples
    shape = (layout.down, layout.across, layout.rows, layout.columns, samples.shape[2])
    tiles = samples.reshape(shape).transpose(0, 2, 1, 3, 4)
    pixels = tiles.reshape(layout.down * layout.rows, layout.across * layout.columns, -1)
    return np.ascontiguousarray(pixels[: layout.height, : layout.width])


# What the numbers mean ------------------------------------------------------------------------------


def _as_samples(numbers: np.ndarray, layout: TiffLayout, ids: bool) -> Samples:
    if layout.photometric == _PALETTE:
        return Samples(numbers, "gray") if ids else Samples(_colored(numbers, layout), "rgb")
    top = (1 << layout.bits) - 1
    if layout.bits in _PACKED and not ids:
        numbers = over_full_range(numbers, top)
        top = 255 if layout.bits < 8 else 65535
    if layout.photometric == _WHITE_IS_ZERO and layout.kind == "u":
        numbers = numbers.dtype.type(top) - numbers
    alpha = layout.extra[:1] in ((1,), (2,))
    if layout.photometric == _RGB:
        if layout.bands > 3 and layout.extra[:1] == (1,) and not ids:
            numbers = _straight(numbers)
        return Samples(numbers, "rgb", layout.bands > 3 and (alpha or not layout.extra))
    if layout.bands == 1 or (layout.bands == 2 and alpha):
        return Samples(numbers, "gray", alpha)
    return Samples(numbers, "bands")


def _colored(indices: np.ndarray, layout: TiffLayout) -> np.ndarray:
    colors = np.array(layout.palette, np.uint16)
    if layout.bits > 8 or len(colors) != 3 << layout.bits:
        raise Broken(f"a TIFF with a palette of {len(colors)} numbers for {layout.bits} bits")
    return (colors >> 8).astype(np.uint8).reshape(3, -1).T[indices[..., 0]]


def _straight(pixels: np.ndarray) -> np.ndarray:
    """Convert premultiplied alpha to straight alpha."""
    if pixels.dtype.kind != "u":
        return pixels
    top = np.iinfo(pixels.dtype).max
    alpha = pixels[..., 3:4]
    full = np.minimum(pixels[..., :3].astype(np.uint64) * np.uint64(top) // np.maximum(alpha, 1), top)
    colors = np.where(alpha == 0, pixels[..., :3], full.astype(pixels.dtype))
    return np.concatenate([colors, pixels[..., 3:]], 2)


def _through_pillow(data: bytes, tiff: Directories, directory: Directory, index: int, ids: bool) -> Samples:
    """Read CMYK, YCbCr, fax and JPEG with Pillow, as stored (not turned upright)."""
    if ORIENTATION in directory.tags:
        tag = directory.tags[ORIENTATION]
        size = struct.calcsize("=" + {3: "H", 4: "I"}.get(tag.type, "B"))
        upright = (1).to_bytes(size, "little" if tiff.order == "<" else "big")
        data = data[: tag.offset] + upright + data[tag.offset + size :]
    height, width = tiff.number(directory, 257, 0), tiff.number(directory, 256, 0)
    image: Any = opened(data, "TIFF", (height, width), index)
    return samples_of(image, ids)
