"""JSON objects as bodies: read as declared, else refused with every bad field."""

import json
from typing import Any, Literal

import msgspec
import pytest

from flagrank.api.json_body import decode_body
from flagrank.api.problems import HttpProblem
from flagrank.api.review_wishes import DecisionWish, HeldCases, LeaseWish, ReopenWish
from flagrank.triage.errors import MalformedBody
from flagrank.triage.review import Verdict

TEXTS = ("reason", "note")


class Mixed(msgspec.Struct, forbid_unknown_fields=True):
    """A field of each kind that bodies have."""

    word: Literal["this", "that"] = "this"
    share: float | None = None
    force: bool = False


def refuse(body: bytes | object, kind: type[msgspec.Struct]) -> list[str]:
    """The paths of the bad fields."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(HttpProblem) as caught:
        decode_body(content, kind, TEXTS)
    problem = caught.value
    assert (problem.status, problem.code) == (422, "invalid_body")
    assert problem.detail == problem.fields[0].detail
    for field in problem.fields:
        assert field.detail.startswith(f"{field.path} ")
        assert field.detail.isprintable()
        assert len(field.detail) < 300
    return [field.path for field in problem.fields]


def test_what_is_left_out_has_its_default() -> None:
    assert decode_body(b'{"moderator": "ann"}', LeaseWish) == LeaseWish("ann", 10, 600)
    assert decode_body(b'{"moderator": "ann", "decision": "escalated"}', DecisionWish) == DecisionWish(
        "ann", Verdict.ESCALATED
    )


def test_a_whole_number_may_be_written_with_a_point() -> None:
    read = decode_body(b'{"moderator": "ann", "limit": 7.0, "lease_seconds": 6e1}', LeaseWish)
    assert read == LeaseWish("ann", 7, 60)
    assert type(read.limit) is int


def test_a_number_may_be_whole() -> None:
    assert decode_body(b'{"share": 1}', Mixed).share == 1.0
    assert decode_body(b'{"share": 0.25}', Mixed).share == 0.25


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"moderator": ""}, "body.moderator"),
        ({"moderator": "x" * 129}, "body.moderator"),
        ({"moderator": None}, "body.moderator"),
        ({"moderator": ["ann"]}, "body.moderator"),
        ({"moderator": {"a": 1}}, "body.moderator"),
        ({"moderator": "a\x00b"}, "body.moderator"),
        ({"moderator": "a\nb"}, "body.moderator"),
        ({"moderator": "\ud800"}, "body.moderator"),
        ({"limit": 0}, "body.limit"),
        ({"limit": 101}, "body.limit"),
        ({"limit": 1.5}, "body.limit"),
        ({"limit": "7"}, "body.limit"),
        ({"limit": True}, "body.limit"),
        ({"limit": None}, "body.limit"),
        ({"limit": 10**400}, "body.limit"),
        ({"lease_seconds": 0}, "body.lease_seconds"),
        ({"lease_seconds": 86_401}, "body.lease_seconds"),
        ({"cases": 1}, "body.cases"),
        ({"Limit": 1}, "body.Limit"),
    ],
)
def test_a_bad_field_of_a_lease_is_named(more: dict[str, Any], path: str) -> None:
    assert refuse({"moderator": "ann"} | more, LeaseWish) == [path]


@pytest.mark.parametrize(
    ("case_ids", "path"),
    [
        ([], "body.case_ids"),
        (["a"] * 1_001, "body.case_ids"),
        ("a", "body.case_ids"),
        ([["a"]], "body.case_ids[0]"),
        (["a", 5], "body.case_ids[1]"),
        (["a", "b" * 129], "body.case_ids[1]"),
        (["a", "\x00"], "body.case_ids[1]"),
    ],
)
def test_bad_case_ids_are_named(case_ids: object, path: str) -> None:
    assert refuse({"moderator": "ann", "case_ids": case_ids}, HeldCases) == [path]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"decision": "open"}, "body.decision"),
        ({"decision": None}, "body.decision"),
        ({"reason": "x" * 501}, "body.reason"),
        ({"reason": 5}, "body.reason"),
        ({"note": "x" * 5_001}, "body.note"),
        ({"note": "a\x1bb"}, "body.note"),
        ({"note": "\udfff"}, "body.note"),
    ],
)
def test_a_bad_field_of_a_decision_is_named(more: dict[str, Any], path: str) -> None:
    assert refuse({"moderator": "ann", "decision": "actioned"} | more, DecisionWish) == [path]


def test_free_text_may_have_lines() -> None:
    body = {"moderator": "ann", "decision": "actioned", "reason": "", "note": "a\n\tb \u202e"}
    read = decode_body(json.dumps(body).encode(), DecisionWish, TEXTS)
    assert (read.reason, read.note) == ("", "a\n\tb \u202e")


def test_a_word_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(HttpProblem, match="actioned, dismissed, escalated") as caught:
        decode_body(b'{"moderator": "ann", "decision": "secret"}', DecisionWish)
    assert "secret" not in caught.value.detail
    with pytest.raises(HttpProblem, match="Expected that, this"):
        decode_body(b'{"word": "other"}', Mixed)


def test_every_bad_field_is_named_at_once() -> None:
    body = b'{"moderator": 1, "limit": 0, "limit": 5, "lease_seconds": "1", "x": 1, "y": 2}'
    assert refuse(body, LeaseWish) == [
        "body.limit",
        "body.x",
        "body.y",
        "body.moderator",
        "body.lease_seconds",
    ]
    assert refuse({}, ReopenWish) == ["body.moderator", "body.reason"]
    assert refuse({"moderator": "a", "reason": ""}, ReopenWish) == ["body.reason"]


def test_twenty_bad_fields_are_enough() -> None:
    assert len(refuse({f"field {number}": 1 for number in range(100)}, LeaseWish)) == 20


def test_a_strange_name_is_shown_short_and_printable() -> None:
    paths = refuse({"moderator": "ann", "\u202e\x00" + "x" * 10_000: 1}, LeaseWish)
    assert len(paths[0]) < 60
    assert paths[0].isprintable()


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"5", b'[{"moderator": "ann"}]'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refuse(body, LeaseWish) == ["body"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"limit": NaN}',
        b'{"limit": Infinity}',
        b"[" * 100_000,
        b'{"limit": ' + b"1" * 10_000 + b"}",
        '{"moderator": "ann"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"moderator": "ann"}',
    ],
    ids=range(9),
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="no JSON"):
        decode_body(body, LeaseWish)
