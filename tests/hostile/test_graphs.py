"""A package whose graph is foreign or hostile is refused in one sentence, in bounded time and memory."""

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from flagrank.scoring.package import Golden, read_package
from flagrank.scoring.session import INPUT_NAME, OUTPUT_NAME, ModelSession
from flagrank.scoring.verification import rows_to_matrix, verify_package
from flagrank.triage.errors import PackageRefused
from tests.hostile.graphs import (
    FIRST,
    FLOAT,
    INT64,
    NAMES,
    WIDTH,
    build,
    build_by_name,
    build_deep_branches,
    build_doubling_bomb,
    build_endless_loop,
    build_memory_bomb,
    build_scores,
    build_with_external_data,
    edit,
    node,
    value_info,
)
from tests.packages import make_files, make_graph, read_default_schema, write_small_package


def write(directory: Path, model: bytes, golden: Golden | None = None) -> None:
    changed = {"model.onnx": model} | ({"golden.json": msgspec.json.encode(golden)} if golden else {})
    write_small_package(directory, changed=changed)


def refuse(directory: Path, model: bytes, seconds: int = 20, golden: Golden | None = None) -> str:
    """The refusal of a package with this graph; the parent is held to its own memory."""
    write(directory / "package", model, golden)
    package = read_package(directory / "package")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PackageRefused) as caught:
        verify_package(package, seconds)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB
    detail = caught.value.detail
    assert "\n" not in detail
    assert detail.endswith(".")
    assert len(detail) < 450
    return detail


def _set_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 999


def _set_format(model: ModelProto) -> None:
    model.MergeFrom(ModelProto(ir_version=999))


def _claim_a_terabyte(model: ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**37]


def _claim_less_than_nothing(model: ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-1]


def _close_a_circle(model: ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: b"", id="no bytes"),
        pytest.param(lambda: b"print('hello')\n", id="text"),
        pytest.param(lambda: make_graph(WIDTH)[:300], id="half of a graph"),
        pytest.param(lambda: b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.", id="a pickle"),
        pytest.param(lambda: b"\x20\x00\x00\x00ORTM" + bytes(64), id="a flat buffer"),
        pytest.param(lambda: edit(_set_opset), id="a later opset"),
        pytest.param(lambda: edit(_set_format), id="a later format"),
        pytest.param(lambda: edit(_claim_a_terabyte), id="a tensor that claims a terabyte"),
        pytest.param(lambda: edit(_claim_less_than_nothing), id="a tensor of less than nothing"),
        pytest.param(lambda: edit(_close_a_circle), id="a circle"),
        pytest.param(
            lambda: build_scores(node("Evil", [FIRST], ["x"], domain="evil"), last="x", domains=["evil"]),
            id="a custom operator",
        ),
        pytest.param(lambda: build_scores(node("Evil", [FIRST], ["x"]), last="x"), id="an unknown operator"),
        pytest.param(lambda: build_with_external_data("golden.json"), id="external data beside it"),
        pytest.param(lambda: build_with_external_data("../golden.json"), id="external data above it"),
        pytest.param(lambda: build_with_external_data("/etc/passwd"), id="external data anywhere"),
        pytest.param(lambda: build_with_external_data("*/_ORT_MEM_ADDR_/*"), id="external data in memory"),
        pytest.param(build, id="an empty graph"),
        pytest.param(lambda: build_deep_branches(10_000), id="graphs in graphs in graphs"),
    ],
)
def test_a_graph_that_onnx_runtime_does_not_read_is_refused(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    detail = refuse(tmp_path, make())
    assert detail.startswith("model.onnx can't be loaded: ")
    assert detail.endswith(". Export it again.")
    assert "onnxruntime" not in detail.lower()


def test_a_file_in_the_working_directory_is_no_part_of_a_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(4))
    monkeypatch.chdir(tmp_path)
    assert "weights" in refuse(tmp_path, build_with_external_data("weights.bin"))


