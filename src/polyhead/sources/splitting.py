"""Splits a source into disjoint parts: stratified, by group, the same for one seed.

Rows of one stratum are dealt to the parts in exact proportion. The few that are left over, less than one per part and
stratum, are placed one by one, those of rare strata first, each in the part where it brings sizes and strata closest
to their targets. The distance is chi-square, summed over the values of each column, over the combinations of all
columns' values, and over the number of rows. Groups are placed in the same way, large ones first. "Units" below are
rows, or groups.

For one seed the result is the same in every version. Golden tests pin it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import DataError, Problem, as_list, counted, is_integer, is_number, shown, warn
from polyhead.sources.combining import Concat, Rows
from polyhead.sources.derived import DerivedSource
from polyhead.sources.source import Source, names_in
from polyhead.sources.stratify import compress, groups_of, strata_of

_MOST_ROWS = 1 << 40
"""More rows than a source has: copies of rows are found by number of source times this plus row."""

PLACED = 30_000
"""Units placed one by one. If there are more, those of medium size are dealt evenly along the sorted strata."""

GOLDEN = 0.6180339887498949
"""Consecutive multiples of the golden ratio modulo 1 are spread evenly over [0, 1)."""


def split(
    source: Source,
    fractions: Mapping[str, float] | Sequence[float],
    *,
    stratify: str | Sequence[str] | None = None,
    group: str | None = None,
    seed: int = 0,
) -> Any:
    """Split the rows into disjoint parts, see `Source.split`; each part keeps the order of the rows.

    Without groups, the size of a part differs from its share by less than one row. With groups, sizes and strata are as
    close to the shares as greedy placement gets, and no part is empty if there are at least as many groups as parts.

    It warns if a selection, mixture or concat repeats rows, and copies of one are in several parts.

    Raises:
        DataError: for invalid fractions, an unknown column, a row without a group, or an empty part.

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
    if group is not None and not isinstance(group, str):
        fix = "Combine several columns into one column of the data first."
        raise DataError(Problem("split(group=)", "the name of one column", shown(group), fix))
    source._require([*strata, *([] if group is None else [group])])
    units = None if group is None else groups_of(source, group)
    count = rows if units is None else int(units.max()) + 1
    if count < len(names):
        unit = "row" if group is None else "group"
        where = "" if group is None else f" in column `{group}`"
        expected = f"at least one {unit} for each of {len(names)} parts"
        found = f"{count:,} {unit}{'' if count == 1 else 's'}{where}"
        raise DataError(Problem("fractions", expected, found))
    codes = [stratum for name in strata for stratum in strata_of(source, name)]
    part = deal(rows, shares, codes, units, int(seed), len(names))
    ids_of = [np.flatnonzero(part == i) for i in range(len(names))]
    for name, share, ids in zip(names, shares, ids_of, strict=False):  # the last share may be left out
        if not len(ids):
            found = f"none in part {name!r}, whose share is {share:.4g} of {rows:,} rows"
            fix = "Give it a larger fraction."
            raise DataError(Problem("fractions", "at least one row in each part", found, fix))
    _warn_of_copies(source, part)
    parts = [Rows(source, ids) for ids in ids_of]
    return dict(zip(names, parts, strict=True)) if isinstance(fractions, Mapping) else tuple(parts)


def _warn_of_copies(source: Source, part: np.ndarray) -> None:
    """Warn if rows of a selection, mixture or concat that repeats some have copies in several parts."""
    ids = _original_rows(source, np.arange(len(source)), {})
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    apart = np.unique(ids[order][1:][same & (part[order][1:] != part[order][:-1])])
    if len(apart):
        fix = "Split first, and then repeat rows of one part, train.select(...) or train.mix(...)."
        found = f"copies of {counted(len(apart), 'row')} in several parts"
        rows = tuple((apart[:10] % _MOST_ROWS).tolist())
        warn(Problem("split()", "each row in one part", found, fix, rows=rows))


def _original_rows(source: Source, ids: np.ndarray, numbers: dict[int, int]) -> np.ndarray:
    """Number rows by the sources that others were made of, so that copies of a row have one number.

    Args:
        ids: int64 ``(n,)``.
        numbers: the number of each source seen so far, by its `id`.
    """
    while isinstance(source, DerivedSource):
        ids, source = source._rows(ids), source._source
    if not isinstance(source, Concat):
        return ids + _MOST_ROWS * numbers.setdefault(id(source), len(numbers))
    rows = np.empty_like(ids)
    for number, at, inner in source.by_source(ids):
        rows[at] = _original_rows(source.sources[number], inner, numbers)
    return rows


