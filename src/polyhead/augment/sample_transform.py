"""A whole sample through all stages of a plan.

With an `Apply`, each stage is a plan of its own, from what the one before gave. Boxes and keypoints lie in pixels
of the image as it is at that moment; one that was dropped is NaN from there on, and so it stays dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyhead.augment.custom import TARGETS, Apply
from polyhead.augment.plan import Pair, Plan, Size
from polyhead.errors import ContractError, Problem, place

OVERSHOT = 0.25
"""What interpolation may go beyond the range; more than that is said to be wrong where it is encoded."""


@dataclass(frozen=True)
class Sample:
    """What became of a sample, under the names it came with.

    Attributes:
        images: arrays of the images' dtype.
        masks: arrays of the masks' dtype.
        maps: float32, as `Plan.map` has them.
        boxes: ``(boxes, kept)``, as `geometry.warp_boxes` has them.
        points: ``(points, visible)``, as `geometry.warp_points` has them.
    """

    images: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    boxes: dict[str, Pair]
    points: dict[str, Pair]


def transform_sample(
    plan: Plan,
    i: int,
    *,
    images: Mapping[str, Any],
    masks: Mapping[str, np.ndarray] | None = None,
    maps: Mapping[str, np.ndarray] | None = None,
    boxes: Mapping[str, Any] | None = None,
    points: Mapping[str, Any] | None = None,
    swaps: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    owners: Mapping[str, str] | None = None,
    sizes: Mapping[str, Size] | None = None,
    fills: Mapping[str, float] | None = None,
    nearest: Collection[str] = (),
    photometric: Collection[str] | None = None,
    where: str = "",
) -> Sample:
    """All of a sample at once, which is the only way where there is an `Apply`.

    Args:
        plan: of its batch.
        i: its place there.
        images: arrays, or `Decoded`, by name; an `Apply` gets the one called so, else the first, as ``image``.
        masks: by name, ``(H, W)`` or ``(H, W, C)``; with an owner ``(k, H, W)``, one for each box.
        maps: by name, as `Plan.map` takes them; an `Apply` of a function that moves the image cannot move them.
        boxes: by name, ``(k, 4)``.
        points: by name, ``(n, 2)`` or ``(k, n, 2)``.
        swaps: pairs of keypoints that change places when mirrored, by name.
        owners: the name of the boxes to which masks or points ``(k, ...)`` belong: they go where their box goes,
            NaN and not visible, or all fill, where it is dropped.
        sizes: (height, width) of the result by name, if not the target's.
        fills: what is put outside, by name.
        nearest: the names of the maps of which the nearest pixel is taken.
        photometric: the names of the images whose light changes; None for all.
        where: the words that name the sample, for errors.

    Raises:
        ContractError: where an `Apply` does not return what it has to.
        DataError: where the function of an `Apply` fails.
    """
    images, masks, maps = dict(images), dict(masks or {}), dict(maps or {})
    boxes = {name: np.asarray(b, np.float64).reshape(-1, 4) for name, b in (boxes or {}).items()}
    points = {name: np.asarray(p, np.float64) for name, p in (points or {}).items()}
    swaps, owners, sizes, fills = swaps or {}, owners or {}, sizes or {}, fills or {}
    photometric = set(images) if photometric is None else set(photometric)
    for name, owner in owners.items():
        _require_owner(name, owner, masks, boxes, points)
    last = len(plan.stages) - 1
    for number, stage in enumerate(plan.stages):
        one, at = replace(plan, stages=[stage]), i
        if number:  # from what the stage before gave
            first = next(iter(images.values()))
            now, stage, at = np.array([first.shape[:2]], np.int64), stage.row(i), 0
            matrices = np.broadcast_to(stage.matrices(now, plan.target, plan.fit), (1, 3, 3))
            one = replace(plan, sizes=now, matrices=matrices, turns=[1], stages=[stage])
        size: Mapping[str, Size] = sizes if number == last else {}
        found = {name: one.boxes(at, b, size=size.get(name)) for name, b in boxes.items()}
        boxes = {name: b for name, (b, _) in found.items()}
        seen = {
            name: one.points(at, p, swaps=swaps.get(name, ()), size=size.get(name))
            for name, p in points.items()
        }
        points = {name: p for name, (p, _) in seen.items()}
        if number < last:
            for p, visible in seen.values():
                p[~visible] = np.nan
        images = {
            name: one.image(
                at, image, size=size.get(name), photometric=name in photometric, fill=fills.get(name, 0)
            )
            for name, image in images.items()
        }
        masks = {
            name: _mask(one, at, mask, size.get(name), fills.get(name, 0), name in owners)
            for name, mask in masks.items()
        }
        maps = {
            name: one.map(at, numbers, size=size.get(name), nearest=name in nearest)
            for name, numbers in maps.items()
        }
        key = stage.keys[at]
        if stage.apply is not None and key is not None:
            options = {"where": where, "min_visible": plan.min_visible}
            images, masks, maps, boxes, points = _applied(
                stage.apply, key, images, masks, maps, boxes, points, owners, photometric, fills, options
            )
    for name, owner in owners.items():
        kept = found[owner][1]
        if name in points:
            points[name][~kept] = np.nan
            seen[name] = points[name], seen[name][1] & kept[:, None]
        else:
            masks[name][~kept] = fills.get(name, 0)
    return Sample(images, masks, maps, found, seen)


def _mask(plan: Plan, i: int, mask: np.ndarray, size: Size | None, fill: float, owned: bool) -> np.ndarray:
    if not owned:
        return plan.mask(i, mask, size=size, fill=fill)
    found = np.empty((len(mask), *(size or plan.target)), mask.dtype)
    for k, one in enumerate(mask):
        plan.mask(i, one, size=size, fill=fill, out=found[k])
    return found


def _applied(
    apply: Apply,
    key: int,
    images: dict[str, np.ndarray],
    masks: dict[str, np.ndarray],
    maps: dict[str, np.ndarray],
    boxes: dict[str, np.ndarray],
    points: dict[str, np.ndarray],
    owners: Mapping[str, str],
    photometric: set[str],
    fills: Mapping[str, float],
    options: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """All of it under the few names that an `Apply` has for it, and back; ``options`` are those of `Apply.run`."""
    if apply.light_alone:
        lit = {name: image for name, image in images.items() if name in photometric}
        if not lit:
            return images, masks, maps, boxes, points
        keys = _keywords(lit)
        results = apply.run(key, dict(zip(keys, lit.values(), strict=True)), **options)
        found = {**images, **{name: results[k] for name, k in zip(lit, keys, strict=True)}}
        return found, masks, maps, boxes, points
    names = _keywords(images)
    if apply.takes_floats:
        images = {name: _as_floats(image) for name, image in images.items()}
    given: dict[str, Any] = dict(zip(names, images.values(), strict=True))
    unlit = frozenset(k for name, k in zip(images, names, strict=True) if name not in photometric)
    flat = [m for name, mask in masks.items() for m in (mask if name in owners else [mask])]
    if flat:
        given["mask" if len(flat) == 1 else "masks"] = flat[0] if len(flat) == 1 else flat
    if maps and apply.moves_maps:
        given["maps"] = list(maps.values())
    if boxes:
        given["boxes"] = np.concatenate(list(boxes.values()))
    if points:
        given["points"] = np.concatenate([p.reshape(-1, 2) for p in points.values()])
    outside = [
        fills.get(name, 0) for name, mask in masks.items() for _ in (mask if name in owners else [mask])
    ]
    found = apply.run(key, given, fills=outside, unlit=unlit, **options)
    images = {name: _in_range(found[k]) for name, k in zip(images, names, strict=True)}
    turned = iter([found["mask"]] if len(flat) == 1 else found.get("masks", ()))
    masks = {
        name: np.array([next(turned) for _ in mask], mask.dtype).reshape(len(mask), *found["image"].shape[:2])
        if name in owners
        else next(turned)
        for name, mask in masks.items()
    }
    maps = dict(zip(maps, found.get("maps", maps.values()), strict=True))
    at = 0
    for name, box in boxes.items():
        boxes = {**boxes, name: np.asarray(found["boxes"], np.float64)[at : at + len(box)]}
        at += len(box)
    at = 0
    for name, point in points.items():
        count = point.size // 2
        part = np.asarray(found["points"], np.float64)[at : at + count]
        points = {**points, name: part.reshape(point.shape)}
        at += count
    return images, masks, maps, boxes, points


def _as_floats(image: np.ndarray) -> np.ndarray:
    """An image of more than 8 bits as float32 in 0–1, as albumentations takes them; bytes as they are."""
    if image.dtype == np.uint16:
        return image / np.float32(65535)
    return image.astype(np.float32, copy=False) if image.dtype.kind == "f" else image


def _in_range(image: Any) -> Any:
    """Floats with what goes a little beyond 0–1 cut off, as cubic interpolation does at edges."""
    if not isinstance(image, np.ndarray) or image.dtype.kind != "f" or not image.size:
        return image
    least, most = float(image.min()), float(image.max())
    beyond = least < 0 or most > 1
    return np.clip(image, 0, 1) if beyond and least > -OVERSHOT and most < 1 + OVERSHOT else image


def _keywords(images: Mapping[str, Any]) -> list[str]:
    """What an `Apply` calls the images: one of them ``image``, the others by their names."""
    first = "image" if "image" in images else next(iter(images))
    names = ["image" if name == first else name for name in images]
    taken = [name for name in names if name in (*TARGETS, "rng")]
    if taken:
        fix = 'Give it another name, with column= for where it is: {"lit": ph.Image(column=...)}.'
        expected = f"another name, as Apply calls its own keywords {', '.join(TARGETS)} and rng"
        raise ContractError(Problem(place(input=taken[0]), expected, f"`{taken[0]}`", fix))
    return names


def _require_owner(name: str, owner: str, masks: Any, boxes: Any, points: Any) -> None:
    where = f"owners, `{name}`"
    if owner not in boxes:
        raise ContractError(Problem(where, "the name of boxes", repr(owner)))
    what = points.get(name, masks.get(name))
    if what is None or what.ndim != 3 or len(what) != len(boxes[owner]):
        expected = f"keypoints (k, n, 2) or masks (k, H, W), with k = {len(boxes[owner])} as `{owner}` has"
        raise ContractError(Problem(where, expected, "nothing" if what is None else f"shape {what.shape}"))
