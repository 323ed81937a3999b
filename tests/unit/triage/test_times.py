from datetime import UTC, datetime, timedelta

import pytest

from flagrank.triage.times import parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-05T10:00:00Z", datetime(2027, 1, 5, 10, tzinfo=UTC)),
        ("2027-01-05t10:00:00z", datetime(2027, 1, 5, 10, tzinfo=UTC)),
        ("2027-01-05T10:00:00+01:00", datetime(2027, 1, 5, 9, tzinfo=UTC)),
        ("2027-01-05T00:30:00-23:59", datetime(2027, 1, 6, 0, 29, tzinfo=UTC)),
        ("2027-01-05T10:00:00-00:00", datetime(2027, 1, 5, 10, tzinfo=UTC)),
        ("2027-01-05T10:00:00.5Z", datetime(2027, 1, 5, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2027-01-05T10:00:00.123456499Z", datetime(2027, 1, 5, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_an_rfc_3339_time_is_read(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


def test_the_offset_is_kept() -> None:
    assert parse_time("2027-01-05T10:00:00+05:30").utcoffset() == timedelta(hours=5, minutes=30)


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T23:59:60Z",
        "2017-01-01T05:29:60+05:30",
        "2016-12-31T15:59:60.25-08:00",
    ],
)
def test_a_leap_second_becomes_the_second_after_it(text: str) -> None:
    assert parse_time(text).replace(microsecond=0) == datetime(2017, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2027-01-05T10:00:00", id="no offset"),
        pytest.param("2027-01-05T10:00:00 01:00", id="a plus that a URL made a space"),
        pytest.param("2027-01-05 10:00:00Z", id="a space for the T"),
        pytest.param("2027-01-05_10:00:00Z", id="another character for the T"),
        pytest.param("2027-01-05T10:00:00+0100", id="offset without colon"),
        pytest.param("2027-01-05T10:00:00+01", id="offset of hours only"),
        pytest.param("2027-01-05T10:00:00+24:00", id="offset of a day"),
        pytest.param("2027-01-05T10:00:00+01:60", id="offset of 60 minutes"),
        pytest.param("2027-01-05T10:00:00+01:00:00", id="offset with seconds"),
        pytest.param("2027-01-05T10:00Z", id="no seconds"),
        pytest.param("2027-01-05T24:00:00Z", id="24:00"),
        pytest.param("2027-01-05T10:60:00Z", id="minute 60"),
        pytest.param("2027-01-05T10:00:61Z", id="second 61"),
        pytest.param("2027-01-05T10:00:60Z", id="a leap second at ten"),
        pytest.param("2016-12-31T23:59:60+01:00", id="a leap second at 22:59 UTC"),
        pytest.param("2027-02-30T10:00:00Z", id="30 February"),
        pytest.param("2027-02-29T10:00:00Z", id="29 February of no leap year"),
        pytest.param("2027-13-01T10:00:00Z", id="month 13"),
        pytest.param("0000-01-01T00:00:00Z", id="year 0"),
        pytest.param("0001-01-01T00:00:00+01:00", id="before the calendar in UTC"),
        pytest.param("9999-12-31T23:59:60Z", id="after the calendar in UTC"),
        pytest.param("2027-01-05T10:00:00.Z", id="a fraction without digits"),
        pytest.param("2027-01-05T10:00:00,5Z", id="a comma for the point"),
        pytest.param("20270105T100000Z", id="basic form"),
        pytest.param("2027-W01-2T10:00:00Z", id="week date"),
        pytest.param("2027-01-05", id="date only"),
        pytest.param("1799143200", id="seconds since 1970"),
        pytest.param(" 2027-01-05T10:00:00Z", id="space before"),
        pytest.param("2027-01-05T10:00:00Z ", id="space after"),
        pytest.param("2027-01-05T10:00:00Z\n", id="line end after"),
        pytest.param("٢٠٢٧-01-05T10:00:00Z", id="digits of another script"),
        pytest.param("2027-01-05T10:00:00\u221201:00", id="a minus sign that is no hyphen"),
        pytest.param("", id="nothing"),
        pytest.param("T", id="the T only"),
        pytest.param("now", id="a word"),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no RFC 3339"):
        parse_time(text)
