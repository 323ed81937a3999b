"""Both readings of a body, the fast and the one that names bad fields, are one rule."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flagrank.settings import load_default_policy
from flagrank.triage.errors import InvalidReports, MalformedBody, SchemaRefused
from flagrank.triage.feature_schema import Feature, FeatureSchema, check_schema
from flagrank.triage.report import CONTEXT_FIELDS, feature_values
from flagrank.triage.report_decoding import ReportDecoder

DEFAULT_POLICY = load_default_policy()

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
REASONS = sorted(DEFAULT_POLICY.severities)

# A report as it is written: doubled names and values that JSON does not have can be put in.
Written = list[tuple[str, str]]

plain_texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
names = st.one_of(
    st.sampled_from(["f0", "f1", "a b", "x:y", "::", "reports[0].a", "it's", "é", "\u00a0", "{", ","]),
    st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\'), min_size=1, max_size=12
    ),
).filter(lambda name: name not in CONTEXT_FIELDS)
values = st.one_of(st.sampled_from(["a:b", '"', "\\", ":", "PRF", "\u2028"]), plain_texts)

JUNK = [
    *(
        "null",
        "true",
        "12.5",
        "-1",
        "1e30",
        "1e400",
        "9007199254740993",
        "1" * 400,
        "1" * 5000,
        "01",
        "1.",
        "tru",
        "",
    ),
    *("NaN", "-Infinity", "[]", "{}", '{"a":1,"a":2}', "[[[[1]]]]", "[" * 50_000, "'x'", '""', '"x"', '"12"'),
    *(
        '"\\u0000"',
        '"\\u001b"',
        '"\x7f"',
        '"\x85"',
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\n"',
        '"\\n"',
        '"a\\tb"',
    ),
    *(
        '"\\u003a"',
        '"\\u003A:"',
        '"\\x"',
        '"javascript:alert(1)"',
        '"https://"',
        '"https://x y"',
        '"http://x"',
    ),
    *(
        '"2027-01-05T10:00:00"',
        '"2027-02-30T10:00:00Z"',
        '"2027-01-05T10:06:00Z"',
        '"2027-01-05T11:04:00+01:00"',
    ),
    *(f'"{"x" * 129}"', f'"{"x" * 257}"', f'"{"x" * 10_001}"', "1000000001", "1000000000.0"),
]
junk = st.sampled_from(JUNK)


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    kind = draw(st.sampled_from(["category", "integer", "number", "boolean"]))
    shared = {"name": name, "type": kind, "nullable": draw(st.booleans()), "optional": draw(st.booleans())}
    if kind == "category":
        listed = draw(st.lists(values, min_size=1, max_size=3, unique=True))
        return Feature(**shared, values=tuple(listed), open=draw(st.booleans()))  # type: ignore[arg-type]
    ends = st.integers(-(2**60), 2**60) if kind == "integer" else st.floats(-1e39, 1e39)
    if kind == "boolean" or draw(st.booleans()):
        return Feature(**shared)  # type: ignore[arg-type]
    low, high = sorted([draw(ends), draw(ends)])
    return Feature(**shared, range=(low, high))  # type: ignore[arg-type]


@st.composite
def schemas(draw: st.DrawFn) -> FeatureSchema:
    taken = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    schema = FeatureSchema(tuple(draw(features(name)) for name in taken))
    assume(holds(schema))
    return schema


def holds(schema: FeatureSchema) -> bool:
    try:
        check_schema(schema, "schema.toml", CONTEXT_FIELDS)
    except SchemaRefused:
        return False
    return True


@st.composite
def written_values(draw: st.DrawFn, feature: Feature) -> str:
    if feature.may_be_null and draw(st.integers(0, 3)) == 0:
        return "null"
    low, high = feature.bounds
    match feature.type:
        case "boolean":
            return draw(st.sampled_from(["true", "false"]))
        case "category":
            known = st.sampled_from(feature.values)
            text = draw(st.one_of(known, plain_texts) if feature.open else known)
            return json.dumps(text, ensure_ascii=draw(st.booleans()))
        case "integer":
            number = draw(st.integers(-int(-low // 1), int(high // 1)))
            return f"{number}.0" if draw(st.booleans()) else str(number)
        case _:
            return repr(draw(st.one_of(st.floats(low, high), st.sampled_from([low, high]))))


@st.composite
def written_context(draw: st.DrawFn) -> Written:
    text = plain_texts.map(json.dumps)
    kinds: dict[str, st.SearchStrategy[str]] = {
        **dict.fromkeys(("report_id", "reporter_id", "reported_id", "content_id"), text),
        "content_url": st.sampled_from(['"https://tools.example/a:b?c=d"', '"HTTP://x/\\u00e9"']),
        "content_text": st.text(
            st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\t")
        ).map(json.dumps),
        "reason": st.sampled_from(REASONS).map(json.dumps),
        "exposure": st.floats(0, 1e9).map(repr),
        "reported_at": st.sampled_from(['"2027-01-05T11:04:00+01:00"', '"2016-12-31t23:59:60.5z"']),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), max_size=5, unique=True))
    return [(name, draw(kinds[name])) for name in chosen]


@st.composite
def written_reports(draw: st.DrawFn, schema: FeatureSchema) -> Written:
    given = [f for f in schema.feature if not (f.optional and draw(st.booleans()))]
    fields = [(json.dumps(f.name, ensure_ascii=draw(st.booleans())), draw(written_values(f))) for f in given]
    fields += [(f'"{name}"', value) for name, value in draw(written_context())]
    return draw(st.permutations(fields))


@st.composite
def mutated(draw: st.DrawFn, reports: list[Written]) -> None:
    """Break some fields of some reports, in place."""
    for _ in range(draw(st.integers(1, 4))):
        report = draw(st.sampled_from(reports))
        kind = draw(st.sampled_from(["replace", "drop", "double", "unknown", "escape"]))
        if not report or kind == "unknown":
            report.append((draw(st.sampled_from(['"unknown"', '""', '"\\u0000"', '"f9"'])), draw(junk)))
            continue
        place = draw(st.integers(0, len(report) - 1))
        name, value = report[place]
        match kind:
            case "replace":
                report[place] = (name, draw(junk))
            case "drop":
                del report[place]
            case "double":
                report.append((name, draw(st.one_of(st.just(value), junk))))
            case _:
                report[place] = (escape(name), value)


def escape(name: str) -> str:
    """A written name with every character as an escape."""
    units = json.loads(name).encode("utf-16-be").hex()
    return '"' + re.sub("....", r"\\u\g<0>", units) + '"'


def write(reports: list[Written], comma: str, colon: str) -> bytes:
    objects = [
        "{" + comma.join(f"{name}{colon}{value}" for name, value in report) + "}" for report in reports
    ]
    return ("[" + comma.join(objects) + "]").encode(errors="surrogatepass")


@st.composite
def bodies(draw: st.DrawFn, schema: FeatureSchema, *, valid: bool) -> bytes:
    reports = draw(st.lists(written_reports(schema), min_size=1, max_size=4))
    if not valid:
        draw(mutated(reports))
    spaces = st.sampled_from(["", " ", "\n\t\r "])
    return write(reports, "," + draw(spaces), draw(spaces) + ":" + draw(spaces))


def outcome(decoder: ReportDecoder, body: bytes) -> object:
    try:
        return decoder.decode(body, NOW)
    except (MalformedBody, InvalidReports) as error:
        return type(error), [problem.path for problem in error.fields]


def decoder_of(schema: FeatureSchema) -> ReportDecoder:
    return ReportDecoder(schema, REASONS)


def read_twice(body: bytes) -> tuple[bytes, bytes]:
    """The body with one more text, plain, and with an escape that has it read again."""
    head, mark, rest = body.partition(b"{")
    comma = b"" if rest.lstrip().startswith(b"}") else b","
    plain = head + mark + b'"content_text":"7"' + comma + rest
    return plain, plain.replace(b'"7"', b'"\\u0037"', 1)


@given(st.data())
def test_a_valid_body_is_read_alike_by_both_readings(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    body = data.draw(bodies(schema, valid=True))
    decoder = decoder_of(schema)
    reports = decoder.decode(body, NOW)
    objects = json.loads(body)
    assert len(reports) == len(objects)
    for position, name in enumerate(schema.names):
        assert feature_values(reports, position) == [written.get(name) for written in objects]
    for report, written in zip(reports, objects, strict=True):
        assert all(getattr(report, name) == written[name] for name in CONTEXT_FIELDS if name in written)
    if b'"content_text"' not in body:
        plain, escaped = read_twice(body)
        assert decoder.decode(plain, NOW) == decoder.decode(escaped, NOW)


@given(st.data())
def test_a_broken_body_is_judged_alike_by_both_readings(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    plain, escaped = read_twice(data.draw(bodies(schema, valid=False)))
    decoder = decoder_of(schema)
    assert outcome(decoder, plain) == outcome(decoder, escaped)


@given(st.data())
def test_a_body_with_any_bytes_changed_is_judged_alike_by_both_readings(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    body = bytearray(data.draw(bodies(schema, valid=True)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(
                st.binary(max_size=3), st.sampled_from([b'"', b":", b",", b"}", b"\\u003a", b"\x00", b"\xff"])
            )
        )
    decoder = decoder_of(schema)
    plain, escaped = read_twice(bytes(body))
    assert outcome(decoder, plain) == outcome(decoder, escaped)


@given(st.data())
def test_a_doubled_field_is_always_refused_by_its_path(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    reports = data.draw(st.lists(written_reports(schema).filter(bool), min_size=1, max_size=3))
    index = data.draw(st.integers(0, len(reports) - 1))
    name, value = data.draw(st.sampled_from(reports[index]))
    spelled = data.draw(st.sampled_from([name, escape(name)]))
    reports[index].insert(data.draw(st.integers(0, len(reports[index]))), (spelled, value))
    with pytest.raises(InvalidReports) as caught:
        decoder_of(schema).decode(write(reports, ",", ":"), NOW)
    assert [problem.path for problem in caught.value.fields] == [f"reports[{index}].{json.loads(name)}"]


@given(
    st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass"))
    )
)
def test_no_bytes_whatever_raise_anything_but_a_refusal(body: bytes) -> None:
    schema = FeatureSchema((Feature("a", "number", optional=True),))
    outcome(decoder_of(schema), body)


EVERY_KIND = FeatureSchema(
    (
        Feature("closed", "category", values=("MSG", "a:b"), optional=True),
        Feature("open", "category", values=("MSG",), open=True),
        Feature("open or null", "category", open=True, optional=True, nullable=True),
        Feature("integer", "integer", range=(0, 1_000), optional=True),
        Feature("integer or null", "integer", nullable=True),
        Feature("number", "number", optional=True),
        Feature("boolean", "boolean", optional=True),
    )
)


@pytest.mark.parametrize("name", [*EVERY_KIND.names, *CONTEXT_FIELDS])
def test_each_odd_value_in_each_field_is_judged_alike_by_both_readings(name: str) -> None:
    decoder = decoder_of(EVERY_KIND)
    for value in JUNK:
        fields = {'"open"': '"MSG"', '"integer or null"': "null", f'"{name}"': value}
        plain, escaped = read_twice(write([list(fields.items())], ",", ":"))
        assert outcome(decoder, plain) == outcome(decoder, escaped), value
