"""polyhead feeds Keras 3 models that have many heads."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if getattr(sys, "argv", [])[:1] == ["-m"]:  # Python looks for a module to run
    import _polyhead_command

    _polyhead_command.guard_module()

import wrapt

from polyhead.compiling import compile as compile
from polyhead.compiling import outputs
from polyhead.errors import (
    ContractError,
    DataError,
    PolyheadError,
    PolyheadWarning,
    Problem,
    Report,
    StoreError,
)
from polyhead.feed import Feed
from polyhead.kinds import (
    Array,
    Binary,
    Boxes,
    Categorical,
    Embedding,
    Image,
    Keypoints,
    Map,
    Mask,
    MultiLabel,
    Regression,
)
from polyhead.kinds.declaration import Declaration
from polyhead.sources.source import Source
from polyhead.sources.tables import read_table

if TYPE_CHECKING:
    from polyhead.augment import (
        Apply,
        Blur,
        Color,
        Crop,
        CutMix,
        Cutout,
        Flip,
        MixUp,
        Mosaic,
        Noise,
        RandomResizedCrop,
        Rotate,
        Scale,
        Shear,
        Translate,
    )
    from polyhead.checks.compiled_declaration import declaration_of
    from polyhead.doctor.examine import examine
    from polyhead.explaining.explanation import explain
    from polyhead.keras_bridge.callbacks import Profile
    from polyhead.packing.pack import pack
    from polyhead.readers.coco import read_coco
    from polyhead.readers.folders import read_folder
    from polyhead.readers.largest import largest
    from polyhead.readers.unreadable import drop_unreadable
    from polyhead.readers.voc import read_voc
    from polyhead.readers.yolo import read_yolo
    from polyhead.results.evaluate import evaluate
    from polyhead.results.evaluate_callback import Evaluate
    from polyhead.results.evaluation import Evaluation
    from polyhead.results.predict import predict
    from polyhead.sources.generator import from_generator
    from polyhead.store.reader import open_store

__version__ = "0.1.0"

_LATER = {
    "declaration_of": "polyhead.checks.compiled_declaration",
    "Evaluate": "polyhead.results.evaluate_callback",
    "Evaluation": "polyhead.results.evaluation",
    "Profile": "polyhead.keras_bridge.callbacks",
    "drop_unreadable": "polyhead.readers.unreadable",
    "evaluate": "polyhead.results.evaluate",
    "examine": "polyhead.doctor.examine",
    "explain": "polyhead.explaining.explanation",
    "from_generator": "polyhead.sources.generator",
    "largest": "polyhead.readers.largest",
    "open_store": "polyhead.store.reader",
    "pack": "polyhead.packing.pack",
    "predict": "polyhead.results.predict",
    "read_coco": "polyhead.readers.coco",
    "read_folder": "polyhead.readers.folders",
    "read_voc": "polyhead.readers.voc",
    "read_yolo": "polyhead.readers.yolo",
}
"""Names that only some programs need are imported on first access; so are augmentations, listed only in `__all__`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER.get(name, "polyhead.augment")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "compile", *(name for name in globals() if name.startswith("__"))})


_WITH_KERAS = (
    "polyhead.keras_bridge.by_head",
    "polyhead.keras_bridge.losses",
    "polyhead.keras_bridge.metrics",
    "polyhead.keras_bridge.model_losses",
    "polyhead.kinds.keras_metrics",
)
"""The modules that register losses and metrics, or that such a module imports."""


def _register(module: Any) -> None:
    """Register losses and metrics with Keras and add notes to its errors, unless such a module is being imported."""
    others = [sys.modules.get(name) for name in _WITH_KERAS if name != module.__name__]
    if any(getattr(other.__spec__, "_initializing", False) for other in others if other):
        return
    if module.__name__ != "keras" or hasattr(module, "saving"):
        import_module("polyhead.keras_bridge.saving")
        import_module("polyhead.explaining.notes").add_notes()


for _name in ("keras", *_WITH_KERAS):  # whichever is imported first
    wrapt.register_post_import_hook(_register, _name)

# without `compile`: a star import would hide Python's own
__all__ = [
    "Apply",
    "Array",
    "Binary",
    "Blur",
    "Boxes",
    "Categorical",
    "Color",
    "ContractError",
    "Crop",
    "CutMix",
    "Cutout",
    "DataError",
    "Declaration",
    "Embedding",
    "Evaluate",
    "Evaluation",
    "Feed",
    "Flip",
    "Image",
    "Keypoints",
    "Map",
    "Mask",
    "MixUp",
    "Mosaic",
    "MultiLabel",
    "Noise",
    "PolyheadError",
    "PolyheadWarning",
    "Problem",
    "Profile",
    "RandomResizedCrop",
    "Regression",
    "Report",
    "Rotate",
    "Scale",
    "Shear",
    "Source",
    "StoreError",
    "Translate",
    "declaration_of",
    "drop_unreadable",
    "evaluate",
    "examine",
    "explain",
    "from_generator",
    "largest",
    "open_store",
    "outputs",
    "pack",
    "predict",
    "read_coco",
    "read_folder",
    "read_table",
    "read_voc",
    "read_yolo",
]
