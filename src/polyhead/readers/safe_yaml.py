"""YAML from elsewhere, which may say in a few lines more than a memory holds."""

from __future__ import annotations

from typing import Any

LARGEST = 1 << 20
"""Bytes of a file: twenty thousand names of classes, which take seconds, as PyYAML reads 100 KB a second."""

MOST = 200_000
"""Values that a file may stand for, with each alias as what it repeats."""

DEEPEST = 100


def load_yaml(text: bytes) -> Any:
    """The value of a YAML file.

    An alias repeats what has an anchor, in which others may be repeated: ``b: &b [*a, *a]``. Such a file is refused
    where it would be larger than any list of names is.

    Raises:
        ValueError: for a file that is too large, too deep, or stands for too many values.
        yaml.YAMLError: for what is no YAML.

    >>> load_yaml(b"a: &a [1, 2]\\nb: [*a, *a]")
    {'a': [1, 2], 'b': [[1, 2], [1, 2]]}
    """
    import yaml

    if len(text) > LARGEST:
        raise ValueError(f"a file of {len(text):,} bytes")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, 0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: Any, known: dict[int, int], depth: int) -> int:
    """The values that a node stands for, each as often as it is repeated."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias of what it stands in")
        return known[id(node)]
    if depth > DEEPEST:
        raise ValueError(f"lists in lists, more than {DEEPEST} deep")
    known[id(node)] = 0  # under way
    parts = node.value if isinstance(node.value, list) else []
    flat = [part for one in parts for part in (one if isinstance(one, tuple) else (one,))]
    total = 1 + sum(_count(part, known, depth + 1) for part in flat)
    if total > MOST:
        raise ValueError(f"aliases that stand for more than {MOST:,} values")
    known[id(node)] = total
    return total
