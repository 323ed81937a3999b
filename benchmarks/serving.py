"""Speed over HTTP: flagrank, its server with a constant body, and the plain route, in turn on one core."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from benchmarks.load import LoadGenerator, Round, build_request
from benchmarks.models import DEPTH, TREES, ServedModel, make_served_model
from benchmarks.processes import BUILD, FLAGRANK, PYTHON, Server, free_port, pinned, post, running
from benchmarks.rows import feature_matrices, request_bodies
from benchmarks.tables import Figure, print_figures, print_rows, progress, show

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
ROUNDS = 5
WARM_SECONDS, ROUND_SECONDS = 0.4, 1.5
DIFFERENT_BODIES = {1: 2_000, 1_000: 20}
OURS, CONSTANT, PLAIN, SESSION = "flagrank", "constant body", "plain route", "session alone"
REPEATED = "flagrank, one report over and over"
HOW = (
    f"Medians of {ROUNDS} rounds of {ROUND_SECONDS:g} s, contenders in turn; server on core {SERVER_CORE}, "
    f"load on core {LOAD_CORE}, {CONNECTIONS} connections in a closed loop; {TREES} trees of depth {DEPTH}; "
    "synthetic reports. CPU is the server's, user and system."
)

Contender = Callable[[], Round]


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians over a contender's rounds."""

    per_second: float
    cpu_seconds: float


def main() -> None:
    """Measure and print one table for each size of request."""
    model = make_served_model()
    for reports, bodies in DIFFERENT_BODIES.items():
        progress.print(f"serving, {reports:,} reports per request ...")
        speeds = _measure(model, reports, bodies)
        title = f"Serving, {reports:,} report{'s' * (reports > 1)} per request"
        print_rows(title, ("", "requests/s", "CPU us/request"), _list_speeds(speeds), HOW)
        print_figures(f"{title}: ratios", _compare(speeds, reports))


def _measure(model: ServedModel, reports: int, different_bodies: int) -> dict[str, Speed]:
    bodies = request_bodies(reports, different_bodies)
    with ExitStack() as stack:
        stack.enter_context(pinned(LOAD_CORE))
        ours = stack.enter_context(_serve_flagrank(model.package))
        answer = BUILD / "answer.json"
        answer.write_bytes(post(ours.port, "/prediction", bodies[0]))
        constant = stack.enter_context(_serve([PYTHON, "-m", "benchmarks.constant_route", str(answer)]))
        plain = stack.enter_context(_serve([PYTHON, "-m", "benchmarks.plain_route", str(model.native)]))
        contenders = {
            name: _load_on(server, bodies)
            for name, server in ((OURS, ours), (CONSTANT, constant), (PLAIN, plain))
        }
        if reports == 1:
            contenders[REPEATED] = _load_on(ours, bodies[:1])
        else:
            contenders[SESSION] = _session_on(model.package, reports, different_bodies)
        return _race(contenders)


def _serve_flagrank(package: Path) -> AbstractContextManager[Server]:
    port = free_port()
    command = [FLAGRANK, "serve", "--model", str(package), "--port", str(port)]
    return running(command, port, "/readyz", core=SERVER_CORE)


def _serve(command: Sequence[str]) -> AbstractContextManager[Server]:
    port = free_port()
    return running([*command, str(port)], port, "/openapi.json", core=SERVER_CORE)


def _race(contenders: Mapping[str, Contender]) -> dict[str, Speed]:
    """Let the contenders run in turn, so that a slow minute of the machine falls on all of them."""
    rounds: dict[str, list[Round]] = {name: [] for name in contenders}
    for number in range(ROUNDS):
        for name, run in contenders.items():
            rounds[name].append(run())
        last = ", ".join(f"{name} {runs[-1].requests_per_second:,.0f}/s" for name, runs in rounds.items())
        progress.print(f"  round {number + 1} of {ROUNDS}: {last}")
    return {
        name: Speed(
            statistics.median(run.requests_per_second for run in runs),
            statistics.median(run.cpu_per_request for run in runs),
        )
        for name, runs in rounds.items()
    }


def _load_on(server: Server, bodies: Sequence[bytes]) -> Contender:
    requests = [build_request("/prediction", body, server.port) for body in bodies]

    def run() -> Round:
        load = LoadGenerator(server.port, requests, CONNECTIONS)
        load.start()
        load.run(WARM_SECONDS, server.read_cpu)
        measured = load.run(ROUND_SECONDS, server.read_cpu)
        load.finish()
        return measured

    return run


def _session_on(package: Path, rows: int, different: int) -> Contender:
    """Run the package's graph in this process, on the servers' core and on the rows that they are sent."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        package / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    matrices = feature_matrices(rows, different)  # (rows, f) float32 each

    def run() -> Round:
        runs = 0
        with pinned(SERVER_CORE):
            cpu, start = time.process_time(), time.perf_counter()
            while time.perf_counter() - start < ROUND_SECONDS:
                session.run(["score"], {"features": matrices[runs % different]})
                runs += 1
            return Round(runs, time.perf_counter() - start, time.process_time() - cpu)

    return run


def _compare(speeds: Mapping[str, Speed], reports: int) -> list[Figure]:
    ours, plain = speeds[OURS], speeds[PLAIN]
    against_plain = Figure(
        "requests/s, flagrank / plain route",
        ours.per_second / plain.per_second,
        target=10 if reports == 1 else None,
        bound="at least",
        how=f"by CPU per request {show(plain.cpu_seconds / ours.cpu_seconds)}",
    )
    if reports > 1:
        against_session = Figure(
            "CPU per request, session alone / flagrank",
            speeds[SESSION].cpu_seconds / ours.cpu_seconds,
            target=0.65,
            bound="at least",
            how="session.run of the same graph on the same float32 rows, one thread, same core",
        )
        return [against_session, against_plain]
    against_constant = [
        Figure(name, speed.cpu_seconds / speeds[CONSTANT].cpu_seconds, target=1 / 0.70, how=how)
        for name, speed, how in (
            ("CPU per request, flagrank / constant body", ours, "every report different"),
            (
                "the same, one report over and over",
                speeds[REPEATED],
                "the processor learns the way of one report through the trees; real ones differ",
            ),
        )
    ]
    return [*against_constant, against_plain]


def _list_speeds(speeds: Mapping[str, Speed]) -> list[tuple[str, str, str]]:
    return [(name, show(speed.per_second), show(speed.cpu_seconds * 1e6)) for name, speed in speeds.items()]
