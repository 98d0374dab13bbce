"""Augmentations: what is done by chance to the images, masks, boxes and keypoints of a row, together."""

from polyhead.augment.augmentation import Augmentation
from polyhead.augment.color import Blur, Color, Cutout, Noise
from polyhead.augment.custom import Apply
from polyhead.augment.geometric import Crop, Flip, RandomResizedCrop, Rotate, Scale, Shear, Shift
from polyhead.augment.joint import Joint
from polyhead.augment.mix import Cutmix, Mixup, Mosaic
from polyhead.augment.plan import Plan
from polyhead.augment.sample_transform import Sample, transform_sample

__all__ = [
    "Apply",
    "Augmentation",
    "Blur",
    "Color",
    "Crop",
    "Cutmix",
    "Cutout",
    "Flip",
    "Joint",
    "Mixup",
    "Mosaic",
    "Noise",
    "Plan",
    "RandomResizedCrop",
    "Rotate",
    "Sample",
    "Scale",
    "Shear",
    "Shift",
    "transform_sample",
]
