"""Loads untrusted YAML, whose aliases could expand beyond the available memory."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

LARGEST = 1 << 20
"""The maximum size of a file in bytes: enough for 20,000 class names, which already take PyYAML seconds."""

MOST = 200_000
"""The maximum number of values in a file, with all aliases expanded."""

DEEPEST = 100

_TYPED = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "timestamp")}


def load_yaml(text: bytes, as_text: Collection[str] = ()) -> Any:
    """Load a YAML file, unless its aliases expand to too many values.

    Nested aliases such as ``b: &b [*a, *a]`` grow exponentially.

    Args:
        as_text: top-level keys whose values stay as they are written: ``no`` is not False, ``007`` is not 7.

    Raises:
        ValueError: for a file that is too large, too deep, or expands to too many values.
        yaml.YAMLError: for invalid YAML.

    >>> load_yaml(b"a: &a [1, 2]\\nb: [*a, *a]")
    {'a': [1, 2], 'b': [[1, 2], [1, 2]]}
    >>> load_yaml(b"names: {0: no, 1: [007, 2]}", as_text=["names"])
    {'names': {0: 'no', 1: ['007', '2']}}
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
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            for part in _items_of(value) if key.value in as_text else ():
                part.tag = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG if part.tag in _TYPED else part.tag
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _items_of(node: Any) -> list[Any]:
    """Return the values in a list or a mapping, also in those inside it."""
    parts = node.value if isinstance(node.value, list) else []
    items = [part[1] if isinstance(part, tuple) else part for part in parts]
    return [inner for item in items for inner in _items_of(item) or [item]]


def _count(node: Any, counts: dict[int, int], depth: int) -> int:
    """Count the values in a node, with aliases expanded."""
    if id(node) in counts:
        if not counts[id(node)]:
            raise ValueError("an alias of a value that contains it")
        return counts[id(node)]
    if depth > DEEPEST:
        raise ValueError(f"lists in lists, more than {DEEPEST} deep")
    counts[id(node)] = 0  # an alias that finds 0 refers to a value that contains it
    parts = node.value if isinstance(node.value, list) else []
    flat = [part for item in parts for part in (item if isinstance(item, tuple) else (item,))]
    total = 1 + sum(_count(part, counts, depth + 1) for part in flat)
    if total > MOST:
        raise ValueError(f"aliases that stand for more than {MOST:,} values")
    counts[id(node)] = total
    return total
