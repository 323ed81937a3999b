"""Who reported is told to those who review, and to nobody else: no other scope, no log, no metric."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.problem_checks import check_problem
from tests.api.review_server import Review, make_name
from tests.api.running_server import RunningServer, running_server
from tests.api.test_keys import make_key, manage

REPORTERS = ["Quirrel-7", "Yaxley-8\u202e", "Zabini-9\u00e9"]
OTHER_SCOPES = ("score", "tasks", "models", "policy", "metrics")
REVIEWED = [
    *(("GET", "/queue"), ("POST", "/queue/lease"), ("POST", "/queue/heartbeat"), ("POST", "/queue/release")),
    *(("GET", "/case/{case_id}"), ("POST", "/case/{case_id}/decision"), ("POST", "/case/{case_id}/reopen")),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def others(data: Path) -> dict[str, str]:
    """A key for all but review and administration."""
    return make_key(data, "others", *OTHER_SCOPES)


@pytest.fixture(scope="module")
def reviewing(data: Path) -> dict[str, str]:
    """A key of nobody's in particular, which reports as well."""
    return make_key(data, "reviewing", "review", "tasks")


@pytest.fixture
def guarded(
    capfd: pytest.CaptureFixture[str],
    package: Path,
    data: Path,
    others: dict[str, str],
    reviewing: dict[str, str],
) -> Iterator[RunningServer]:
    """A server that asks for keys, and whose log `capfd` catches."""
    assert capfd is not None
    assert others
    assert reviewing
    settings = {"data_dir": data, "log_style": "json", "log_level": "debug"}
    with running_server("--model", str(package), **settings) as server:
        yield server


def test_the_queue_asks_for_the_scope_review(
    guarded: RunningServer, others: dict[str, str], reviewing: dict[str, str]
) -> None:
    review = Review(guarded, reviewing)
    (case,) = review.open(1)
    for method, path in REVIEWED:
        where = path.format(case_id=case["case_id"])
        body = b"{}" if method == "POST" else None
        check_problem(guarded.ask(method, where, body, others), 403, "scope_missing")
        check_problem(guarded.ask(method, where, body), 401, "no_key")
    check_problem(guarded.ask("GET", "/case/x/y", headers=others), 403, "scope_missing")
    assert review.walk() == [case]


def test_a_key_of_one_moderator_speaks_for_no_other(
    guarded: RunningServer, data: Path, reviewing: dict[str, str]
) -> None:
    words = ("--scope", "review", "--scope", "tasks", "--moderator", "ann")
    key = manage(data, "keys", "create", make_name("ann"), *words)["key"]
    anns = Review(guarded, {"Authorization": f"Bearer {key}"})
    case_id = Review(guarded, reviewing).open(1)[0]["case_id"]
    for path, more in (
        ("/queue/lease", {}),
        ("/queue/heartbeat", {"case_ids": [case_id]}),
        ("/queue/release", {"case_ids": [case_id]}),
        (f"/case/{case_id}/decision", {"decision": "actioned"}),
        (f"/case/{case_id}/reopen", {"reason": "appeal"}),
    ):
        for name in ("bob", "Ann", "ann ", "\u0430nn"):
            check_problem(anns.post(path, {"moderator": name, **more}), 403, "other_moderator")
    assert anns.walk()[0]["leased_by"] is None
    assert [case["case_id"] for case in anns.lease("ann")] == [case_id]
    assert Review(guarded, reviewing).walk("leased_by=ann")[0]["case_id"] == case_id
    assert anns.decide(case_id, "ann").status == 200


def test_reporters_are_named_to_reviewers_alone(
    guarded: RunningServer,
    others: dict[str, str],
    reviewing: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    review = Review(guarded, reviewing)
    review.clear()
    target = make_name("target")
    review.report(*({"reporter_id": name, "reported_id": target, "reason": "hate"} for name in REPORTERS))
    (case,) = review.lease("ann")
    case_id = case["case_id"]
    for name in REPORTERS:  # whatever goes wrong with them
        check_problem(review.decide(case_id, name), 403, "own_cause")
        check_problem(review.ask("GET", "/queue?" + "x" * 99), 422, "invalid_query")
        check_problem(review.post("/predict", [{"reporter_id": name, "nope": name}]), 422, "invalid_reports")
    review.decide(case_id, "ann")
    review.reopen(case_id, "ann")
    seen = {report["reporter_id"] for report in review.show(case_id)["reports"]}
    assert seen == set(REPORTERS)
    told = [case["why"], str(review.walk()), str(review.page())]
    paths = ["/metrics", "/task", "/model", "/model/1", "/openapi.json", "/readyz", "/docs"]
    tasks = guarded.get("/task?limit=1000", others).document["tasks"]
    paths += [f"/task/{task['task_id']}" for task in tasks]
    told += [guarded.get(path, others).body.decode() for path in paths]
    guarded.signal()
    assert guarded.wait() == 0
    captured = capfd.readouterr()
    assert '"event"' in captured.err  # the log is there
    told += [captured.err, captured.out]
    for text in told:
        assert not any(name[:6] in text for name in REPORTERS)