def take(shape: Sequence[int | str], kind: int = FLOAT) -> bytes:
    """A graph that declares other inputs than it should."""
    return build(
        node("Cast", [INPUT_NAME], ["float"], to=FLOAT),
        node("ReduceMean", ["float"], ["mean"], keepdims=0),
        node("Sigmoid", ["mean"], [OUTPUT_NAME]),
        inputs=[value_info(INPUT_NAME, kind, shape)],
        outputs=[value_info(OUTPUT_NAME, FLOAT, None)],
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: build_by_name(["x"]),
            "has the inputs x; expected one named 'features', or one for each feature",
        ),
        (
            lambda: build_by_name(NAMES[:-1]),
            "has the inputs abuse_type, popularity, profile_rating, report_text_len;",
        ),
        (lambda: build_by_name([*NAMES, "more"]), "lifetime_matches_created, more, popularity,"),
        (lambda: build_by_name([INPUT_NAME, *NAMES]), "has the inputs abuse_type, features,"),
        (lambda: build_by_name(["\x1b[31m\n" + "x" * 9_000]), "has the inputs ?[31m; expected one named"),
        (
            lambda: build_by_name(NAMES, ("n",)),
            "takes abuse_type as tensor(float) of shape ['n']; expected float32",
        ),
        (
            lambda: build_by_name(NAMES, ("n", 2)),
            "of shape ['n', 2]; expected float32 of any number of rows and 1 ",
        ),
        (
            lambda: build_by_name(NAMES, kind=INT64),
            "takes abuse_type as tensor(int64) of shape ['n', 1]; expected",
        ),
        (
            lambda: take(("n", WIDTH - 1)),
            "takes features as tensor(float) of shape ['n', 4]; expected float32 of any",
        ),
        (
            lambda: take((1, WIDTH)),
            "takes features as tensor(float) of shape [1, 5]; expected float32 of any number",
        ),
        (
            lambda: take(("n", WIDTH, 1)),
            "of shape ['n', 5, 1]; expected float32 of any number of rows and 5 columns.",
        ),
        (lambda: take(()), "of shape []; expected float32 of any number of rows and 5 columns."),
        (
            lambda: take(("n", WIDTH), TensorProto.DOUBLE),
            "takes features as tensor(double) of shape ['n', 5];",
        ),
        (
            lambda: take(("n", WIDTH), INT64),
            "takes features as tensor(int64) of shape ['n', 5]; expected float32",
        ),
    ],
)
def test_a_graph_with_other_inputs_is_refused(
    make: Callable[[], bytes], sentence: str, tmp_path: Path
) -> None:
    assert sentence in refuse(tmp_path, make())


def give(*nodes: NodeProto, kind: int = FLOAT, name: str = OUTPUT_NAME) -> bytes:
    """A graph whose output is made from the first column by these nodes."""
    return build_scores(*nodes, last=FIRST, outputs=[value_info(name, kind, None)], score="unused")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: give(node("Identity", [FIRST], ["y"]), name="y"),
            "has the outputs y (tensor(float)); expected 'score'",
        ),
        (
            lambda: give(node("Cast", [FIRST], [OUTPUT_NAME], to=INT64), kind=INT64),
            "has the outputs score (tensor(int64)); expected 'score' as float32 or float64.",
        ),
        (
            lambda: build_scores(
                node("SequenceConstruct", [FIRST], [OUTPUT_NAME]),
                last=FIRST,
                outputs=[helper.make_tensor_sequence_value_info(OUTPUT_NAME, FLOAT, None)],
                score="unused",
            ),
            "has the outputs score (seq(tensor(float))); expected 'score' as float32 or float64.",
        ),
        (
            lambda: give(node("Identity", [INPUT_NAME], [OUTPUT_NAME])),
            "gives scores of shape (8, 5) for 8 rows. Export one score a row.",
        ),
        (
            lambda: give(node("ReduceMean", [FIRST], [OUTPUT_NAME], keepdims=0)),
            "gives scores of shape () for 8 rows. Export one score a row.",
        ),
        (
            lambda: give(node("Unsqueeze", [FIRST, "column0"], [OUTPUT_NAME])),
            "gives scores of shape (1, 8) for 8 rows. Export one score a row.",
        ),
        (
            lambda: give(node("Shape", [FIRST], ["rows"]), node("Cast", ["rows"], [OUTPUT_NAME], to=FLOAT)),
            "gives scores of shape (1,) for 8 rows. Export one score a row.",
        ),
    ],
)
def test_a_graph_with_other_outputs_is_refused(
    make: Callable[[], bytes], sentence: str, tmp_path: Path
) -> None:
    assert sentence in refuse(tmp_path, make())


