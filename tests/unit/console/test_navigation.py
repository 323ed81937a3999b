import pytest

from flagrank.console.navigation import SECTIONS, find_section


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/console/queue", "Queue"),
        ("/console/queue/news", "Queue"),
        ("/console/cases/0199", "Queue"),
        ("/console/review/decide", "Review"),
        ("/console/models/3/promote", "Models"),
        ("/console/queues", None),
        ("/console/", None),
    ],
)
def test_a_page_belongs_to_the_section_that_it_lies_below(path: str, label: str | None) -> None:
    section = find_section(path)
    assert (section.label if section else None) == label


def test_no_two_sections_hold_the_same_page() -> None:
    for section in SECTIONS:
        assert [one for one in SECTIONS if one.holds(section.path)] == [section]
