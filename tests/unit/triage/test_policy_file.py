from importlib.resources import files

import pytest

from flagrank.settings import load_default_policy
from flagrank.triage.errors import PolicyRefused
from flagrank.triage.policy import (
    Deadline,
    ExposureRules,
    Policy,
    PoolCoefficients,
    ReporterRules,
)
from flagrank.triage.policy_file import MAX_ENTRIES, MAX_POLICY_CHARS, decode_policy, parse_policy

TEXT = (files("flagrank") / "default_policy.toml").read_text(encoding="utf-8")


def parse(text: str) -> Policy:
    return parse_policy(text, "night.toml", 3)


def refuse(text: str) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as caught:
        parse(text)
    return caught.value


def change(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def test_the_default_policy_has_the_numbers_of_the_design() -> None:
    policy = load_default_policy()
    assert policy.severities == {
        "spam": 1,
        "nudity": 2,
        "other": 2,
        "harassment": 4,
        "scam": 5,
        "hate": 6,
        "threat": 12,
        "self_harm": 12,
        "minor_safety": 25,
    }
    assert policy.deadlines == (Deadline(0, 72), Deadline(4, 24), Deadline(12, 4), Deadline(25, 1))
    assert policy.exposure == ExposureRules(0.7, 0.3, 6, 30, 48, {"MSG": 24, "PRF": 120})
    assert policy.reporters == ReporterRules(90, 30, 3, 0.3, 10, 3, 10)
    assert policy.draws.deadline_share == policy.draws.blind_share == 0.05
    leases = policy.leases
    assert (leases.minutes_after_release, leases.severe_from, leases.most_severe_in_a_row) == (10, 12, 0)
    assert policy.moderator_ids == {}
    assert policy.label == "default@1"


def test_every_number_of_the_pool_is_read_by_its_name() -> None:
    assert load_default_policy().pool == PoolCoefficients(
        intercept=-1.2948, max_log_odds=0.5968, sum_weight=0.2982, ln_reporters=1.0, sum_record=0.92
    )


def test_a_policy_gets_the_number_it_is_given() -> None:
    assert parse(change('name = "default"', 'name = "night-2.0"')).label == "night-2.0@3"


def test_reasons_may_be_any_words() -> None:
    policy = parse(change("spam = 1\n", '"Größte Wut" = 9\n'))
    assert policy.severity_of("Größte Wut") == 9
    assert "spam" not in policy.severities


def test_severities_may_differ_by_abuse_type() -> None:
    policy = parse(TEXT + "[severities_by_abuse_type.PRF]\nnudity = 4\n")
    assert policy.severity_of("nudity", "PRF") == 4


def test_a_moderator_may_have_ids_in_the_application() -> None:
    policy = parse(TEXT + '[moderator_ids]\nann = ["u-17", "u-18"]\n"Bo B." = []\n')
    assert policy.moderator_ids == {"ann": ("u-17", "u-18"), "Bo B.": ()}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "spam = 1\n",
            'spam = "high"\n',
            'severities.spam is "high"; expected a number over 0 and at most 1,000. Change it.',
        ),
        (
            "spam = 1\n",
            "spam = true\n",
            "severities.spam is true; expected a number over 0 and at most 1,000. Change it.",
        ),
        (
            "spam = 1\n",
            "spam = 0\n",
            "severities.spam is 0; expected a number over 0 and at most 1,000. Change it.",
        ),
        (
            "spam = 1\n",
            "spam = nan\n",
            "severities.spam is NaN; expected a number over 0 and at most 1,000. Change it.",
        ),
        (
            "spam = 1\n",
            "spam = inf\n",
            "severities.spam is Infinity; expected a number over 0 and at most 1,000. Change it.",
        ),
        ("spam = 1\n", '"" = 1\n', 'severities."" has a name that can\'t be used. Use 1 to 256 characters '),
        (
            "spam = 1\n",
            '"a\\u0007" = 1\n',
            'severities."a\\u0007" has a name that can\'t be used. Use 1 to 256 ',
        ),
        ("other = 2\n", "", "severities.other is missing; reports without a reason count as it. Add it."),
        ("power = 0.7", "power = 1.5", "exposure.power is 1.5; expected a number from 0 to 1. Change it."),
        (
            "views_per_report = 30\n",
            "",
            "exposure.views_per_report is missing; expected a number from 0 to 1,000,000.",
        ),
        (
            "PRF = 120",
            "PRF = 1979-05-27",
            'exposure.life_hours.PRF is "<date>"; expected a number over 0 and at most 8,760.',
        ),
        (
            "sum_weight = 0.2982",
            "sum_weight = -0.2",
            "pool.sum_weight is -0.2; expected a number from 0 to 100.",
        ),
        (
            "intercept = -1.2948",
            "interzept = -1.0",
            "pool.interzept is no key of a policy. Remove it or correct its",
        ),
        (
            "prior_share = 0.3",
            "prior_share = 1",
            "reporters.prior_share is 1; expected a number over 0 and under 1.",
        ),
        (
            "blind_share = 0.05",
            "blind_share = 5",
            "draws.blind_share is 5; expected a number from 0 to 0.5. Change it",
        ),
        ('name = "default"', "name = 3", "name is 3; expected a text. Change it."),
        (
            'name = "default"',
            'name = ""',
            'name is "". Use 1 to 64 lower case letters, digits, dots, dashes and',
        ),
        (
            'name = "default"',
            'name = "a@2"',
            'name is "a@2". Use 1 to 64 lower case letters, digits, dots, dashes',
        ),
        ('name = "default"', 'name = "default"\nversion = 2', "version is given by the store. Remove it."),
        (
            "most_severe_in_a_row = 0",
            "most_severe_in_a_row = 2.5",
            "leases.most_severe_in_a_row is 2.5; expected a whole number from 0 to 1,000. Change it.",
        ),
        ("[draws]", "[dorws]", "draws is missing; expected a table. Add it."),
        ("[severities]", "[[severities]]", "severities is [{"),
        (
            "from_severity = 0\n",
            "",
            "deadlines[0].from_severity is missing; expected a number from 0 to 1,000. Add it.",
        ),
        (
            "from_severity = 0\n",
            "from_severity = 1\n",
            "deadlines[0].from_severity is not 0: some reports would have",
        ),
        (
            "from_severity = 12",
            "from_severity = 4",
            "deadlines[2].from_severity does not rise. Sort the deadlines by",
        ),
        (
            "hours = 4\n",
            "hours = 40\n",
            "deadlines[2].hours is 40, more than a lower severity has. Give the more",
        ),
    ],
)
def test_a_fault_is_told_by_place_with_what_to_do(old: str, new: str, sentence: str) -> None:
    assert f"night.toml: {sentence}" in " ".join(fault.detail for fault in refuse(change(old, new)).fields)


