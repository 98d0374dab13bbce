"""Prepares heads for their ``sample_weight=`` columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from polyhead.errors import BadValue, DataError, Problem, place
from polyhead.kinds import Head
from polyhead.kinds.sample_weights import BoxWeights, prepared, weights_key, weights_shape
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source


def prepare(source: Source, heads: Mapping[str, Head]) -> dict[str, Head]:
    """Return unresolved heads, set to read the weights in their columns.

    Raises:
        DataError: for all heads whose weights are finer than declared.
    """
    found = dict(heads)
    problems: list[Problem] = []
    for name, head in heads.items():
        if head.sample_weight is None:
            continue
        try:
            found[name] = prepared(head, first_rows(source, head.sample_weight))
        except BadValue as bad:
            problems += bad.located(head=name, column=head.sample_weight).problems
    if problems:
        raise DataError(*problems)
    return found


def along_boxes(source: Source, heads: Mapping[str, Head]) -> dict[str, BoxWeights]:
    """Return the weights of boxes, which are dropped together with them, by `weights_key` of their head."""
    found = {}
    for name, head in heads.items():
        if head.sample_weight is not None:
            weights = BoxWeights.for_head(name, head, first_rows(source, head.sample_weight))
            if weights is not None:
                found[weights_key(name)] = weights
    return found


def require_still(source: Source, heads: Mapping[str, Head], resized: bool, augment: Sequence[Any]) -> None:
    """Raise for weights that would have to be transformed with the image but are not: of pixels, and of swapped points.

    Args:
        resized: whether images or masks are decoded or resized.
    """
    moves = moving(augment)
    how = f"{moves[0]!r} moves them" if moves else "images or masks are decoded or resized" if resized else ""
    problems = []
    for name, head in heads.items():
        inner = head.inner
        if not how or head.sample_weight is None:
            continue
        where = place(head=name, column=head.sample_weight)
        if inner.fine_weights:
            fix = "Mark pixels that do not count in the mask itself, with a value of their own: Mask(missing=255)."
            if inner.layer == "map":
                fix = "Put NaN into the map where a pixel does not count."
            expected = f"one weight a {'row' if inner is head else 'box'}, as {how}"
            problems.append(
                Problem(where, expected, "weights of pixels, which do not move with the image", fix)
            )
        if inner.pairs and moves:
            if len(weights_shape(head, first_rows(source, head.sample_weight))) != len(head.weight_shape):
                continue  # one weight for all points
            fix = (
                "Leave out pairs=, or the augmentation, or put NaN in the place of points that do not count."
            )
            expected = f"one weight a row, as {how}"
            problems.append(Problem(where, expected, "weights of points that are swapped", fix))
    if problems:
        raise DataError(*problems)


def moving(augment: Sequence[Any]) -> list[Any]:
    """The augmentations that move pixels; others only change their values."""
    from polyhead.augment import Apply
    from polyhead.augment.augmentation import Photometric

    light = [isinstance(one, Photometric) or (isinstance(one, Apply) and one.light_alone) for one in augment]
    return [one for one, alone in zip(augment, light, strict=True) if not alone]
