import json
import tracemalloc
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from msgspec import UNSET

from flagrank.settings import load_default_policy
from flagrank.triage.errors import InvalidReports, MalformedBody
from flagrank.triage.feature_schema import Feature, FeatureSchema, parse_schema
from flagrank.triage.report import CONTEXT_FIELDS, feature_values
from flagrank.triage.report_decoding import ReportDecoder

DEFAULT_POLICY = load_default_policy()

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
SCHEMA = parse_schema(
    (files("flagrank") / "default_schema.toml").read_text(encoding="utf-8"),
    "default_schema.toml",
    CONTEXT_FIELDS,
)
DECODER = ReportDecoder(SCHEMA, DEFAULT_POLICY.severities)
VALID: dict[str, Any] = {"abuse_type": "MSG", "report_text_len": 0, "profile_rating": 0, "popularity": 0}
WHOLE: dict[str, Any] = {
    **VALID,
    "lifetime_matches_created": 12,
    "report_id": "r-1",
    "reporter_id": "user:7",
    "reported_id": "Jürgen \u2028",
    "content_id": "c" * 128,
    "content_url": "https://tools.example:8443/c/1?a=b#c",
    "content_text": "first: line\n\tsecond 😀",
    "reason": "threat",
    "exposure": 1e9,
    "reported_at": "2027-01-05T11:04:59+01:00",
}


def refuse(body: str | bytes) -> InvalidReports:
    with pytest.raises(InvalidReports) as caught:
        DECODER.decode(body.encode() if isinstance(body, str) else body, NOW)
    return caught.value


def refuse_field(name: str, written: str) -> str:
    """The sentence about one field of the second of two reports, written as given."""
    broken = {key: json.dumps(value) for key, value in VALID.items()} | {name: written}
    report = ", ".join(f"{json.dumps(key)}: {value}" for key, value in broken.items())
    problems = refuse(f"[{json.dumps(VALID)}, {{{report}}}]").fields
    path = f"reports[1].{name}"
    assert [problem.path for problem in problems] == [path]
    assert problems[0].detail.startswith(path)
    return problems[0].detail.removeprefix(path).strip()


def test_the_first_designs_report_is_read() -> None:
    (report,) = DECODER.decode(json.dumps([VALID], indent=2).encode(), NOW)
    assert [feature_values([report], column) for column in range(5)] == [["MSG"], [0], [0], [0], [None]]
    assert {getattr(report, name) for name in CONTEXT_FIELDS} == {UNSET}


def test_every_field_is_read_as_it_was_sent() -> None:
    (report,) = DECODER.decode(json.dumps([WHOLE]).encode(), NOW)
    assert {name: getattr(report, name) for name in CONTEXT_FIELDS} == {
        name: WHOLE[name] for name in CONTEXT_FIELDS
    }
    assert feature_values([report], 4) == [12]


def test_reports_keep_the_order_sent() -> None:
    body = json.dumps([{**VALID, "report_text_len": length} for length in range(10_000)]).encode()
    assert feature_values(DECODER.decode(body, NOW), 1) == list(range(10_000))


def test_absent_and_null_are_one_where_a_feature_is_optional() -> None:
    body = json.dumps([VALID, {**VALID, "lifetime_matches_created": None}]).encode()
    assert feature_values(DECODER.decode(body, NOW), 4) == [None, None]


