"""`POST /prediction` as API.md writes it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flagrank.scoring.package import read_package
from flagrank.settings import load_default_policy
from flagrank.triage.case import gather_evidence
from flagrank.triage.priority import assess_case
from tests.api.running_server import REPORT, RunningServer
from tests.case_reports import make_report

CONTEXT = {
    "report_id": "r-1",
    "reporter_id": "ann: \u00fcber \U0001f600",
    "reported_id": "bob",
    "content_id": "c",
    "content_url": "https://example.org/a?b=c:d#e",
    "content_text": "line one:\n\tline two \u2028 \U0001f4a9",
    "reason": "threat",
    "exposure": 12.5,
    "reported_at": "2026-01-05T10:00:00+01:00",
}


def _reports(count: int) -> list[dict[str, object]]:
    return [
        {
            "abuse_type": ("MSG", "PRF")[i % 2],
            "report_text_len": i * 37 % 3_000,
            "profile_rating": None if i % 5 == 0 else i % 51 / 10,
            "popularity": i % 6,
            **({"lifetime_matches_created": i * 1_001} if i % 3 == 0 else {}),
            **({"exposure": i % 100, "reason": "scam"} if i % 7 == 0 else {}),
        }
        for i in range(count)
    ]


def test_the_first_designs_own_request_is_answered(server: RunningServer) -> None:
    answer = server.predict([REPORT], {"Accept": "application/json"})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.document) == ["model", "scores", "priorities", "ranking", "policy"]
    assert answer.document["model"] == server.model
    assert answer.document["model"]["version"] == "1"  # its number in the registry
    assert answer.document["ranking"] == [0]
    assert answer.document["policy"] == "default@1"


def test_answers_keep_the_order_sent_and_rank_by_priority(server: RunningServer) -> None:
    prediction = server.predict(_reports(500)).document
    assert all(0 < score < 1 for score in prediction["scores"])
    assert sorted(prediction["ranking"]) == list(range(500))
    ranked = [prediction["priorities"][index] for index in prediction["ranking"]]
    assert ranked == sorted(ranked, reverse=True)


def test_ties_keep_the_order_sent(server: RunningServer) -> None:
    assert server.predict([REPORT] * 50).document["ranking"] == list(range(50))


def test_a_priority_is_that_of_a_case_of_the_report_alone(server: RunningServer, package: Path) -> None:
    told: list[dict[str, Any]] = [{}, {"reason": "minor_safety"}, {"reason": "spam", "exposure": 999}]
    prediction = server.predict([REPORT | one for one in told]).document
    score = prediction["scores"][0]
    assert prediction["scores"] == [score] * 3
    base_rate = read_package(package).manifest.training.base_rate
    cases = [
        gather_evidence([make_report(score, base_rate=base_rate, abuse_type=REPORT["abuse_type"], **one)])
        for one in told
    ]
    assert prediction["priorities"] == [assess_case(case, load_default_policy()).priority for case in cases]


def test_a_score_does_not_depend_on_the_batch_or_on_other_requests(server: RunningServer) -> None:
    reports = _reports(10_000)
    together = server.predict(reports).document["scores"]
    assert len(set(together)) > 1_000
    with ThreadPoolExecutor(16) as pool:
        alone = list(pool.map(lambda report: server.predict([report]).document["scores"][0], reports[:200]))
        parts = list(
            pool.map(lambda start: server.predict(reports[start : start + 130]), range(0, 1_300, 130))
        )
    assert alone == together[:200]
    assert [score for part in parts for score in part.document["scores"]] == together[:1_300]


def test_every_field_of_a_report_is_taken(server: RunningServer) -> None:
    answers = [server.predict([REPORT | {name: value}]) for name, value in CONTEXT.items()]
    answers.append(server.predict([REPORT | CONTEXT | {"lifetime_matches_created": 7}]))
    assert [answer.status for answer in answers] == [200] * 10


def test_context_is_no_feature(server: RunningServer) -> None:
    with_context = server.predict([REPORT | CONTEXT]).document["scores"]
    assert with_context == server.predict([REPORT]).document["scores"]


@pytest.mark.parametrize("written", ["12", "12.0", "1.2e1", "120e-1"])
def test_twelve_is_twelve_however_it_is_written(server: RunningServer, written: str) -> None:
    """CASES G06."""
    body = json.dumps([REPORT]).replace('"report_text_len": 0', f'"report_text_len": {written}')
    twelve = server.predict([REPORT | {"report_text_len": 12}])
    assert server.predict(body.encode()).document == twelve.document


def test_an_absent_optional_value_is_null(server: RunningServer) -> None:
    null = server.predict([REPORT | {"lifetime_matches_created": None}])
    assert null.document["scores"] == server.predict([REPORT]).document["scores"]
    zero = server.predict([REPORT | {"lifetime_matches_created": 0}])
    assert zero.status == 200


def test_ranges_include_both_ends(server: RunningServer) -> None:
    lowest = dict.fromkeys(["report_text_len", "profile_rating", "popularity", "lifetime_matches_created"], 0)
    highest = {
        "report_text_len": 1_000_000,
        "profile_rating": 5,
        "popularity": 5.0,
        "lifetime_matches_created": 1_000_000_000,
        "exposure": 1e9,
        "report_id": "x" * 128,
        "content_text": "x" * 10_000,
    }
    assert server.predict([REPORT | lowest, REPORT | highest]).status == 200


def test_whitespace_changes_nothing(server: RunningServer) -> None:
    spaced = json.dumps([REPORT], indent=4).replace("\n", "\r\n\t").encode()
    assert server.predict(spaced).document == server.predict([REPORT]).document
