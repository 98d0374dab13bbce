"""Small files that claim to be large: each would cost gigabytes or minutes, were its claim believed."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from pillow_features import supports
from tiff_writer import tiff


def _saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _chunk(name, body, claimed=None):
    length = len(body) if claimed is None else claimed
    return struct.pack(">I", length) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width, height, bits, kind, chunks):
    size = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + b"".join(chunks) + _chunk(b"IEND", b"")


def files():
    """What they are, and the files."""
    some = np.zeros((16, 16, 3), np.uint8)
    pixels = _chunk(b"IDAT", zlib.compress(bytes(16 * 49)))
    found = {}
    for name in (b"IDAT", b"eXIf", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"PLTE", b"acTL", b"fdAT", b"abcd"):
        for claimed in (0x7F000000, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20):
            part = _chunk(name, b"\0" * 40, claimed)
            found[f"PNG: {name.decode()} of {claimed}"] = _png(16, 16, 8, 2, [part, pixels])
            found[f"PNG: {name.decode()} of {claimed} behind"] = _png(16, 16, 8, 2, [pixels, part])
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    for name, head in ((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"zTXt", b"Raw profile type exif\0\0")):
        found[f"PNG: {name.decode()} {head[:4]} unpacks to 200 MB"] = _png(
            16, 16, 8, 2, [_chunk(name, head + bomb), pixels]
        )
    for side, bits, kind in (
        (11_000, 16, 6),
        (8_000, 16, 6),
        (11_500, 8, 2),
        (1 << 17, 1, 0),
        (60_000, 8, 3),
    ):
        for height in (side, 1 << 10):
            found[f"PNG of {side} x {height}, {bits} bits, {kind}"] = _png(side, height, bits, kind, [pixels])
    moving = _chunk(b"acTL", struct.pack(">II", 1 << 30, 0))
    control = _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 11_000, 11_000, 0, 0, 1, 1, 0, 0))
    found["PNG: an animation of 1 << 30 frames"] = _png(16, 16, 8, 2, [moving, pixels])
    found["PNG: a frame larger than the image"] = _png(16, 16, 8, 2, [moving, control, pixels])
    found["PNG: one frame larger than the image"] = _png(
        16, 16, 8, 2, [_chunk(b"acTL", struct.pack(">II", 1, 0)), control, pixels]
    )
    found["PNG of a million empty parts"] = _png(16, 16, 8, 2, [_chunk(b"abcd", b"") * 1_000_000, pixels])
    for tag in (256, 257, 258, 273, 277, 278, 279, 320, 322, 338, 339, 700, 34665):
        for kind, values in (("H", [0xFFFF]), ("I", [0xFFFFFFFF]), ("I", [0x7FFFFFFF]), ("I", [1 << 27])):
            found[f"TIFF: tag {tag} is {values[0]}"] = tiff(some, tags=[(tag, (kind, values))])
    whole = tiff(some)
    at = struct.unpack_from("<I", whole, 4)[0]
    for i in range(struct.unpack_from("<H", whole, at)[0]):
        for count in (0x7FFFFFFF, 0xFFFFFFFF, 1 << 24):
            entry = at + 2 + 12 * i + 4
            found[f"TIFF: {count} values of entry {i}"] = (
                whole[:entry] + struct.pack("<I", count) + whole[entry + 4 :]
            )
    for side in (11_500, 1 << 20, 60_000):
        for compression in ("none", "deflate", "lzw", "packbits", "zstd", "lzma"):
            claims = [
                (256, ("I", [side])),
                (257, ("I", [min(side, 11_500)])),
                (278, ("I", [min(side, 11_500)])),
            ]
            found[f"TIFF of {side}, {compression}"] = tiff(some, compression=compression, tags=claims)
    found["TIFF that leads to itself"] = whole[: -4 - len(whole) + at + 2 + 12 * 11] + struct.pack("<I", at)
    lead = struct.pack("<6000I", *[8000] * 6000).ljust(2 + 96_000, b"\0")
    follow = struct.pack("<6000I", *(12 + 4 * i for i in range(6000)))
    found["TIFF of pages that lie over each other"] = b"II*\0" + struct.pack("<I", 8) + lead + follow
    found["TIFF of 5,000 pages"] = tiff(np.zeros((1, 1, 1), np.uint16), pages=5_000)
    for format, options in (("JPEG", {}), ("JPEG", {"progressive": True})):
        jpeg = bytearray(_saved(Image.fromarray(some), format, **options))
        size = jpeg.index(b"\xff\xc2" if options else b"\xff\xc0") + 5
        for side in (0xFFFF, 11_500, 5_000):
            jpeg[size : size + 4] = struct.pack(">HH", side, side)
            found[f"JPEG of {side}, {options}"] = bytes(jpeg)
    for progressive in (False, True):
        jpeg = bytearray(_saved(Image.fromarray(some), "JPEG", progressive=progressive))
        size, first = jpeg.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5, jpeg.index(b"\xff\xda")
        jpeg[size : size + 4] = struct.pack(">HH", 5_000, 5_000)
        scan = b"\xff\xda" + struct.pack(">HBBBBBBx", 8, 1, 1, 0, 0, 0 if progressive else 63, 0)
        found[f"JPEG of 20,000 scans, {progressive}"] = bytes(jpeg[:first]) + scan * 20_000 + b"\xff\xd9"
    jpeg = _saved(Image.fromarray(some), "JPEG")
    found["JPEG with a segment too long"] = jpeg[:2] + b"\xff\xe1\xff\xff" + jpeg[2:]
    found["JPEG with 8 MB between its segments"] = jpeg[:2] + bytes(8 << 20) + jpeg[2:]
    found["JPEG of a million markers"] = jpeg[:2] + b"\xff\x01" * 1_000_000 + jpeg[2:]
    for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0" + bytes(30)}):
        webp = _saved(Image.fromarray(some), "WEBP", **options)
        for claimed in (0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFF0):
            for place in (4, 16):
                found[f"WebP {options}: {claimed} at {place}"] = (
                    webp[:place] + struct.pack("<I", claimed) + webp[place + 4 :]
                )
    flat = _saved(Image.new("RGB", (16, 16)), "WEBP", lossless=True)
    for side in (8_000, 5_000):
        size = struct.unpack_from("<I", flat, 21)[0] & ~0xFFFFFFF | 16_382 | side - 1 << 14
        found[f"WebP of one color, 16,383 x {side}"] = flat[:21] + struct.pack("<I", size) + flat[25:]
    gif = _saved(Image.fromarray(some[..., 0]), "GIF")
    found["GIF of 65,535"] = gif[:6] + b"\xff\xff\xff\xff" + gif[10:]
    found["GIF of 11,500"] = gif[:6] + struct.pack("<HH", 11_500, 11_500) + gif[10:]
    at = gif.index(b"\x2c\0\0\0\0")
    found["GIF with a frame of 65,535"] = gif[: at + 5] + b"\xff\xff\xff\xff" + gif[at + 9 :]
    bmp = _saved(Image.fromarray(some), "BMP")
    for side in (11_500, 1 << 30, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000):
        found[f"BMP of {side}"] = bmp[:18] + struct.pack("<II", side, side) + bmp[26:]
        found[f"BMP of 16 x {side}"] = bmp[:22] + struct.pack("<I", side) + bmp[26:]
    for magic in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF"):
        found[f"{magic.decode()} of 11,500"] = magic + b"\n11500 11500\n255\n" + b"1 2 3 "
        found[f"{magic.decode()} of 10 ** 9"] = magic + b"\n999999999 999999999\n255\n" + b"1 2 3 "
    found["P7 of a billion bands"] = b"P7\nWIDTH 9\nHEIGHT 9\nDEPTH 999999999\nMAXVAL 255\nENDHDR\n" + bytes(
        99
    )
    exif = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)
    found["JPEG of 300 segments of Exif"] = jpeg[:2] + exif * 300 + jpeg[2:]
    if supports("jpg_2000"):
        wave = _saved(Image.fromarray(some), "JPEG2000", no_jp2=True)
        sizes = [struct.pack(">II", 4_000, 4_000), struct.pack(">II", 16, 16)]
        found["JPEG 2000 of 62,500 tiles"] = wave[:8] + sizes[0] + wave[16:24] + sizes[1] + wave[32:]
        wave = _saved(Image.fromarray(some), "JPEG2000", no_jp2=True)
        for side in (11_500, 0x7FFFFFFF, 0xFFFFFFFF):
            found[f"JPEG 2000 of {side}"] = wave[:8] + struct.pack(">II", side, side) + wave[16:]
            found[f"JPEG 2000 with a tile of {side}"] = (
                wave[:8]
                + struct.pack(">II", side, side)
                + wave[16:24]
                + struct.pack(">II", side, side)
                + wave[32:]
            )
        found["JPEG 2000 of 16,384 bands"] = wave[:40] + struct.pack(">H", 16_384) + wave[42:]
    if supports("avif"):
        avif = _saved(Image.fromarray(some), "AVIF")
        at = avif.index(b"ispe") + 8
        for side in (11_500, 0x7FFFFFFF):
            found[f"AVIF of {side}"] = avif[:at] + struct.pack(">II", side, side) + avif[at + 8 :]
    inside = _png(11_000, 11_000, 16, 6, [pixels])
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inside), 22) + inside
    found["ICO with a PNG of 11,000"] = icon
    tga = bytes([0, 0, 10]) + bytes(9) + struct.pack("<HHBB", 0xFFFF, 0xFFFF, 24, 0) + b"\xff\1\2\3" * 9
    found["TGA of 65,535"] = tga
    found["QOI of 60,000"] = b"qoif" + struct.pack(">IIBB", 60_000, 60_000, 4, 0) + b"\xfd" * 99
    found["PCX of 65,535"] = (
        b"\x0a\5\1\1" + struct.pack("<HHHH", 0, 0, 65_534, 65_534) + bytes(116) + b"\xc1" * 99
    )
    found["PSD of 30,000"] = b"8BPS" + struct.pack(">HxxxxxxHIIHH", 1, 3, 30_000, 30_000, 8, 3) + bytes(60)
    found["SGI of 65,535"] = struct.pack(">HBBHHHH", 474, 1, 1, 3, 0xFFFF, 0xFFFF, 3) + bytes(600)
    found["DDS of 60,000"] = b"DDS " + struct.pack("<IIII", 124, 4103, 60_000, 60_000) + bytes(120)
    return found
