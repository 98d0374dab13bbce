"""Inputs for readers that nobody would write: valid ones with something changed at random, by seed."""

import copy
import json
import random
from xml.etree import ElementTree

NASTY = [
    None, True, False, [], {}, "", "x", "480", "-1", -1, 0, 1, 2, 7, 0.5, 480.0, 1e308, -1e308, float("inf"),
    float("nan"), 2**31 - 1, 2**31, 2**63, 10**30, 10**400, [[]], [[1]], [1, "a"], [None] * 4, [float("nan")] * 4,
    {"a": {"b": []}}, "\0", "a\0b", "\ud800", "../x", "/etc/passwd", "C:\\x", "~", "x" * 5000, "a/b/../..", [1e9] * 6,
    [1e300] * 8, {"size": [20, 30], "counts": "12"}, {"size": [2**40, 2**40], "counts": [2**80]}, b"\xff\xfe", "é",
    [[0, 0, 2**31, 0, 2**31, 2**31]], {"size": [2**31 - 1, 2**31 - 1], "counts": [(2**31 - 1) ** 2]},
]  # fmt: skip

WORDS = [
    b"", b"-1", b"nan", b"inf", b"1e999", b"9" * 400, b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"../../x", b"/etc/passwd",
    b"&a;", b"]]>", b"<", b'"', b",", b"\n", b"\t", b":", b"*a", b"&a", b"!!python/object:os.system", b"<<: *a", b"- ",
    b"{", b"[", b"[" * 300, b"x" * 3000, b"<!DOCTYPE a [<!ENTITY a 'b'>]>", b"<object/>", b"0x1F", b"1_000",
    b"0.5 " * 40,
    "é".encode("latin-1"), "é".encode(), "\ud7ff".encode("utf-16"),
]  # fmt: skip


def changed_bytes(chance, text):
    """A text with bytes changed, cut, repeated or put in."""
    found = bytearray(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        how = chance.randrange(6)
        if how == 0 and at < len(found):
            found[at] = chance.randrange(256)
        elif how == 1:
            del found[at : at + chance.randint(1, 20)]
        elif how == 2:
            found[at:at] = chance.choice(WORDS)
        elif how == 3:
            found[at:at] = found[at : at + chance.randint(1, 60)]
        elif how == 4:
            del found[at:]
        else:  # a whole word
            end = next((i for i in range(at, len(found)) if not chr(found[i]).isalnum()), len(found))
            found[at:end] = chance.choice(WORDS)
    return bytes(found)


def flipped(chance, content):
    """Bytes of which a few are others."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def changed_tree(chance, tree):
    """A tree of lists and dicts with some of its nodes changed."""
    found = copy.deepcopy(tree)
    for _ in range(chance.randint(1, 3)):
        paths = list(_paths(found))
        *way, key = chance.choice(paths) if paths else [None]
        node = found
        for step in way:
            node = node[step]
        how = chance.randrange(5)
        if key is None:
            return chance.choice(NASTY)
        if how == 0:
            del node[key]
        elif how == 1 and isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        elif how == 2:
            other = found
            for step in chance.choice(paths):
                other = other[step] if step in other or isinstance(other, list) else other
            node[key] = copy.deepcopy(other)
        else:
            node[key] = copy.deepcopy(chance.choice(NASTY))
    return found


def changed_xml(chance, text):
    """A tree of XML with some of its elements left out, repeated, renamed, or of another content."""
    tree = ElementTree.fromstring(text)
    for _ in range(chance.randint(1, 3)):
        parent = chance.choice([one for one in tree.iter() if len(one)] or [tree])
        if not len(parent):
            break
        child = chance.choice(list(parent))
        how = chance.randrange(5)
        if how == 0:
            parent.remove(child)
        elif how == 1:
            parent.append(copy.deepcopy(child))
        elif how == 2:
            child.tag = chance.choice(["object", "bndbox", "name", "xmin", "size", "x"])
        else:
            words = [str(one) for one in NASTY[:-4] if not isinstance(one, int) or one.bit_length() < 999]
            word = chance.choice(words)
            child.text = "".join(c for c in word if c.isprintable())
            del child[:]
    return ElementTree.tostring(tree)


def _paths(node, way=()):
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in steps:
        yield (*way, key)
        yield from _paths(value, (*way, key))


def as_json(tree):
    """A tree as JSON, with what JSON cannot say as text."""
    return json.dumps(tree, default=repr).encode("utf-8", "surrogatepass")


def chance_of(seed):
    """The randomness of one input."""
    return random.Random(seed)