@pytest.mark.parametrize("score", [0.0, 1.0, -0.5, 7.0, float("nan"), float("inf")])
def test_a_graph_whose_scores_are_no_chances_is_refused(score: float, tmp_path: Path) -> None:
    constant = numpy_helper.from_array(np.array(score, np.float32), "constant")
    nothing = node("Mul", [FIRST, "zero"], ["nothing"])
    model = build_scores(
        nothing,
        node("Add", ["nothing", "constant"], [OUTPUT_NAME]),
        last=FIRST,
        tensors=[constant],
        score="unused",
    )
    assert (
        refuse(tmp_path, model) == "model.onnx gives a score outside (0, 1). Calibrate it inside the graph."
    )


def test_a_graph_that_misses_its_golden_rows_is_refused(tmp_path: Path) -> None:
    detail = refuse(tmp_path, build_scores(last=FIRST))
    assert detail.startswith("model.onnx misses its golden rows by 0.")


def _mix_by_mean() -> bytes:
    mean = node("ReduceMean", [FIRST], ["mean"], keepdims=0)
    return build_scores(mean, node("Sub", [FIRST, "mean"], ["mixed"]), last="mixed")


def _mix_by_place() -> bytes:
    """A row's score grows with its place in the batch."""
    steps = [
        node("Mul", [FIRST, "zero"], ["nothing"]),
        node("Add", ["nothing", "tiny"], ["step"]),
        node("CumSum", ["step", "column0"], ["places"]),
    ]
    return build_scores(*steps, node("Add", [FIRST, "places"], ["mixed"]), last="mixed")


def _mix_by_chance() -> bytes:
    """A noise too small for the golden rows to show."""
    noise = node("RandomUniformLike", [FIRST], ["noise"], low=0.0, high=1e-6)
    return build_scores(noise, node("Add", [FIRST, "noise"], ["mixed"]), last="mixed")


@pytest.mark.parametrize("make", [_mix_by_mean, _mix_by_place, _mix_by_chance])
def test_a_graph_whose_scores_depend_on_the_batch_is_refused(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    model = make()
    golden = msgspec.json.decode(make_files(read_default_schema())["golden.json"], type=Golden)
    scores = ModelSession(model, NAMES).score(rows_to_matrix(golden.rows))
    own = Golden(golden.rows, tuple(scores.tolist()))
    detail = refuse(tmp_path, model, golden=own)
    assert detail == "model.onnx scores a row differently in a batch than alone. Remove what mixes rows."


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: build_memory_bomb(at_load=True), id="as it is loaded"),
        pytest.param(lambda: build_memory_bomb(at_load=False), id="as it runs"),
        pytest.param(build_doubling_bomb, id="by doubling"),
    ],
)
def test_a_graph_that_asks_for_gigabytes_is_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    detail = refuse(tmp_path, make())
    assert "model.onnx" in detail
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 * 2**20  # KiB


@pytest.mark.parametrize("at_load", [True, False])
def test_a_graph_that_never_ends_is_stopped(at_load: bool, tmp_path: Path) -> None:  # noqa: FBT001
    start, others = time.monotonic(), find_children()
    detail = refuse(tmp_path, build_endless_loop(at_load=at_load), seconds=4)
    assert "within 4 s" in detail or "and 4 s" in detail
    assert time.monotonic() - start < 20
    assert find_children() <= others


def find_children() -> set[str]:
    """What still runs below this process."""
    return {
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    }


@pytest.mark.parametrize("shape", [("n", 1), (None, 1), ("n", "m")])
def test_a_graph_may_take_each_feature_by_its_name(shape: Sequence[int | str], tmp_path: Path) -> None:
    model = build_by_name(NAMES, shape)
    golden = Golden(((0.0, 1.0, None, 2.0, 3.0), (None,) * 5), (0.5, 0.5))
    write(tmp_path / "package", model, golden)
    verify_package(read_package(tmp_path / "package"))


def test_a_graph_may_give_its_scores_as_one_column(tmp_path: Path) -> None:
    model = give(
        node("Sigmoid", [FIRST], ["flat_score"]), node("Unsqueeze", ["flat_score", "flat"], [OUTPUT_NAME])
    )
    write(tmp_path / "package", model, Golden(((0.0,) * 5,), (0.5,)))
    verify_package(read_package(tmp_path / "package"))
