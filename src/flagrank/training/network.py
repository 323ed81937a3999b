"""A Keras network on TensorFlow as an architecture of an experiment."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from flagrank.scoring.columns import Matrix
from flagrank.training.fitting import Rows
from flagrank.training.importance import weigh_by_permutation
from flagrank.training.keras_library import load_keras
from flagrank.training.network_graph import draw_network
from flagrank.training.network_inputs import NULL_CODE, NetworkInputs, fit_inputs
from flagrank.triage.feature_schema import FeatureSchema

HIDDEN = (64, 32)
DROPOUT = 0.2
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
STEPS = 50  # of one epoch, whatever the rows: so many of a batch's size that 50 are about all rows
MOST_ROWS_A_STEP = 1_024

_CHUNK_ROWS = 8_192


class Network(msgspec.Struct, frozen=True):
    """A fitted network, with its weights after each of its epochs; each is a round."""

    model: Any
    inputs: NetworkInputs
    weights: tuple[list[NDArray[np.float32]], ...]
    losses: NDArray[np.float64]

    def predict_margins(self, features: Matrix, rounds: int | None = None) -> NDArray[np.float32]:
        """Return the raw margins (n,) of features (n, f), as after the first `rounds` epochs or all."""
        self.model.set_weights(self.weights[-1 if rounds is None else rounds - 1])
        return _predict(self.model, features)

    def draw(self) -> ModelProto:
        """The network as the body of a graph."""
        return draw_network(self.inputs, self.weights[-1])

    def find_thresholds(self) -> dict[int, Matrix]:
        """The edges of numbers, where the margin has its bends."""
        return self.inputs.edges

    def weigh_features(self, features: Matrix, labels: NDArray[np.int8]) -> NDArray[np.float64]:
        """The loss that comes of shuffling each feature, (f,)."""
        return weigh_by_permutation(self.predict_margins, features, labels)


class NetworkLearner(msgspec.Struct, frozen=True):
    """Trains a small dense network, for the features of one schema."""

    schema: FeatureSchema
    most_rounds: int = 30
    round_name: str = "epoch"
    importance: str = "the share of a feature in the loss that comes of shuffling its values"
    runs_side_by_side: bool = False  # Keras keeps names and graphs in one place for all threads

    def fit(
        self, seen: Rows, judged: Rows | None, *, rounds: int, seed: int, on_round: Callable[[], None]
    ) -> Network:
        """Train for `rounds` epochs of STEPS steps on the rows seen."""
        keras = load_keras()
        _make_deterministic()
        features, labels = seen
        counts = [len(one.values) if one.type == "category" else None for one in self.schema.feature]
        inputs = fit_inputs(features, labels, counts)
        model = _build(keras, inputs, float(labels.mean()), seed)
        model.compile(
            keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
            keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=False,
            steps_per_execution=STEPS,
        )
        weights: list[list[NDArray[np.float32]]] = []
        losses: list[float] = []

        def end_epoch(_epoch: int, _logs: object) -> None:
            weights.append(model.get_weights())
            if judged is not None:
                losses.append(_measure_loss(_predict(model, judged[0]), judged[1]))
            on_round()

        model.fit(
            _deal(features, labels, seed),
            epochs=rounds,
            steps_per_epoch=STEPS,
            shuffle=False,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=end_epoch)],
        )
        return Network(model, inputs, tuple(weights), np.array(losses))


def _build(keras: Any, inputs: NetworkInputs, base_rate: float, seed: int) -> Any:  # noqa: ANN401
    """From a matrix (n, f) to a margin (n, 1); `training.network_graph` draws the same in ONNX."""
    ops, layers = keras.ops, keras.layers
    given = keras.Input((len(inputs.fills),), name="features")
    is_null = ops.isnan(given)
    filled = ops.where(is_null, inputs.fills, given)
    parts = [ops.cast(is_null, "float32")]
    if len(inputs.columns):
        beyond = (ops.take(filled, inputs.columns, axis=1) - inputs.starts) * inputs.rates  # (n, p)
        parts.append(ops.clip(beyond, 0, 1))
    for column, values in inputs.categories:
        code = ops.cast(filled[:, column] - NULL_CODE, "int32")
        width = min(8, values + 1)
        start = keras.initializers.RandomUniform(seed=seed)
        parts.append(layers.Embedding(values + 2, width, embeddings_initializer=start)(code))
    signal = layers.Concatenate()(parts)
    for depth, width in enumerate(HIDDEN):
        start = keras.initializers.GlorotUniform(seed=(seed + depth) % 2**31)
        signal = layers.Dense(width, activation="relu", kernel_initializer=start)(signal)
        signal = layers.Dropout(DROPOUT, seed=(seed + depth) % 2**31)(signal)
    margin = layers.Dense(
        1,
        kernel_initializer=keras.initializers.GlorotUniform(seed=(seed + len(HIDDEN)) % 2**31),
        bias_initializer=keras.initializers.Constant(np.log(base_rate / (1 - base_rate))),
    )
    return keras.Model(given, margin(signal))


def _make_deterministic() -> None:
    """Give the same bits in every run, in this whole process; draws without a seed fail from here on."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def _deal(features: Matrix, labels: NDArray[np.int8], seed: int) -> Any:  # noqa: ANN401 - no types
    """Batches without end, shuffled anew for each pass."""
    import tensorflow as tf

    size = int(np.clip(len(features) // STEPS, 32, MOST_ROWS_A_STEP))
    rows = tf.data.Dataset.from_tensor_slices((features, labels.astype(np.float32)[:, np.newaxis]))
    return rows.shuffle(len(features), seed=seed).repeat().batch(size)


def _predict(model: Any, features: Matrix) -> NDArray[np.float32]:  # noqa: ANN401 - no types
    chunks = [
        np.asarray(model(features[at : at + _CHUNK_ROWS], training=False))
        for at in range(0, len(features), _CHUNK_ROWS)
    ]
    margins: NDArray[np.float32] = np.concatenate(chunks)[:, 0]
    return margins


def _measure_loss(margins: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
    margin = margins.astype(np.float64)
    return float(np.mean(np.logaddexp(0, margin) - labels * margin))
