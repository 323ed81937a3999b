"""Small model packages for tests, made without training: scores move with every bit of every value."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from flagrank.scoring.columns import Matrix
from flagrank.scoring.package import (
    FORMAT,
    Background,
    Fingerprint,
    Golden,
    HeldOut,
    Manifest,
    Row,
    TrainingData,
    write_package,
)
from flagrank.scoring.session import INPUT_NAME, OUTPUT_NAME, ModelSession
from flagrank.scoring.verification import rows_to_matrix
from flagrank.triage.feature_schema import FeatureSchema, parse_schema
from flagrank.triage.ports import ModelIdentity
from flagrank.triage.report import CONTEXT_FIELDS

OPSET = 18
IR_VERSION = 9
GOLDEN_ROWS = 8


def read_default_schema() -> FeatureSchema:
    """The schema of the first design: five features."""
    text = (files("flagrank") / "default_schema.toml").read_text(encoding="utf-8")
    return parse_schema(text, "default_schema.toml", CONTEXT_FIELDS)


def make_graph(width: int) -> bytes:
    """A graph of `width` columns that does what `score_natively` does.

    It adds, multiplies and divides one by one: the last bit of an exponential or a reduction depends on
    the row's place in its batch.
    """
    constants = {
        "zero": np.float32(0),
        "half": np.float64(0.5),
        "one": np.float64(1),
        "weights": _weights(width),
        **{f"column{column}": np.array(column) for column in range(width)},
    }
    nodes = [
        helper.make_node("IsNaN", [INPUT_NAME], ["is_null"]),
        helper.make_node("Where", ["is_null", "zero", INPUT_NAME], ["filled"]),
        helper.make_node("Cast", ["filled"], ["value"], to=TensorProto.DOUBLE),
        *_squash("value", "squashed"),
        helper.make_node("Mul", ["squashed", "weights"], ["weighted"]),
        helper.make_node("Gather", ["weighted", "column0"], ["sum0"], axis=1),
        *(node for column in range(1, width) for node in _add_column(column)),
        *_squash(f"sum{width - 1}", "signed"),
        helper.make_node("Mul", ["signed", "half"], ["centred"]),
        helper.make_node("Add", ["centred", "half"], [OUTPUT_NAME]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.DOUBLE, ["n"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    encoded: bytes = model.SerializeToString()
    return encoded


def _add_column(column: int) -> list[NodeProto]:
    """Nodes that add one column of the weighted values to the sum so far."""
    return [
        helper.make_node("Gather", ["weighted", f"column{column}"], [f"part{column}"], axis=1),
        helper.make_node("Add", [f"sum{column - 1}", f"part{column}"], [f"sum{column}"]),
    ]


def _squash(given: str, made: str) -> list[NodeProto]:
    """Nodes for x / (1 + |x|), which lies in (-1, 1)."""
    return [
        helper.make_node("Abs", [given], [f"{made}_size"]),
        helper.make_node("Add", ["one", f"{made}_size"], [f"{made}_scale"]),
        helper.make_node("Div", [given, f"{made}_scale"], [made]),
    ]


def score_natively(matrix: Matrix) -> NDArray[np.float64]:
    """Null is 0, each value is squashed to (-1, 1), and so is their weighted sum. Returns (n,) in (0, 1)."""
    value = np.nan_to_num(matrix, nan=0.0).astype(np.float64)  # (n, f)
    total = (value / (1 + np.abs(value)) * _weights(matrix.shape[1])).sum(axis=1)
    scores: NDArray[np.float64] = total / (1 + np.abs(total)) * 0.5 + 0.5
    return scores


def make_files(schema: FeatureSchema, model: bytes | None = None) -> dict[str, bytes]:
    """Every file of a package but its manifest; `model` stands in for the graph."""
    width = len(schema.feature)
    matrix = np.linspace(-3, 3, GOLDEN_ROWS * width, dtype=np.float32).reshape(GOLDEN_ROWS, width)
    rows: tuple[Row, ...] = tuple(tuple(row) for row in matrix.tolist())
    rows = ((None,) * width, *rows[1:])
    matrix[0] = np.nan
    contents = {
        "golden.json": Golden(rows, tuple(score_natively(matrix).tolist())),
        "background.json": Background(rows),
        "held_out.json": HeldOut((), (), ()),
    }
    encoded = {name: msgspec.json.encode(content) for name, content in contents.items()}
    return {"model.onnx": model or make_graph(width), **encoded}


def make_manifest(schema: FeatureSchema) -> Manifest:
    """A manifest that holds with the files of `make_files`; their hashes are added as they are written."""
    spread = Fingerprint((), (1.0,), 0.0)
    features = dict.fromkeys(schema.names, spread)
    return Manifest(
        format=FORMAT,
        name="small",
        architecture="linear",
        target="actionable",
        schema=schema,
        training=TrainingData(rows=100, positives=10, base_rate=0.1, features=features, score=spread),
        metrics={},
        libraries={},
        files={},
        made_at="2026-01-01T00:00:00Z",
    )


def write_small_package(
    directory: Path, schema: FeatureSchema | None = None, changed: Mapping[str, bytes] | None = None
) -> ModelIdentity:
    """Write a valid package into a new directory; `changed` replaces files of it before they are hashed."""
    directory.mkdir(parents=True)
    schema = schema or read_default_schema()
    return write_package(directory, make_manifest(schema), {**make_files(schema), **(changed or {})})


def zip_small_package(
    changed: Mapping[str, bytes] | None = None, schema: FeatureSchema | None = None
) -> bytes:
    """The package of `write_small_package` as one .zip."""
    packed = io.BytesIO()
    with TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w") as archive:
        write_small_package(Path(folder) / "package", schema, changed)
        for file in sorted((Path(folder) / "package").iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
    return packed.getvalue()


def golden_of(model: bytes, schema: FeatureSchema | None = None) -> dict[str, bytes]:
    """A graph, and the golden rows that are its own."""
    schema = schema or read_default_schema()
    rows = msgspec.json.decode(make_files(schema)["golden.json"], type=Golden).rows
    scores = ModelSession(model, schema.names).score(rows_to_matrix(rows)).tolist()
    return {"model.onnx": model, "golden.json": msgspec.json.encode(Golden(rows, tuple(scores)))}


def held_out(scores: Sequence[float], labels: Sequence[int]) -> dict[str, bytes]:
    """Held-out rows, the same for all that have as many."""
    digests = tuple(f"row{number:06}" for number in range(len(labels)))
    return {"held_out.json": msgspec.json.encode(HeldOut(digests, tuple(labels), tuple(scores)))}


def _weights(width: int) -> NDArray[np.float64]:
    return 1.5 * np.cos(np.arange(1, width + 1, dtype=np.float64))  # (f,) of both signs, no two alike
