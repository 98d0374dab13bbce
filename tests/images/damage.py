"""Damaged images: files of every format with bytes changed, cut off, put in and taken out.

Everything follows from a number, so that an input that did harm is found again: ``damaged(number)``.
"""

import io
import json
import resource
import struct
import sys
import time
import warnings
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from pillow_features import supports
from tiff_writer import CODES, tiff

from polyhead.errors import DataError
from polyhead.images.content import Broken, Content
from polyhead.images.decode import decode, decode_mask
from polyhead.images.encoded import header_of
from polyhead.images.headers import parse

SECONDS = 2.0
BYTES = 1 << 30
_FIELDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7F000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def seeds():
    """Whole files, from which the damaged ones are made."""
    rng = np.random.default_rng(0)
    colors = Image.fromarray(rng.integers(0, 256, (24, 33, 3), np.uint8))
    smooth = Image.fromarray(
        np.add.outer(np.arange(60), np.arange(80))[..., None].repeat(3, 2).astype(np.uint8)
    )
    turned = Image.Exif()
    turned[274] = 6
    found = [
        _saved(image, format, **options)
        for image in (colors, smooth)
        for format, options in (
            ("JPEG", {"exif": turned}),
            ("JPEG", {"progressive": True}),
            ("PNG", {"exif": turned}),
            ("WEBP", {"exif": turned}),
            ("WEBP", {"lossless": True}),
            ("BMP", {}),
            ("GIF", {}),
            ("PPM", {}),
            ("TGA", {"compression": "tga_rle"}),
            ("TIFF", {"compression": "jpeg"}),
        )
    ]
    modes = {"1": ("PNG", "GIF", "TIFF", "BMP"), "L": ("PNG", "TIFF", "JPEG"), "P": ("PNG", "TIFF", "BMP")}
    modes |= {
        "LA": ("PNG",),
        "RGBA": ("PNG", "TIFF", "ICO"),
        "CMYK": ("JPEG", "TIFF"),
        "I;16": ("PNG", "TIFF"),
    }
    for mode, formats in modes.items():
        image = colors.convert("L").convert(mode) if mode == "I;16" else colors.convert(mode)
        found += [_saved(image, format) for format in formats]
    found.append(_saved(colors.convert("1"), "TIFF", compression="group4"))
    for format, options in (("GIF", {}), ("PNG", {}), ("WEBP", {}), ("TIFF", {})):
        found.append(
            _saved(colors, format, save_all=True, append_images=[smooth.resize(colors.size)], **options)
        )
    if supports("avif"):
        found.append(_saved(smooth, "AVIF", quality=50, exif=turned))
    if supports("jpg_2000"):
        found += [_saved(smooth, "JPEG2000"), _saved(smooth, "JPEG2000", no_jp2=True)]
    pixels = rng.integers(0, 65536, (20, 24, 5), np.uint16)
    for i, compression in enumerate(CODES):
        layout = {"tile": (16, 16)} if i % 2 else {"rows": 7}
        found.append(tiff(pixels, compression=compression, order="<>"[i % 2], planar=bool(i % 3), **layout))
        found.append(
            tiff(pixels[..., :3], compression=compression, predictor=1 if i % 2 else 2, big=bool(i % 2))
        )
    found.append(b"P2\n# text\n3 2\n1000\n1 2 3 4 5 1000\n")
    found.append(b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nENDHDR\n" + bytes(16))
    found.append(b"Pf\n2 2\n-1.0\n" + bytes(16))
    return found


def damaged(number, whole):
    """The input of a number: one to six changes to one of the whole files."""
    rng = np.random.default_rng(number)
    data = bytearray(whole[int(rng.integers(len(whole)))])
    for _ in range(1 if rng.random() < 0.5 else int(rng.integers(1, 7))):
        if not data:
            break
        reach = (
            min(len(data), 64)
            if rng.random() < 0.4
            else min(len(data), 600)
            if rng.random() < 0.6
            else len(data)
        )
        at = int(rng.integers(reach))
        way = int(rng.integers(7))
        if way == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif way == 1:
            data[at] = int(rng.integers(256))
        elif way in (2, 3):
            form = ("<", ">")[int(rng.integers(2))] + ("H", "I", "I", "Q")[int(rng.integers(4))]
            value = _FIELDS[int(rng.integers(len(_FIELDS)))] & (1 << 8 * struct.calcsize(form)) - 1
            data[at : at + struct.calcsize(form)] = struct.pack(form, value)
        elif way == 4:
            del data[at : at + int(rng.integers(1, 40))]
        elif way == 5:
            data[at:at] = rng.bytes(int(rng.integers(1, 40)))
        else:
            del data[max(at, len(data) // 4) :]
    return bytes(data)


def harm(data, choice):
    """What an input did that it may not: an error that is not ours, or too much time; None if nothing.

    Time is that of the processor, so that other programs do not count.
    """
    channels, deep = (None, 1, 3, 4)[choice % 4], bool(choice & 4)
    works = {
        "header": lambda: header_of(data),
        "header of a file": lambda: _agree(data),
        "image": lambda: decode(data, channels=channels, deep=deep),
        "small image": lambda: decode(data, at_least=(8, 8), page=choice % 3),
        "mask": lambda: decode_mask(data),
    }
    for name, work in works.items():
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                work()
        except DataError:
            pass
        except Exception as error:
            return f"{name}: {type(error).__name__}: {error}"
        took = time.process_time() - start
        if took > SECONDS:
            return f"{name}: {took:.1f} s"
    return None


def _agree(data):
    """Raise where the header of a file is another one than that of its bytes."""
    found = []
    for content in (data, Content(io.BytesIO(data))):
        try:
            found.append(parse(content))
        except Broken as error:
            found.append(str(error))
    assert found[0] == found[1], found


def most_memory():
    """The most bytes of memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tried(inputs):
    """Try named inputs, each as several choices would decode it; what did harm, by name, and the memory on top."""
    before, found = most_memory(), {}
    for name, data, choices in inputs:
        start = most_memory()
        did = next(filter(None, (harm(data, choice) for choice in choices)), None)
        grown = most_memory() - start
        if did is None and grown > BYTES // 2:
            did = f"{grown >> 20} MB"
        if did is not None:
            found[str(name)] = did
    return found, most_memory() - before


def inputs(which):
    """``"first:count"`` for damaged files, ``"hostile"`` for small files that claim much, read in one or in more ways,
    ``"found"`` for what once did harm.
    """
    if which.startswith("hostile"):
        from hostile import files

        choices = (3, 5, 6) if which == "hostile, more" else (0,)
        return [(name, data, choices) for name, data in files().items()]
    if which == "found":
        return [(path.name, path.read_bytes(), range(8)) for path in sorted(FOUND.iterdir())]
    first, _, count = which.partition(":")
    whole = seeds()
    return ((n, damaged(n, whole), (n,)) for n in range(int(first), int(first) + int(count)))


FOUND = Path(__file__).with_name("found")

if __name__ == "__main__":
    found, memory = tried(chain.from_iterable(map(inputs, sys.argv[1:])))
    print(json.dumps({"harm": found, "bytes": memory}))
