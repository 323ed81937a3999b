"""Why a case stands where it does, whatever is in the case."""

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flagrank.triage.report import MAX_EXPOSURE
from flagrank.triage.review import QueueCase
from flagrank.triage.why import MOST_REASON_CHARS, tell_why
from tests.unit.triage.test_why import CASE

HOSTILE = st.text(max_size=300) | st.sampled_from(
    ["<script>alert(1)</script>", "\u202egpj.exe", "a" * 10_000, "x\ny; 99 % likely", "\x00", "\ud800"]
)
CASES = st.builds(
    lambda **values: msgspec.structs.replace(CASE, **values),
    score=st.floats(0, 1),
    severity=st.floats(1e-9, 1_000),
    exposure=st.floats(0, MAX_EXPOSURE),
    reason=HOSTILE,
    abuse_type=HOSTILE,
    reported_id=HOSTILE,
    content_id=HOSTILE,
    leased_by=HOSTILE,
    n_reports=st.integers(1, 10**9),
    n_reporters=st.integers(1, 10**9),
)
SENTENCE = re.compile(
    r"Reported ([\d,]+ times )?by (one reporter|[\d,]+ reporters)(, at worst)? for .{0,61} "
    r"\(severity [\d.e-]+\); (under 1|over 99|\d+) % likely to deserve action, "
    r"(no further view|one further view|[\d,]+ further views) expected\."
)


@given(CASES)
def test_it_is_one_printable_line_of_numbers_and_the_reason(case: QueueCase) -> None:
    sentence = tell_why(case)
    assert SENTENCE.fullmatch(sentence)
    assert sentence.isprintable()
    assert len(sentence) < 250


@given(CASES, HOSTILE)
def test_it_holds_no_other_text_of_the_case(case: QueueCase, text: str) -> None:
    changed = msgspec.structs.replace(
        case, abuse_type=text, reported_id=text, content_id=text, leased_by=text
    )
    assert tell_why(changed) == tell_why(case)


@given(CASES)
def test_a_long_reason_is_cut(case: QueueCase) -> None:
    longer = msgspec.structs.replace(case, reason="a" * MOST_REASON_CHARS + (case.reason or ""))
    told = tell_why(longer).partition(" for ")[2].partition(" (severity")[0]
    assert told in {"a" * MOST_REASON_CHARS, "a" * MOST_REASON_CHARS + "…"}