@pytest.mark.parametrize(
    ("name", "written", "rest"),
    [
        ("abuse_type", "null", 'is null; expected one of "MSG", "PRF". Send a listed value.'),
        ("abuse_type", '"msg"', 'is "msg"; expected one of "MSG", "PRF". Send a listed value.'),
        ("abuse_type", "{}", 'is an object; expected one of "MSG", "PRF". Send a listed value.'),
        ("report_text_len", "12.5", "is 12.5; expected an integer from 0 to 1,000,000. Send a number."),
        ("report_text_len", '"12"', 'is "12"; expected an integer from 0 to 1,000,000. Send a number.'),
        ("report_text_len", "true", "is true; expected an integer from 0 to 1,000,000. Send a number."),
        ("report_text_len", "-1", "is -1; expected an integer from 0 to 1,000,000. Send a number."),
        (
            "report_text_len",
            "1" + "0" * 30,
            "is 1000000000000000000000000000000; expected an integer from 0 to 1,000,000. Send a number.",
        ),
        (
            "report_text_len",
            "1" * 5_000,
            "is Infinity; expected an integer from 0 to 1,000,000. Send a number.",
        ),
        ("popularity", "NaN", "is NaN, which JSON does not have; expected a number from 0 to 5. "),
        (
            "popularity",
            "-Infinity",
            "is -Infinity, which JSON does not have; expected a number from 0 to 5. ",
        ),
        (
            "popularity",
            "1e999",
            "is Infinity; expected a number from 0 to 5. Send a number, or null if unknown.",
        ),
        (
            "profile_rating",
            "5.0001",
            "is 5.0001; expected a number from 0 to 5. Send a number, or null if unknown.",
        ),
        (
            "profile_rating",
            "[" * 400 + "]" * 400,
            "is an array; expected a number from 0 to 5. Send a number, or",
        ),
        ("report_id", '""', "has 0 characters; expected 1 to 128. Change it, or leave it out."),
        (
            "reporter_id",
            f'"{"s" * 129}"',
            "has 129 characters; expected 1 to 128. Change it, or leave it out.",
        ),
        (
            "reported_id",
            "7",
            "is no text; expected a text of 1 to 128 characters. Send a string, or leave it out.",
        ),
        (
            "content_id",
            "null",
            "is no text; expected a text of 1 to 128 characters. Send a string, or leave it out.",
        ),
        ("report_id", '"a\\u0000"', "holds a control character or half of a surrogate pair. Remove it."),
        ("reporter_id", '"a\\ud800"', "holds a control character or half of a surrogate pair. Remove it."),
        ("content_id", '"a\\n"', "holds a control character or half of a surrogate pair. Remove it."),
        ("content_text", '"a\\r\\n"', "holds a control character or half of a surrogate pair. Remove it."),
        (
            "content_text",
            f'"{"s" * 10_001}"',
            "has 10,001 characters; expected 0 to 10,000. Change it, or leave it",
        ),
        (
            "content_url",
            '"javascript:alert(1)"',
            "is no http or https link. Send one that starts with https://",
        ),
        ("content_url", '"//x/y"', "is no http or https link. Send one that starts with https://"),
        ("content_url", '"https://"', "is no http or https link. Send one that starts with https://"),
        ("content_url", '"https:///path"', "is no http or https link. Send one that starts with https://"),
        ("content_url", '"https:x.example"', "is no http or https link. Send one that starts with https://"),
        ("content_url", '"https://x\\\\y"', "is no http or https link. Send one that starts with https://"),
        ("content_url", '" https://x"', "is no http or https link. Send one that starts with https://"),
        ("content_url", '"https://x/a b"', "is no http or https link. Send one that starts with https://"),
        ("content_url", f'"https://{"x" * 2_041}"', "has 2,049 characters; expected 1 to 2,048."),
        (
            "reason",
            '"rude"',
            'is "rude", no reason of the active policy. Send one of harassment, hate, minor_safety,',
        ),
        ("reason", "[]", "is an array, no reason of the active policy."),
        (
            "exposure",
            "-0.1",
            "is -0.1; expected a number from 0 to 1,000,000,000. Send the expected further views,",
        ),
        ("exposure", '"1"', 'is "1"; expected a number from 0 to 1,000,000,000.'),
        ("exposure", "null", "is null; expected a number from 0 to 1,000,000,000."),
        ("exposure", "NaN", "is NaN, which JSON does not have; expected a number from 0 to 1,000,000,000."),
        (
            "reported_at",
            '"2027-01-05T10:00:00"',
            'is "2027-01-05T10:00:00"; expected a time with offset. Send RFC 3339',
        ),
        ("reported_at", '"2027-02-30T10:00:00Z"', "expected a time with offset. Send RFC 3339"),
        ("reported_at", "1799143200", "is 1799143200; expected a time with offset. Send RFC 3339"),
        (
            "reported_at",
            '"2027-01-05T10:05:01Z"',
            'is "2027-01-05T10:05:01Z", over 5 minutes ahead of our clock.',
        ),
        ("populrity", "1", "is no field of a report. Remove it or correct its name."),
    ],
)
def test_a_bad_field_is_told_by_what_where_and_what_to_do(name: str, written: str, rest: str) -> None:
    assert rest in refuse_field(name, written)


