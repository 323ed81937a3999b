"""Keras on TensorFlow: loaded when a network is trained, and never by a serving process."""

import os
import sys
from typing import Any

from flagrank.triage.errors import ExtraMissing, TrainingRefused

_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "-1",  # sums on a GPU come out otherwise in every run
    "TF_CPP_MIN_LOG_LEVEL": "3",  # it tells of the processor on standard error
    "TF_ENABLE_ONEDNN_OPTS": "0",  # the last bits would depend on the processor, as it tells too
}


def load_keras() -> Any:  # noqa: ANN401 - Keras has no types
    """Keras on TensorFlow, silent where this program is the first to load it. Blocks for seconds then.

    Raises `ModuleNotFoundError` without the extra `tensorflow`, `ExtraMissing` on a Python that TensorFlow
    has no release for, and `TrainingRefused` where Keras runs on another backend already.
    """
    is_first = "keras" not in sys.modules
    if is_first:
        os.environ.update(_ENVIRONMENT)
    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        if error.name == "tensorflow" and sys.version_info >= (3, 14):
            raise ExtraMissing(
                "TensorFlow has no release for Python 3.14. Train with Python 3.11 to 3.13; the package made "
                "is served by any Python."
            ) from error
        raise
    import keras

    if is_first:
        tf.get_logger().setLevel("ERROR")
    if keras.backend.backend() != "tensorflow":
        raise TrainingRefused(
            f"Keras runs on {keras.backend.backend()} here; networks are trained on TensorFlow. Set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )
    return keras
