"""Describes in words what a feed's augmentations did to its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polyhead.feed import Feed
from polyhead.hashing import uniform
from polyhead.pipeline.row_mixing import split_augmentations, with_streams


def applied_to(feed: Feed, rows: Sequence[tuple[int, int]]) -> list[tuple[str, ...]]:
    """Describe the augmentations of each row ``(epoch, index in the source)``, in the order in which they ran.

    >>> import polyhead as ph
    >>> data = {"image": np.zeros((4, 8, 8, 3), np.uint8), "y": [0, 1, 0, 1]}
    >>> augment = [ph.Flip(p=1), ph.Rotate(20)]
    >>> feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"y": ph.Binary()}, augment=augment)
    >>> applied_to(feed, [(0, 2), (1, 2)])
    [('Flip left-right', 'Rotate +13°'), ('Flip left-right', 'Rotate +6°')]
    """
    if not feed.augment:
        return [()] * len(rows)
    from polyhead.augment import Joint

    moves, mixers = split_augmentations(feed.augment)
    joint = Joint(moves, feed.seed)
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for epoch in dict.fromkeys(epoch for epoch, _ in rows):
        ids = np.array([row for e, row in rows if e == epoch], np.int64)
        words = joint.descriptions(epoch, ids)
        for one, own in with_streams(mixers):
            happens = one.happens(uniform(feed.seed, epoch, ids, own, one.draws))
            words = [[*w, type(one).__name__] if on else w for w, on in zip(words, happens, strict=True)]
        found |= {(epoch, row): tuple(w) for row, w in zip(ids.tolist(), words, strict=True)}
    return [found[row] for row in rows]