@pytest.mark.parametrize(
    "name", ["report_id", "reporter_id", "reported_id", "content_id", "content_url", "content_text"]
)
def test_what_may_be_personal_is_never_echoed(name: str) -> None:
    for secret in ("Jane\\u0000Doe", "Jane\\ud800Doe", "JaneDoe" * 2_000):
        assert "Jane" not in refuse_field(name, f'"{secret}"')


def test_integers_may_be_written_with_a_zero_fraction() -> None:
    reports = DECODER.decode(
        json.dumps([{**VALID, "report_text_len": 12.0}, {**VALID, "report_text_len": 12}]).encode(), NOW
    )
    assert reports[0] == reports[1]


def test_the_edges_of_every_range_are_taken() -> None:
    low = {**VALID, "lifetime_matches_created": 0, "exposure": 0, "content_text": "", "report_id": "r"}
    high = {**WHOLE, "report_text_len": 1_000_000, "profile_rating": 5, "popularity": 5.0}
    high |= {
        "lifetime_matches_created": 1e9,
        "content_text": "é" * 10_000,
        "content_url": "http://" + "x" * 2_041,
    }
    assert len(DECODER.decode(json.dumps([low, high]).encode(), NOW)) == 2


def test_missing_fields_are_named_with_what_they_take() -> None:
    first, second = refuse('[{"abuse_type": "MSG", "popularity": null}]').fields
    assert first.path == "reports[0].report_text_len"
    assert first.detail.endswith(" is missing; expected an integer from 0 to 1,000,000. Send a number.")
    assert second.path == "reports[0].profile_rating"
    assert second.detail.endswith(
        " is missing; expected a number from 0 to 5. Send a number, or null if unknown."
    )


@pytest.mark.parametrize("second", ['"abuse_type"', '"\\u0061buse_type"', '"abuse\\u005ftype"'])
def test_a_field_given_twice_is_refused_however_it_is_spelled(second: str) -> None:
    body = json.dumps([VALID])[:-2] + f', {second}: "MSG"}}]'
    assert [problem.detail for problem in refuse(body).fields] == [
        "reports[0].abuse_type is given 2 times. Send it once."
    ]


def test_a_colon_hidden_in_an_escape_does_not_hide_a_doubled_field() -> None:
    body = json.dumps([VALID])[:-2] + ', "popularity": 1, "content_text": "\\u003a"}]'
    assert [problem.path for problem in refuse(body).fields] == ["reports[0].popularity"]
    without = json.dumps([VALID])[:-2] + ', "content_text": "\\u003a"}]'
    assert DECODER.decode(without.encode(), NOW)[0].content_text == ":"


def test_of_thirty_bad_fields_twenty_are_named() -> None:
    error = refuse(json.dumps([{**VALID, "popularity": 9}] * 30))
    assert [problem.path for problem in error.fields] == [
        f"reports[{index}].popularity" for index in range(20)
    ]
    assert error.detail.startswith(
        "20 or more fields are not as the report schema says; nothing was scored. "
    )


def test_the_first_bad_field_stands_in_the_sentence_of_the_whole() -> None:
    error = refuse(json.dumps([VALID, {**VALID, "popularity": 9}]))
    assert (
        error.detail
        == f"1 field is not as the report schema says; nothing was scored. {error.fields[0].detail}"
    )


