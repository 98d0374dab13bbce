"""The augmentation of the arms in Python: albumentations on one row, its image, mask and box together."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.files.rows import FRAME, Sample
from benchmarks.vision.arms import jitter
from benchmarks.vision.workload import CROP, DEGREES, FLIP, ZOOM

MIN_VISIBLE = 0.1
"""The least share of a box inside the image with which it is kept: polyhead's default."""

NO_BOXES = np.empty((0, 4), np.float32)


class Augment:
    """Mirrored, then turned, scaled, cut and resized by one warp, then colored; a mask that is missing is left out.

    To cut a share `CROP` of each side, anywhere, and resize it is to enlarge by ``1 / CROP`` and to shift by up to half
    of what that adds. So all of it is one ``Affine``, where cutting and resizing by themselves would take a third more
    time.
    """

    def __init__(self) -> None:
        import albumentations as A

        cv2.setNumThreads(0)
        more = (1 / CROP - 1) / 2
        around = A.Affine(
            scale=((1 - ZOOM) / CROP, (1 + ZOOM) / CROP),
            rotate=(-DEGREES, DEGREES),
            translate_percent=(-more, more),
            keep_ratio=True,
            interpolation=cv2.INTER_LINEAR,
            mask_interpolation=cv2.INTER_NEAREST,
            p=1,
        )
        # in shares of the sides, as it keeps them itself
        boxes = A.BboxParams("albumentations", label_fields=[], min_visibility=MIN_VISIBLE)
        self.pipeline = A.Compose([A.HorizontalFlip(p=FLIP), around, jitter()], bbox_params=boxes)

    def __call__(self, row: Sample) -> Sample:
        """A row with its pixels opened, augmented; a box that left the image is missing."""
        box, masked = row["box"], row["masked"]
        masks = {"mask": row["mask"]} if masked else {}
        boxes = NO_BOXES if np.isnan(box[0]) else (box / FRAME)[None]
        done = self.pipeline(image=row["image"], bboxes=boxes, **masks)
        kept = len(done["bboxes"]) > 0
        moved = np.float32(done["bboxes"][0][:4]) * FRAME if kept else np.full(4, np.nan, np.float32)
        return {**row, "image": done["image"], "mask": done.get("mask", row["mask"]), "box": moved}
