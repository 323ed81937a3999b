"""The table of bad bodies, over HTTP: each is refused with its problem, and the next request is served."""

import pytest

from tests.api.bad_bodies import BAD_BODIES, BadBody
from tests.api.problem_checks import check_problem
from tests.api.running_server import REPORT, RunningServer

LONGEST_ECHO = 40


@pytest.mark.parametrize("bad", BAD_BODIES, ids=[bad.name for bad in BAD_BODIES])
def test_a_bad_body_is_refused_by_the_path_of_the_field(server: RunningServer, bad: BadBody) -> None:
    problem = check_problem(server.predict(bad.body), bad.status, bad.code)
    assert tuple(error["path"] for error in problem["errors"]) == bad.paths
    for error in problem["errors"]:
        assert error["path"] in error["detail"] or error["path"] == "reports"
        assert len(error["detail"]) < 600
    assert server.predict([REPORT]).status == 200


# Without a body /predict lists tasks: see test_submission.
WITH_BODY = [bad for bad in BAD_BODIES if bad.body]


@pytest.mark.parametrize("bad", WITH_BODY, ids=[bad.name for bad in WITH_BODY])
def test_what_is_not_scored_now_is_not_taken_in_for_later(idle_server: RunningServer, bad: BadBody) -> None:
    now = check_problem(idle_server.predict(bad.body), bad.status, bad.code)
    later = check_problem(
        idle_server.submit(bad.body, headers={"Idempotency-Key": "of a bad body"}), bad.status, bad.code
    )
    assert later["errors"] == now["errors"]
    assert later["detail"] == now["detail"]


def test_a_refused_request_does_not_use_its_key_up(idle_server: RunningServer) -> None:
    headers = {"Idempotency-Key": "refused first"}
    check_problem(idle_server.submit([{}], headers=headers), 422, "invalid_reports")
    assert idle_server.submit([REPORT], headers=headers).status == 202


def test_names_of_unknown_fields_come_back_short_and_printable(server: RunningServer) -> None:
    names = ["\u202e" * 100, "\ud800", "a\nb", "<script>"]
    problem = check_problem(server.predict([REPORT | dict.fromkeys(names, 1)]), 422, "invalid_reports")
    assert len(problem["errors"]) == len(names)
    assert all(error["path"].isprintable() and len(error["path"]) < 800 for error in problem["errors"])


def test_a_personal_text_is_not_echoed(server: RunningServer) -> None:
    personal = "the reporter's own words\u0007"
    answer = server.predict([REPORT | {"content_text": personal, "report_id": personal}])
    check_problem(answer, 422, "invalid_reports")
    assert b"own words" not in answer.body


def test_a_long_value_is_cut(server: RunningServer) -> None:
    problem = check_problem(server.predict([REPORT | {"abuse_type": "x" * 500}]), 422, "invalid_reports")
    assert "x" * LONGEST_ECHO not in problem["errors"][0]["detail"]
