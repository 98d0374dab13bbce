"""Random augmentations, applied to the images, masks, boxes and keypoints of a row together."""

from polyhead.augment.augmentation import Augmentation
from polyhead.augment.color import Blur, Color, Cutout, Noise
from polyhead.augment.custom import Apply
from polyhead.augment.geometric import Crop, Flip, RandomResizedCrop, Rotate, Scale, Shear, Translate
from polyhead.augment.joint import Joint
from polyhead.augment.mix import CutMix, MixUp, Mosaic
from polyhead.augment.plan import Plan
from polyhead.augment.sample_transform import TransformedSample, TransformOptions, transform_sample

__all__ = [
    "Apply",
    "Augmentation",
    "Blur",
    "Color",
    "Crop",
    "CutMix",
    "Cutout",
    "Flip",
    "Joint",
    "MixUp",
    "Mosaic",
    "Noise",
    "Plan",
    "RandomResizedCrop",
    "Rotate",
    "Scale",
    "Shear",
    "TransformOptions",
    "TransformedSample",
    "Translate",
    "transform_sample",
]
