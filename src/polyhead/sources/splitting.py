"""Cutting a source into disjoint parts: stratified, by group, always alike for one seed.

Rows that look alike (of one stratum) are dealt to the parts in exact proportion. The few that are left over,
less than one a part for each stratum, are then placed one by one, those of rare strata first, each where it
brings sizes and strata nearest to what they should be. The nearness is the chi-square distance, summed over
each column's values, over all columns' values together and over the number of rows. Groups are placed in the
same way, large ones first. "Units" below are what is dealt out: rows, or groups.

The result is part of the library's promise: for one seed it is the same in every version. Golden tests pin
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import DataError, Problem, as_list, is_integer, is_number, shown
from polyhead.sources.combining import Rows
from polyhead.sources.source import Source, names_in
from polyhead.sources.stratify import compress, groups_of, strata_of

PLACED = 30_000
"""Units that are placed one by one. Of more, the middle-sized are dealt evenly along the sorted strata."""

GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio, taken modulo 1, fill every stretch of them as evenly as can be."""


def split(
    source: Source,
    fractions: Mapping[str, float] | Sequence[float],
    *,
    stratify: str | Sequence[str] | None = None,
    group: str | None = None,
    seed: int = 0,
) -> Any:
    """Cut the rows into disjoint parts, as `Source.split` says; each part keeps the order of the rows.

    Without a group, a part's size is off its share by less than one row. With one, sizes and strata are as
    near to the shares as placing group after group gets them, and no part stays empty while there are as many
    groups as parts.

    Args:
        source: the rows.
        fractions: shares, each in (0, 1], with a sum of at most 1.
        stratify: columns whose mix of values each part gets. A column of arrays (boxes, masks) counts as
            present or missing only.
        group: a column; rows of one value stay together.
        seed: any integer.

    Returns:
        A tuple of sources, or a dict where fractions is one.

    Raises:
        DataError: for wrong fractions, an unknown column, a row without a group, or an empty part.

    >>> from polyhead.sources.arrays import Arrays
    >>> people = Arrays({"patient": np.arange(12) // 3, "ill": np.arange(12) // 6})
    >>> train, val = split(people, (0.5, 0.5), stratify="ill", group="patient")
    >>> val.read(np.arange(6))["patient"].tolist()
    [0, 0, 0, 2, 2, 2]
    """
    names, shares = _shares(fractions)
    strata = [] if stratify is None else list(dict.fromkeys(names_in(stratify, "split(stratify=)")))
    if not is_integer(seed):
        raise DataError(Problem("seed", "an integer", shown(seed)))
    rows = len(source)
    if not rows:
        raise DataError(Problem("data", "rows to split", "an empty source"))
    source._require([*strata, *([] if group is None else [group])])
    units = None if group is None else groups_of(source, group)
    count = rows if units is None else int(units.max()) + 1
    if count < len(names):
        unit = "row" if group is None else "group"
        where = "" if group is None else f" in column `{group}`"
        expected = f"at least one {unit} for each of {len(names)} parts"
        found = f"{count:,} {unit}{'' if count == 1 else 's'}{where}"
        raise DataError(Problem("fractions", expected, found))
    part = deal(rows, shares, [strata_of(source, name) for name in strata], units, int(seed), len(names))
    ids_of = [np.flatnonzero(part == i) for i in range(len(names))]
    for name, share, ids in zip(names, shares, ids_of, strict=False):  # the last share may be nobody's
        if not len(ids):
            found = f"none in part {name!r}, which is to have {share:.4g} of {rows:,} rows"
            fix = "Give it a larger fraction."
            raise DataError(Problem("fractions", "at least one row in each part", found, fix))
    parts = [Rows(source, ids) for ids in ids_of]
    return dict(zip(names, parts, strict=True)) if isinstance(fractions, Mapping) else tuple(parts)


