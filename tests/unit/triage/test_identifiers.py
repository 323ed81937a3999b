import re
import time
import uuid

import pytest

from flagrank.triage.identifiers import (
    IdentifierSource,
    pack_identifier,
    parse_identifier,
    unpack_identifier,
)


def test_an_id_is_a_uuid_of_version_7_and_now() -> None:
    (made,) = IdentifierSource().make()
    parsed = uuid.UUID(made)
    assert str(parsed) == made
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert abs((parsed.int >> 80) / 1_000 - time.time()) < 60


def test_ids_rise_within_a_call_and_from_call_to_call() -> None:
    source = IdentifierSource()
    made = [one for count in (1, 10_000, 3, 1) for one in source.make(count)]
    assert made == sorted(set(made))


def test_ids_rise_as_the_clock_stands_still_or_goes_back() -> None:
    clock = iter([1_000, 1_000, 999, 0, 1_001])
    source = IdentifierSource(lambda: next(clock))
    made = [one for _ in range(5) for one in source.make(2)]
    assert made == sorted(set(made))
    assert {uuid.UUID(one).version for one in made} == {7}
    assert uuid.UUID(made[-1]).int >> 80 == 1_001


def test_two_sources_make_different_ids_in_the_same_millisecond() -> None:
    sources = [IdentifierSource(lambda: 1_000) for _ in range(100)]
    assert len({source.make()[0] for source in sources}) == 100


def test_the_last_millisecond_of_48_bits_still_makes_one() -> None:
    (made,) = IdentifierSource(lambda: 2**48 - 1).make()
    assert made.startswith("ffffffff-ffff-7")


@pytest.mark.parametrize(
    "text", ["01A210D3-E6A3-7226-BDE5-6E90E338D5B2", "01a210d3-e6a3-7226-bde5-6e90e338d5b2"]
)
def test_an_id_is_read_in_either_case(text: str) -> None:
    assert parse_identifier(text) == "01a210d3-e6a3-7226-bde5-6e90e338d5b2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nope",
        "01a210d3e6a37226bde56e90e338d5b2",
        "01a210d3-e6a3-7226-bde5-6e90e338d5b2\n",
        " 01a210d3-e6a3-7226-bde5-6e90e338d5b2",
        "{01a210d3-e6a3-7226-bde5-6e90e338d5b2}",
        "01a210d3-e6a3-7226-bde5-6e90e338d5bg",
        "\u0661" * 8 + "-e6a3-7226-bde5-6e90e338d5b2",
    ],
)
def test_other_text_is_no_id(text: str) -> None:
    assert parse_identifier(text) is None


def test_packed_ids_come_back_and_sort_alike() -> None:
    made = IdentifierSource().make(50)
    packed = [pack_identifier(one) for one in made]
    assert [unpack_identifier(one) for one in packed] == made
    assert packed == sorted(packed)
    assert {len(one) for one in packed} == {16}
    assert all(re.fullmatch(r"[0-9a-f-]{36}", one) for one in made)
