"""A tf.data loader and augmentation engine with reproducible and resumable streams.

This package exports the public names of `augment`, `pipeline` and `training`. A name is imported on first use:
importing `caudal` itself imports no library, and opens no file and no connection.
"""

from typing import TYPE_CHECKING, Any

from augment.lazy import make_getattr

if TYPE_CHECKING:
    from augment import AugmentError as AugmentError
    from augment import CaudalError as CaudalError
    from augment import CutMix as CutMix
    from augment import KeyedTransform as KeyedTransform
    from augment import MixUp as MixUp
    from augment import Mosaic as Mosaic
    from augment import Params as Params
    from augment import Plan as Plan
    from augment import ReplaceBackground as ReplaceBackground
    from augment import TransformError as TransformError
    from augment import compile as compile  # noqa: A004  # `caudal.compile` is unambiguous
    from augment import keys as keys
    from augment import load as load
    from augment import policies as policies
    from augment import policy as policy
    from augment import text as text
    from augment import views as views
    from augment.text import EDA as EDA
    from caudal import errors as errors
    from pipeline import Cache as Cache
    from pipeline import Conversion as Conversion
    from pipeline import ImageDataGenerator as ImageDataGenerator
    from pipeline import Loader as Loader
    from pipeline import TextFormat as TextFormat
    from pipeline import TextLoader as TextLoader
    from pipeline import convert as convert
    from pipeline import diagnose as diagnose
    from pipeline import image_dataset as image_dataset
    from pipeline import image_dataset_from_directory as image_dataset_from_directory
    from pipeline import inspect as inspect
    from pipeline import text_dataset as text_dataset
    from pipeline import text_dataset_from_directory as text_dataset_from_directory
    from pipeline import verify as verify
    from training import Checkpoints as Checkpoints
    from training import Evaluation as Evaluation
    from training import Experiment as Experiment
    from training import Recipe as Recipe
    from training import architectures as architectures
    from training import contact_sheet as contact_sheet
    from training import evaluate as evaluate
    from training import fit as fit
    from training import learning_curve as learning_curve
    from training import search as search
    from training import throughput_chart as throughput_chart
    from training import time_chart as time_chart
    from training import training_curves as training_curves
    from training import with_views as with_views

    __version__: str

__all__ = [
    "EDA",
    "AugmentError",
    "Cache",
    "CaudalError",
    "Checkpoints",
    "Conversion",
    "CutMix",
    "Evaluation",
    "Experiment",
    "ImageDataGenerator",
    "KeyedTransform",
    "Loader",
    "MixUp",
    "Mosaic",
    "Params",
    "Plan",
    "Recipe",
    "ReplaceBackground",
    "TextFormat",
    "TextLoader",
    "TransformError",
    "__version__",
    "architectures",
    "compile",
    "contact_sheet",
    "convert",
    "diagnose",
    "errors",
    "evaluate",
    "fit",
    "image_dataset",
    "image_dataset_from_directory",
    "inspect",
    "keys",
    "learning_curve",
    "load",
    "policies",
    "policy",
    "search",
    "text",
    "text_dataset",
    "text_dataset_from_directory",
    "throughput_chart",
    "time_chart",
    "training_curves",
    "verify",
    "views",
    "with_views",
]

_get = make_getattr(
    __name__,
    {
        "AugmentError": "augment",
        "Cache": "pipeline",
        "CaudalError": "augment",
        "Checkpoints": "training",
        "Conversion": "pipeline",
        "CutMix": "augment",
        "EDA": "augment.text",
        "Evaluation": "training",
        "Experiment": "training",
        "ImageDataGenerator": "pipeline",
        "KeyedTransform": "augment",
        "Loader": "pipeline",
        "MixUp": "augment",
        "Mosaic": "augment",
        "Params": "augment",
        "Plan": "augment",
        "Recipe": "training",
        "ReplaceBackground": "augment",
        "TextFormat": "pipeline",
        "TextLoader": "pipeline",
        "TransformError": "augment",
        "architectures": "training.architectures",
        "compile": "augment",
        "contact_sheet": "training",
        "convert": "pipeline",
        "diagnose": "pipeline",
        "errors": "caudal.errors",
        "evaluate": "training",
        "fit": "training",
        "image_dataset": "pipeline",
        "image_dataset_from_directory": "pipeline",
        "inspect": "pipeline",
        "keys": "augment.keys",
        "learning_curve": "training",
        "load": "augment",
        "policies": "augment.policies",
        "policy": "augment",
        "search": "training",
        "text": "augment.text",
        "text_dataset": "pipeline",
        "text_dataset_from_directory": "pipeline",
        "throughput_chart": "training",
        "time_chart": "training",
        "training_curves": "training",
        "verify": "pipeline",
        "views": "augment.views",
        "with_views": "training",
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("caudal")
    return _get(name)


def __dir__() -> list[str]:
    return __all__
