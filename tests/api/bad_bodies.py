"""Bodies of `POST /prediction` that are refused: with what, and which fields are named."""

import json
from typing import NamedTuple

from tests.api.running_server import REPORT


class BadBody(NamedTuple):
    """A body, the answer's status and code, and the paths of the fields that it names, in order."""

    name: str
    body: bytes
    status: int = 422
    code: str = "invalid_reports"
    paths: tuple[str, ...] = ()


GOOD = json.dumps(REPORT)
INNER = GOOD[1:-1]


def _second(name: str, field: str, text: str) -> BadBody:
    """A good report, then one whose field has this value, written as JSON text."""
    pairs = {key: json.dumps(value) for key, value in REPORT.items()} | {field: text}
    bad = ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs.items())
    return BadBody(name, f"[{GOOD}, {{{bad}}}]".encode(), paths=(f"reports[1].{field}",))


def _malformed(name: str, body: bytes) -> BadBody:
    return BadBody(name, body, 400, "malformed_body")


def _without(field: str) -> bytes:
    return json.dumps([{key: value for key, value in REPORT.items() if key != field}]).encode()


_LONG = json.dumps("x" * 129)
_FAR_AHEAD = json.dumps("2999-01-01T00:00:00Z")

MALFORMED = [
    _malformed("an empty body", b""),
    _malformed("a truncated body", f"[{GOOD}"[:-3].encode()),
    _malformed("a text behind the array", f"[{GOOD}] x".encode()),
    _malformed("two arrays", f"[{GOOD}][{GOOD}]".encode()),
    _malformed("no JSON", b"abuse_type=MSG"),
    _malformed("malformed UTF-8", b'[{"abuse_type": "MS\xff"}]'),
    _malformed("malformed UTF-8 in an id", f'[{{{INNER}, "report_id": "'.encode() + b'\xc3\x28"}]'),
    _malformed("an overlong UTF-8 sequence", f'[{{{INNER}, "report_id": "'.encode() + b'\xc0\xaf"}]'),
    _malformed("a UTF-8 encoded surrogate", f'[{{{INNER}, "report_id": "'.encode() + b'\xed\xa0\x80"}]'),
    _malformed("UTF-16", f"[{GOOD}]".encode("utf-16")),
    _malformed("a raw newline in a text", f'[{{{INNER}, "report_id": "a\nb"}}]'.encode()),
    _malformed("deep nesting", b"[" * 100_000),
    _malformed("deep nesting, closed", b"[" * 100_000 + b"]" * 100_000),
    _malformed("deep nesting of objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    _malformed("a leading zero", f"[{GOOD}]".replace(": 0,", ": 01,", 1).encode()),
    _malformed("a trailing comma", f"[{GOOD},]".encode()),
    _malformed("single quotes", f"[{GOOD}]".replace('"', "'").encode()),
    _malformed("a comment", f"[{GOOD} /* one */]".encode()),
]

NO_REPORTS = [
    BadBody("no report", b"[]", paths=("reports",)),
    BadBody("one object", GOOD.encode(), paths=("reports",)),
    BadBody("a number", b"3", paths=("reports",)),
    BadBody("a text", b'"MSG"', paths=("reports",)),
    BadBody("null", b"null", paths=("reports",)),
    BadBody("10,001 reports", f"[{','.join([GOOD] * 10_001)}]".encode(), paths=("reports",)),
    BadBody("a number for a report", f"[{GOOD}, 1]".encode(), paths=("reports[1]",)),
    BadBody("an array for a report", f"[{GOOD}, []]".encode(), paths=("reports[1]",)),
    BadBody("null for a report", f"[{GOOD}, null]".encode(), paths=("reports[1]",)),
]

BAD_FIELDS = [
    _second("a number as a text", "report_text_len", '"7"'),
    _second("an integer below its range", "report_text_len", "-1"),
    _second("an integer above its range", "report_text_len", "1000001"),
    _second("half an integer (G06)", "report_text_len", "12.5"),
    _second("half an optional integer (G06)", "lifetime_matches_created", "0.5"),
    _second("true for an integer (G06)", "report_text_len", "true"),
    _second("true for a number (G06)", "popularity", "true"),
    _second("null where null is no value", "report_text_len", "null"),
    _second("null for a category", "abuse_type", "null"),
    _second("ten to the thirty", "report_text_len", "1" + "0" * 30),
    _second("ten to the thirty for a number", "popularity", "1e30"),
    _second("ten to the five thousand", "report_text_len", "1" + "0" * 5_000),
    _second("beyond any float", "popularity", "1e999"),
    _second("NaN", "popularity", "NaN"),
    _second("Infinity", "popularity", "Infinity"),
    _second("minus Infinity", "popularity", "-Infinity"),
    _second("a number above its range", "profile_rating", "5.0000001"),
    _second("a number below its range", "profile_rating", "-1e-9"),
    _second("an array for a number", "popularity", "[1]"),
    _second("an object for a number", "popularity", "{}"),
    _second("a value that the category lacks", "abuse_type", '"XYZ"'),
    _second("a category in lower case", "abuse_type", '"msg"'),
    _second("a category with a space", "abuse_type", '"MSG "'),
    _second("a number for a category", "abuse_type", "1"),
    _second("an unknown field", "nope", "1"),
    _second("an unknown field with a bracket", "report_id[0]", '"a"'),
    _second("an id too long", "report_id", _LONG),
    _second("an empty id", "reporter_id", '""'),
    _second("a number for an id", "reported_id", "17"),
    _second("null for an id", "content_id", "null"),
    _second("NUL in an id (G05)", "report_id", '"a\\u0000b"'),
    _second("NUL in a reporter (G05)", "reporter_id", '"\\u0000"'),
    _second("a lone surrogate in an id (G05)", "report_id", '"\\ud800"'),
    _second("a lone low surrogate in a text (G05)", "content_text", '"\\udc00"'),
    _second("NUL in a text", "content_text", '"a\\u0000b"'),
    _second("NUL in a reason (G05)", "reason", '"scam\\u0000"'),
    _second("a lone surrogate in a reason (G05)", "reason", '"\\ud800"'),
    _second("a control character in an id", "report_id", '"a\\nb"'),
    _second("a C1 control character in an id", "report_id", '"a\\u0085b"'),
    _second("a text too long", "content_text", json.dumps("x" * 10_001)),
    _second("a bell in a text", "content_text", '"a\\u0007b"'),
    _second("a link that runs", "content_url", '"javascript:alert(1)"'),
    _second("a link of a file", "content_url", '"file:///etc/passwd"'),
    _second("a link with a space", "content_url", '"https://example.org/a b"'),
    _second("a link without a host", "content_url", '"https://"'),
    _second("a link too long", "content_url", json.dumps("https://example.org/" + "x" * 2_048)),
    _second("a reason that the policy lacks", "reason", '"boring"'),
    _second("an array for a reason", "reason", '["scam"]'),
    _second("a negative exposure", "exposure", "-0.5"),
    _second("too much exposure", "exposure", "1000000001"),
    _second("a text for an exposure", "exposure", '"40"'),
    _second("NaN for an exposure", "exposure", "NaN"),
    _second("a time without offset (G16)", "reported_at", '"2026-01-05T10:00:00"'),
    _second("the thirtieth of February (G16)", "reported_at", '"2026-02-30T10:00:00Z"'),
    _second("a date alone", "reported_at", '"2026-01-05"'),
    _second("a time far ahead", "reported_at", _FAR_AHEAD),
    _second("a number for a time", "reported_at", "1767607200"),
]

SEVERAL_FIELDS = [
    BadBody("a missing field", _without("popularity"), paths=("reports[0].popularity",)),
    BadBody("an empty report", b"[{}]", paths=tuple(f"reports[0].{name}" for name in REPORT)),
    BadBody(
        "a doubled field",
        f'[{{{INNER}, "popularity": 1}}]'.encode(),
        paths=("reports[0].popularity",),
    ),
    BadBody(
        "a doubled field with equal values",
        f'[{{{INNER}, "popularity": 0}}]'.encode(),
        paths=("reports[0].popularity",),
    ),
    BadBody(
        "a doubled field, once by an escape",
        f'[{{{INNER}, "p\\u006fpularity": 0}}]'.encode(),
        paths=("reports[0].popularity",),
    ),
    BadBody(
        "a doubled id beside a colon in a text",
        f'[{{{INNER}, "report_id": "a:b", "report_id": "c"}}]'.encode(),
        paths=("reports[0].report_id",),
    ),
    BadBody(
        "bad fields in three reports",
        json.dumps([REPORT | {"popularity": -1}, REPORT, REPORT | {"abuse_type": "X"}, {"a": 1}]).encode(),
        paths=(
            "reports[0].popularity",
            "reports[2].abuse_type",
            "reports[3].a",
            *(f"reports[3].{name}" for name in REPORT),
        ),
    ),
    BadBody(
        "thirty bad fields, of which twenty are named",
        json.dumps([REPORT | {"report_text_len": -i} for i in range(1, 31)]).encode(),
        paths=tuple(f"reports[{i}].report_text_len" for i in range(20)),
    ),
    BadBody(
        "the last of 10,000 reports",
        json.dumps([REPORT] * 9_999 + [REPORT | {"popularity": "5"}]).encode(),
        paths=("reports[9999].popularity",),
    ),
]

BAD_BODIES = [*MALFORMED, *NO_REPORTS, *BAD_FIELDS, *SEVERAL_FIELDS]
