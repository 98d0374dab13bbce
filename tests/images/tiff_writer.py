"""TIFFs of every make, written by hand: what Pillow does not write, and with nothing left to a library."""

import lzma
import struct
import zlib
from functools import partial

import numpy as np
import pyarrow as pa


def tiff(
    pixels,
    *,
    photometric=None,
    extra=None,
    order="<",
    compression="none",
    planar=False,
    tile=None,
    rows=None,
    predictor=1,
    bits=None,
    orientation=None,
    big=False,
    reverse=False,
    tags=(),
    pages=1,
):
    """Encode ``(H, W, bands)`` as a TIFF; of several pages each is the same but for one added to its numbers."""
    start = (b"II" if order == "<" else b"MM") + (
        struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    )
    out = bytearray(start)
    link = len(out) - (8 if big else 4)
    for page in range(pages):
        entries, chunks = _page(
            pixels + pixels.dtype.type(page), photometric, extra, order, compression, planar, tile, rows, predictor,
            bits, orientation, reverse,
        )  # fmt: skip
        offsets = []
        for chunk in chunks:
            offsets.append(len(out))
            out += chunk
        wide = tile is not None
        entries[324 if wide else 273] = ("I", offsets)
        entries[325 if wide else 279] = ("I", [len(chunk) for chunk in chunks])
        entries.update(dict(tags))
        out += bytes(len(out) % 2)
        struct.pack_into(order + ("Q" if big else "I"), out, link, len(out))
        link = _directory(out, entries, order, big)
    return bytes(out)


def _page(
    pixels, photometric, extra, order, compression, planar, tile, rows, predictor, bits, orientation, reverse
):
    height, width, bands = pixels.shape
    size = bits or pixels.dtype.itemsize * 8
    if photometric is None:
        photometric = 2 if bands in (3, 4) else 1
    colors = 3 if photometric == 2 else 1
    extra = [0] * (bands - colors) if extra is None else extra
    entries = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [size] * bands),
        259: ("H", [CODES[compression]]),
        262: ("H", [photometric]),
        277: ("H", [bands]),
        284: ("H", [2 if planar else 1]),
        339: ("H", [{"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]] * bands),
    }
    if extra:
        entries[338] = ("H", extra)
    if predictor > 1:
        entries[317] = ("H", [predictor])
    if orientation:
        entries[274] = ("H", [orientation])
    if reverse:
        entries[266] = ("H", [2])
    if tile:
        entries[322], entries[323] = ("I", [tile[1]]), ("I", [tile[0]])
    else:
        entries[278] = ("I", [rows or height])
    chunks = []
    for plane in np.split(pixels, bands, 2) if planar else [pixels]:
        for part in _parts(plane, tile, rows or height):
            data = _packed(part, order, predictor, bits)
            data = PACK[compression](data)
            chunks.append(bytes(int(f"{b:08b}"[::-1], 2) for b in data) if reverse else data)
    return entries, chunks


def _parts(plane, tile, rows):
    height, width, bands = plane.shape
    if tile is None:
        return [plane[y : y + rows] for y in range(0, height, rows)]
    down, across = -(-height // tile[0]), -(-width // tile[1])
    full = np.zeros((down * tile[0], across * tile[1], bands), plane.dtype)
    full[:height, :width] = plane
    return [
        full[y : y + tile[0], x : x + tile[1]]
        for y in range(0, len(full), tile[0])
        for x in range(0, full.shape[1], tile[1])
    ]


def _packed(part, order, predictor, bits):
    height, width, bands = part.shape
    if bits:
        high_first = part.astype(part.dtype.newbyteorder(">")).reshape(-1, 1).view(np.uint8)
        flags = np.unpackbits(high_first, axis=1)[:, -bits:]
        return np.packbits(flags.reshape(height, -1), axis=1).tobytes()
    size = part.dtype.itemsize
    if predictor == 2:
        whole = np.ascontiguousarray(part).view(f"u{size}")
        part = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], 1)
    if predictor == 3:
        planes = np.ascontiguousarray(part.astype(part.dtype.newbyteorder(">"))).view(np.uint8)
        planes = planes.reshape(height, width * bands, size).transpose(0, 2, 1).reshape(height, -1)
        return np.concatenate([planes[:, :bands], planes[:, bands:] - planes[:, :-bands]], 1).tobytes()
    return part.astype(part.dtype.newbyteorder(order)).tobytes()


def _directory(out, entries, order, big):
    at = len(out)
    size, form = (20, "HHQ") if big else (12, "HHI")
    room = 8 if big else 4
    values = at + (8 if big else 2) + size * len(entries) + room
    table, behind = b"", b""
    for tag, (kind, numbers) in sorted(entries.items()):
        data = numbers if kind == "B" else struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        code = {"B": 1, "H": 3, "I": 4}[kind]
        table += struct.pack(order + form, tag, code, len(numbers))
        if len(data) <= room:
            table += data.ljust(room, b"\0")
        else:
            table += struct.pack(order + ("Q" if big else "I"), values + len(behind))
            behind += data + bytes(len(data) % 2)
    out += struct.pack(order + ("Q" if big else "H"), len(entries)) + table + bytes(room) + behind
    return values - room


def _packbits(data):
    """Runs of literals: as long as the rules have it, if not short."""
    parts = (data[i : i + 128] for i in range(0, len(data), 128))
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def _lzw(data):
    """Codes of 9 bits: the table is begun anew before it needs more."""
    codes = np.frombuffer(data, np.uint8).astype(">u2")
    codes = np.append(np.insert(codes, range(0, len(codes), 200), 256), 257).astype(">u2")
    return np.packbits(np.unpackbits(codes.reshape(-1, 1).view(np.uint8), axis=1)[:, 7:]).tobytes()


CODES = {
    "none": 1,
    "lzw": 5,
    "deflate": 8,
    "deflate of Adobe": 32946,
    "packbits": 32773,
    "lzma": 34925,
    "zstd": 50000,
}
PACK = {
    "none": bytes,
    "lzw": _lzw,
    "deflate": zlib.compress,
    "deflate of Adobe": zlib.compress,
    "packbits": _packbits,
    "lzma": partial(lzma.compress, preset=0),
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
}