def test_unknown_names_are_shown_short_and_without_control_characters() -> None:
    body = json.dumps([{**VALID, "a\x1b[31m\u202e" + "x" * 500: 1}])
    path = refuse(body).fields[0].path
    assert path.startswith("reports[0].a\\x1b[31m\\u202exxx")
    assert len(path) < 100


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{}", "The body is one object; expected an array of reports. Put it between [ and ]."),
        ("3", "The body is no array; expected an array of reports. Send [{...}, ...]."),
        ("null", "The body is no array; expected an array of reports. Send [{...}, ...]."),
        ("NaN", "The body is no array; expected an array of reports. Send [{...}, ...]."),
        ("[]", "The body has no report; expected 1 to 10,000. Send at least one."),
        ("[3]", "reports[0] is 3; expected an object with the fields of a report. Send one."),
        ("[[]]", "reports[0] is an array; expected an object with the fields of a report. Send one."),
        (
            "[NaN]",
            "reports[0] is NaN, which JSON does not have; expected an object with the fields of a report.",
        ),
        (
            json.dumps([VALID] * 10_001),
            "The body has 10,001 reports; expected 1 to 10,000. Split it into more requests.",
        ),
    ],
)
def test_a_body_that_is_no_list_of_reports_is_told_so(body: str, sentence: str) -> None:
    assert sentence in refuse(body).fields[0].detail


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value at line 1, column 1"),
        (b"   ", "Expecting value at line 1, column 4"),
        (b"[", "Expecting value at line 1, column 2"),
        (json.dumps([VALID]).encode()[:-1], "Expecting ',' delimiter at line 1, column"),
        (json.dumps([VALID]).encode()[:20], "Unterminated string starting at line 1, column"),
        (json.dumps([VALID]).encode() + b"x", "Extra data at line 1, column"),
        (b'[{"a": "\n"}]', "Invalid control character at line 1, column 9"),
        (b'[{"a": "\\x"}]', "Invalid \\escape at line 1, column 9"),
        (b"[{'a': 1}]", "Expecting property name enclosed in double quotes at line 1, column 3"),
        (b'[{"a": 01}]', "Expecting ',' delimiter at line 1, column 9"),
        (b'[{"a": "\xff"}]', "byte 8 is not UTF-8"),
        (b'[{"a": "\xed\xa0\x80"}]', "byte 8 is not UTF-8"),
        (json.dumps([VALID]).encode("utf-16"), "byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf" + json.dumps([VALID]).encode(), "Unexpected UTF-8 BOM"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'[{"popularity": ' + b'{"a":' * 100_000, "it is nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_is_told_where(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        DECODER.decode(body, NOW)
    assert caught.value.detail.startswith(f"The body is no JSON: {reason}")
    assert caught.value.detail.endswith(". Send a JSON array of reports in UTF-8.")


@pytest.mark.parametrize("piece", [b"{},", b"[],", b"0.5,", b'{"a":{}},', b'"ab",', b'"{",', b"[[[[]]]],"])
def test_a_body_of_countless_small_values_is_refused_before_it_fills_memory(piece: bytes) -> None:
    body = b"[" + piece * (2 * 2**20 // len(piece)) + b"0]"
    tracemalloc.start()
    try:
        error = refuse(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "over 340,000 values, more than 10,000 reports have" in error.detail
    assert peak < 2**20


def test_texts_full_of_brackets_and_commas_are_no_values() -> None:
    body = json.dumps([{**VALID, "content_text": '{[,"' * 100}] * 10_000).encode()
    assert len(DECODER.decode(body, NOW)) == 10_000


def test_a_schema_of_optional_features_takes_an_empty_report() -> None:
    decoder = ReportDecoder(FeatureSchema((Feature("a:b", "number", optional=True),)), ())
    assert feature_values(decoder.decode(b'[{}, {"a:b": 1}, {"a:b": null}]', NOW), 0) == [None, 1, None]


def test_a_features_name_of_any_length_stands_whole_in_its_path() -> None:
    name = "n" * 127 + "\u00a0"
    decoder = ReportDecoder(FeatureSchema((Feature(name, "number"),)), ())
    with pytest.raises(InvalidReports) as caught:
        decoder.decode(json.dumps([{name: "x"}]).encode(), NOW)
    assert caught.value.fields[0].path == f"reports[0].{name}"


def test_a_reason_of_another_policy_is_refused() -> None:
    decoder = ReportDecoder(SCHEMA, ["rude"])
    assert decoder.decode(json.dumps([{**VALID, "reason": "rude"}]).encode(), NOW)[0].reason == "rude"
    with pytest.raises(InvalidReports, match="Send one of rude, or leave it out"):
        decoder.decode(json.dumps([{**VALID, "reason": "spam"}]).encode(), NOW)