def _shares(fractions: Any) -> tuple[list[Any], np.ndarray]:
    """Return the names and shares of the parts; if they sum to less than 1, one more share for the rest."""
    expected = "shares in (0, 1] that sum to at most 1, as (0.8, 0.2) or {'train': 0.8, 'val': 0.2}"
    names = list(fractions) if isinstance(fractions, Mapping) else []
    values = as_list(list(fractions.values()) if isinstance(fractions, Mapping) else fractions)
    if values is None:
        raise DataError(Problem("fractions", expected, shown(fractions)))
    names = names or list(range(len(values)))
    if not values:
        raise DataError(Problem("fractions", expected, "none"))
    for name, value in zip(names, values, strict=True):
        if not is_number(value) or not 0 < value <= 1:
            raise DataError(Problem("fractions", expected, f"{shown(value)} for part {name!r}"))
    total = math.fsum(values)
    if total > 1 + 1e-9:
        raise DataError(Problem("fractions", expected, f"a sum of {total:.6g}"))
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
    """Assign each row to a part.

    Args:
        rows: the number of rows.
        shares: the shares of the parts, with a sum of 1.
        strata: for each column int64 ``(rows,)``, numbered from 0 without gaps.
        groups: int64 ``(rows,)``, numbered from 0 without gaps, or None.
        seed: any integer.
        parts: the first shares that must not stay empty if there are enough groups.

    Returns:
        int64 ``(rows,)``, each a position in ``shares``.
    """
    cells, span = np.zeros(rows, np.int64), 1
    for codes in strata:
        levels = int(codes.max()) + 1
        if span * levels >= 2**62:
            cells = compress(cells)
            span = int(cells.max()) + 1
        cells, span = cells * levels + codes, span * levels
    cells = compress(cells)
    # to be balanced: the number of rows, the values of each column, and the combinations of all columns
    balanced = [np.zeros(rows, np.int64), *strata, *([cells] if len(strata) > 1 else [])]
    units = _Units.of_rows(rows, cells) if groups is None else _Units.of_groups(groups, cells)
    # NumPy promises stability only for the raw output of a bit generator
    shuffled = np.argsort(np.random.PCG64(seed % 2**64).random_raw(len(units.signatures)), kind="stable")
    rank = np.empty(len(shuffled), np.int64)
    rank[shuffled] = np.arange(len(shuffled))
    order = shuffled[np.argsort(units.signatures[shuffled], kind="stable")]
    room = None if groups is not None else _sizes(rows, shares)
    # groups are not dealt in proportion, because small ones have to compensate for large ones
    part = (
        np.full(len(shuffled), len(shares)) if room is None else _deal_strata(units.signatures, order, shares)
    )
    left = np.flatnonzero(part == len(shares))
    if len(left) > PLACED:
        by_size = left[np.lexsort((rank[left], -units.sizes[left]))]
        _place_left_over(part, by_size[: PLACED // 2], units, rank, balanced, shares, room)
        middle = np.zeros(len(part), bool)
        middle[by_size[PLACED // 2 : len(left) - PLACED // 2]] = True
        _deal_evenly(part, order[middle[order]], units, shares, room)
        left = np.flatnonzero(part == len(shares))
    _place_left_over(part, left, units, rank, balanced, shares, room)
    if groups is not None:
        _fill_empty_parts(part, units.sizes, parts)
    return part if groups is None else part[groups]


@dataclass(frozen=True)
class _Units:
    """The number of rows of each unit, its signature, which is equal for equal strata, and the unit of each row."""

    sizes: np.ndarray
    signatures: np.ndarray
    of_row: np.ndarray

    @classmethod
    def of_rows(cls, rows: int, cells: np.ndarray) -> _Units:
        return cls(np.ones(rows, np.int64), cells, np.arange(rows))

    @classmethod
    def of_groups(cls, groups: np.ndarray, cells: np.ndarray) -> _Units:
        # equal if the multisets of their rows' cells have the same sum of random 64-bit tokens
        tokens = np.random.PCG64(0).random_raw(int(cells.max()) + 1)
        order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups)
        sums = np.add.reduceat(tokens[cells[order]], np.cumsum(sizes) - sizes)
        return cls(sizes, compress(sums), groups)


def _sizes(rows: int, shares: np.ndarray) -> np.ndarray:
    """Round the shares to numbers of rows by the largest remainders."""
    exact = shares * rows
    sizes = np.floor(exact + 1e-9).astype(np.int64)
    largest = np.argsort(-np.round(exact - sizes, 9), kind="stable")
    sizes[largest[: rows - int(sizes.sum())]] += 1
    return sizes


def _deal_strata(signatures: np.ndarray, order: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the part of each unit, or ``len(shares)`` if it is left over; ``order`` sorts by signature."""
    counts = np.bincount(signatures)
    rank = np.empty(len(signatures), np.int64)
    rank[order] = np.arange(len(signatures)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = np.zeros(len(signatures), np.int64)
    bound = np.zeros(len(counts), np.int64)
    for share in shares:
        bound += np.floor(counts * share + 1e-9).astype(np.int64)
        part += rank >= bound[signatures]
    return part


def _deal_evenly(
    part: np.ndarray, along: np.ndarray, units: _Units, shares: np.ndarray, room: np.ndarray | None
) -> None:
    """Deal units evenly in their order, in the proportions that the parts still need."""
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
    left_over: np.ndarray,
    units: _Units,
    rank: np.ndarray,
    balanced: Sequence[np.ndarray],
    shares: np.ndarray,
    room: np.ndarray | None,
) -> None:
    """Place the left-over units one by one, each where it is needed most."""
    parts = len(shares)
    if not len(left_over):
        return
    number = np.full(len(part), -1)
    number[left_over] = np.arange(len(left_over))
    number_of_row, part_of_row = number[units.of_row], part[units.of_row]
    mine, placed = np.flatnonzero(number_of_row >= 0), part_of_row < parts
    levels = np.array([int(codes.max()) + 1 for codes in balanced])
    starts, width = np.cumsum(levels) - levels, int(levels.sum())
    totals = np.concatenate([np.bincount(c, minlength=n) for c, n in zip(balanced, levels, strict=True)])
    have = np.concatenate(
        [
            np.bincount(c[placed] * parts + part_of_row[placed], minlength=n * parts).reshape(n, parts)
            for c, n in zip(balanced, levels, strict=True)
        ]
    )
    need = totals[:, None] * shares - have
    # scaled by what each part still needs instead of its share, or parts with a small share would fill up first
    scale = np.maximum(need[0], 0.01 * shares * max(float(need[0].sum()), 1.0))
    scale /= scale.sum()
    # the number of rows for each pair of left-over unit and value
    pairs = np.concatenate(
        [number_of_row[mine] * width + start + c[mine] for start, c in zip(starts, balanced, strict=True)]
    )
    pairs, counts = np.unique(pairs, return_counts=True)
    unit, level = np.divmod(pairs, width)
    ends = np.cumsum(np.bincount(unit, minlength=len(left_over)))
    begins = ends - np.bincount(unit, minlength=len(left_over))
    half = np.add.reduceat(counts * counts, begins) / 2.0
    rarest = np.minimum.reduceat(totals[level], begins)
    free = None if room is None else room - np.bincount(part, minlength=parts + 1)[:parts]
    for u in np.lexsort((rank[left_over], rarest, -units.sizes[left_over])).tolist():
        at, count = level[begins[u] : ends[u]], counts[begins[u] : ends[u], None]
        gain = (np.add.reduce(need.take(at, axis=0) * count, axis=0) - half[u]) / scale
        if free is not None:
            gain[free <= 0] = -np.inf
        best = int(gain.argmax())
        need[at, best] -= count[:, 0]
        part[left_over[u]] = best
        if free is not None:
            free[best] -= 1


def _fill_empty_parts(part: np.ndarray, sizes: np.ndarray, parts: int) -> None:
    """Give each empty part the smallest group of the part with most groups; the rest may lose its last group."""
    for i in range(parts):
        counts = np.bincount(part, minlength=parts)
        if counts[i]:
            continue
        counts[parts:] += 1
        if counts.max() > 1:
            theirs = np.flatnonzero(part == counts.argmax())
            part[theirs[sizes[theirs].argmin()]] = i
