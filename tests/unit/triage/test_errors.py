import pytest

from flagrank.triage.errors import (
    ExtraMissing,
    FileRefused,
    FlagrankError,
    InvalidReports,
    MalformedBody,
    NoModel,
    PackageRefused,
    SchemaRefused,
    SettingsRefused,
    TrainingRefused,
    shorten,
)

KINDS = [
    ExtraMissing,
    FileRefused,
    InvalidReports,
    MalformedBody,
    NoModel,
    PackageRefused,
    SchemaRefused,
    SettingsRefused,
    TrainingRefused,
]


def test_each_kind_of_error_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in (FlagrankError, *KINDS)}) == 1 + len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_its_sentence(kind: type[FlagrankError]) -> None:
    error = kind("What is wrong. What to do.")
    assert str(error) == error.detail == "What is wrong. What to do."
    assert error.fields == ()


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        (ValueError("no digits here.\nsecond line"), "no digits here"),
        (ValueError(), "ValueError"),
        (MemoryError("\n"), "MemoryError"),
        ("\x1b[31mred\x07\u202e", "?[31mred??"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + " [...]"),
        (["n", 5], "['n', 5]"),
    ],
)
def test_a_strangers_words_become_one_short_printable_line(cause: object, shown: str) -> None:
    assert shorten(cause) == shown
