import pytest

from flagrank.telemetry.slots import ROW_SLOTS, Slots


def test_slots_are_dealt_once() -> None:
    slots = Slots()
    assert [slots.deal(3), slots.deal(1), slots.deal(2)] == [0, 3, 4]


def test_a_full_row_says_so() -> None:
    slots = Slots()
    slots.deal(ROW_SLOTS)
    with pytest.raises(ValueError, match="slots are asked for"):
        slots.deal(1)