def test_a_policy_without_deadlines_is_refused() -> None:
    start, end = TEXT.index("[[deadlines]]"), TEXT.index("# priority =")
    error = refuse("deadlines = []\n" + TEXT[:start] + TEXT[end:])
    assert error.detail == f"night.toml: deadlines has 0 entries; expected 1 to {MAX_ENTRIES}. Change it."


def test_a_severity_by_abuse_type_needs_its_reason() -> None:
    error = refuse(TEXT + "[severities_by_abuse_type.PRF]\nfraud = 4\n")
    assert [problem.path for problem in error.fields] == ["severities_by_abuse_type.PRF.fraud"]
    assert "is no reason of [severities]. Add it there, or remove it here." in error.detail


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('ann = "u-17"', 'moderator_ids.ann is "u-17"; expected an array of texts. Change it.'),
        ("ann = [17]", "moderator_ids.ann[0] is 17; expected a text. Change it."),
        ('ann = ["a", ""]', 'moderator_ids.ann[1] is "", no id. Use 1 to 128 characters without control'),
        ('"" = ["a"]', 'moderator_ids."" has a name that can\'t be used. Use 1 to 128 characters without'),
        ("ann = [" + '"a",\n' * 201 + "]", "moderator_ids.ann has 201 entries; expected at most 200. Remove"),
        ("\n".join(f"m{n} = []" for n in range(201)), "moderator_ids has 201 entries; expected at most 200."),
    ],
)
def test_a_moderator_whose_ids_are_none_is_told(line: str, sentence: str) -> None:
    assert f"night.toml: {sentence}" in refuse(f"{TEXT}[moderator_ids]\n{line}\n").detail


def test_every_fault_is_told_at_once() -> None:
    text = (
        change("spam = 1\n", "spam = 0\n").replace("hours = 72", "hours = 0").replace("MSG = 24", "MSG = 0")
    )
    error = refuse(text)
    assert {problem.path for problem in error.fields} == {
        "severities.spam",
        "deadlines[0].hours",
        "exposure.life_hours.MSG",
    }
    assert error.detail.startswith("night.toml has 3 faults. night.toml: severities.spam is 0; expected")


def test_no_more_than_twenty_faults_are_told() -> None:
    error = refuse("".join(f"a{n} = 1\n" for n in range(1_000)) + TEXT)
    assert len(error.fields) == 20
    assert error.detail.startswith("night.toml has 20 or more faults. night.toml: a0 is no key of a policy.")


def test_reasons_without_end_are_refused() -> None:
    reasons = "".join(f"r{n} = 1\n" for n in range(MAX_ENTRIES))
    error = refuse(change("spam = 1\n", f"spam = 1\n{reasons}"))
    assert f"severities has 209 entries; expected at most {MAX_ENTRIES}. Remove some." in error.detail


@pytest.mark.parametrize("text", ["a =", "\x00", "a = 1\na = 2", "a = [" + "[\n" * 40_000])
def test_what_is_no_toml_is_refused(text: str) -> None:
    assert refuse(text).detail.startswith("night.toml is no TOML: ")


def test_a_long_value_is_not_shown_whole() -> None:
    error = refuse(change("spam = 1\n", f"spam = 0x{'f' * 380}\n"))
    assert len(error.detail) < 150


def test_a_key_of_parts_without_end_is_refused_unread() -> None:
    error = refuse(change("spam = 1\n", f"spam{'.a' * 40_000} = 1\n"))
    assert "has 80,008 characters; expected at most 400. Make it shorter." in error.detail


def test_a_policy_is_the_same_text_by_whatever_way_it_came() -> None:
    content = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
    assert decode_policy(content, "x.toml") == TEXT


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a\xff", "x.toml is no TOML: byte 1 is not UTF-8. Save it in UTF-8."),
        (b"#" * 400_001, "x.toml has 400,001 bytes; expected at most 100,000 characters. Send a policy."),
    ],
)
def test_what_is_no_text_of_a_policy_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(PolicyRefused) as caught:
        decode_policy(content, "x.toml")
    assert caught.value.detail == sentence


def test_a_text_longer_than_any_policy_is_refused_unread() -> None:
    assert "expected at most 100,000" in refuse("#" * (MAX_POLICY_CHARS + 1)).detail