def _shares(fractions: Any) -> tuple[list[Any], np.ndarray]:
    """The names of the parts and their shares; where they sum to less than 1, the rest is one share more."""
    what = "shares in (0, 1] that sum to at most 1, as (0.8, 0.2) or {'train': 0.8, 'val': 0.2}"
    names = list(fractions) if isinstance(fractions, Mapping) else []
    values = as_list(list(fractions.values()) if isinstance(fractions, Mapping) else fractions)
    if values is None:
        raise DataError(Problem("fractions", what, shown(fractions)))
    names = names or list(range(len(values)))
    if not values:
        raise DataError(Problem("fractions", what, "none"))
    for name, value in zip(names, values, strict=True):
        if not is_number(value) or not 0 < value <= 1:
            raise DataError(Problem("fractions", what, f"{shown(value)} for part {name!r}"))
    total = math.fsum(values)
    if total > 1 + 1e-9:
        raise DataError(Problem("fractions", what, f"a sum of {total:.6g}"))
    if total < 1 - 1e-9:
        return names, np.array([*values, 1 - total])
    return names, np.array(values) / total


def deal(
    rows: int,
    shares: np.ndarray,
    strata: Sequence[np.ndarray],
    groups: np.ndarray | None,
    seed: int,
    parts: int,
) -> np.ndarray:
    """Which part each row goes to.

    Args:
        rows: their number.
        shares: of the parts, with a sum of 1.
        strata: for each column int64 ``(rows,)``, numbered from 0 without gaps.
        groups: int64 ``(rows,)``, numbered from 0 without gaps, or None.
        seed: any integer.
        parts: how many of the shares, from the first, must not stay empty if groups can help it.

    Returns:
        int64 ``(rows,)``, each a position in ``shares``.
    """
    cells = np.zeros(rows, np.int64)
    for codes in strata:
        cells = compress(cells * (int(codes.max()) + 1) + codes)
    # whole rows first, then each column, then all columns together: what is to be balanced
    balanced = [np.zeros(rows, np.int64), *strata, *([cells] if len(strata) > 1 else [])]
    units = _Units.of_rows(rows, cells) if groups is None else _Units.of_groups(groups, cells)
    # raw output of a bit generator is the one thing that NumPy promises never to change
    chance = np.argsort(np.random.PCG64(seed % 2**64).random_raw(len(units.looks)), kind="stable")
    turn = np.empty(len(chance), np.int64)
    turn[chance] = np.arange(len(chance))
    order = chance[np.argsort(units.looks[chance], kind="stable")]
    room = None if groups is not None else _sizes(rows, shares)
    # groups are not dealt alike: the small ones must be free to make up for the large ones
    part = np.full(len(chance), len(shares)) if room is None else _deal_alike(units.looks, order, shares)
    left = np.flatnonzero(part == len(shares))
    if len(left) > PLACED:
        by_size = left[np.lexsort((turn[left], -units.sizes[left]))]
        _place_left_over(part, by_size[: PLACED // 2], units, turn, balanced, shares, room)
        middle = np.zeros(len(part), bool)
        middle[by_size[PLACED // 2 : len(left) - PLACED // 2]] = True
        _deal_along(part, order[middle[order]], units, shares, room)
        left = np.flatnonzero(part == len(shares))
    _place_left_over(part, left, units, turn, balanced, shares, room)
    if groups is not None:
        _fill_empty_parts(part, units.sizes, parts)
    return part if groups is None else part[groups]


@dataclass(frozen=True)
class _Units:
    """What is dealt out: for each unit its number of rows and its look, and the unit of each row."""

    sizes: np.ndarray
    looks: np.ndarray
    of_row: np.ndarray

    @classmethod
    def of_rows(cls, rows: int, cells: np.ndarray) -> _Units:
        return cls(np.ones(rows, np.int64), cells, np.arange(rows))

    @classmethod
    def of_groups(cls, groups: np.ndarray, cells: np.ndarray) -> _Units:
        # two groups look alike if their rows' cells, as a bag, have the same sum of random 64-bit tokens
        tokens = np.random.PCG64(0).random_raw(int(cells.max()) + 1)
        order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups)
        sums = np.add.reduceat(tokens[cells[order]], np.cumsum(sizes) - sizes)
        return cls(sizes, compress(sums), groups)


def _sizes(rows: int, shares: np.ndarray) -> np.ndarray:
    """Whole numbers of rows nearest to the shares: rounded down, the largest remainders one more."""
    exact = shares * rows
    sizes = np.floor(exact + 1e-9).astype(np.int64)
    largest = np.argsort(-np.round(exact - sizes, 9), kind="stable")
    sizes[largest[: rows - int(sizes.sum())]] += 1
    return sizes


def _deal_alike(looks: np.ndarray, order: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The part of each unit, one beyond the last where it is left over; ``order`` sorts by look."""
    counts = np.bincount(looks)
    rank = np.empty(len(looks), np.int64)
    rank[order] = np.arange(len(looks)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = np.zeros(len(looks), np.int64)
    bound = np.zeros(len(counts), np.int64)
    for share in shares:
        bound += np.floor(counts * share + 1e-9).astype(np.int64)
        part += rank >= bound[looks]
    return part


def _deal_along(
    part: np.ndarray, along: np.ndarray, units: _Units, shares: np.ndarray, room: np.ndarray | None
) -> None:
    """Deal units evenly as they stand, in the proportions that the parts still need."""
    parts, rows = len(shares), len(units.of_row)
    have = np.bincount(part, weights=units.sizes, minlength=parts + 1)[:parts]
    need = np.maximum(shares * rows - have, 0)
    at = (np.arange(1, len(along) + 1) * GOLDEN) % 1.0
    part[along] = np.searchsorted(np.cumsum(need / need.sum())[:-1], at, side="right")
    if room is not None:
        for i, over in enumerate(np.bincount(part, minlength=parts + 1)[:parts] - room):
            part[along[part[along] == i][: max(over, 0)]] = parts


def _place_left_over(
    part: np.ndarray,
    left: np.ndarray,
    units: _Units,
    turn: np.ndarray,
    balanced: Sequence[np.ndarray],
    shares: np.ndarray,
    room: np.ndarray | None,
) -> None:
    """Place the left-over units one by one, each where it is needed most."""
    parts = len(shares)
    if not len(left):
        return
    number = np.full(len(part), -1)
    number[left] = np.arange(len(left))
    number_of_row, part_of_row = number[units.of_row], part[units.of_row]
    mine, there = np.flatnonzero(number_of_row >= 0), part_of_row < parts
    levels = np.array([int(codes.max()) + 1 for codes in balanced])
    starts, width = np.cumsum(levels) - levels, int(levels.sum())
    totals = np.concatenate([np.bincount(c, minlength=n) for c, n in zip(balanced, levels, strict=True)])
    have = np.concatenate(
        [
            np.bincount(c[there] * parts + part_of_row[there], minlength=n * parts).reshape(n, parts)
            for c, n in zip(balanced, levels, strict=True)
        ]
    )
    need = totals[:, None] * shares - have
    # by what each part still needs, not by its share: else those with a small share would be filled up first
    scale = np.maximum(need[0], 0.01 * shares * max(float(need[0].sum()), 1.0))
    scale /= scale.sum()
    # for each left-over unit, how many of its rows have which value
    pairs = np.concatenate(
        [number_of_row[mine] * width + start + c[mine] for start, c in zip(starts, balanced, strict=True)]
    )
    pairs, counts = np.unique(pairs, return_counts=True)
    unit, level = np.divmod(pairs, width)
    ends = np.cumsum(np.bincount(unit, minlength=len(left)))
    begins = ends - np.bincount(unit, minlength=len(left))
    half = np.add.reduceat(counts * counts, begins) / 2.0
    rarest = np.minimum.reduceat(totals[level], begins)
    free = None if room is None else room - np.bincount(part, minlength=parts + 1)[:parts]
    for u in np.lexsort((turn[left], rarest, -units.sizes[left])).tolist():
        at, count = level[begins[u] : ends[u]], counts[begins[u] : ends[u], None]
        gain = ((need[at] * count).sum(axis=0) - half[u]) / scale
        if free is not None:
            gain[free <= 0] = -np.inf
        best = int(gain.argmax())
        need[at, best] -= count[:, 0]
        part[left[u]] = best
        if free is not None:
            free[best] -= 1


def _fill_empty_parts(part: np.ndarray, sizes: np.ndarray, parts: int) -> None:
    """Give each empty part the smallest group of what has most groups; what is left out may give its last."""
    for i in range(parts):
        counts = np.bincount(part, minlength=parts)
        if counts[i]:
            continue
        counts[parts:] += 1
        if counts.max() > 1:
            theirs = np.flatnonzero(part == counts.argmax())
            part[theirs[sizes[theirs].argmin()]] = i
