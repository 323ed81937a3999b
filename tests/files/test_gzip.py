import gzip
from pathlib import Path

import pytest

from flagrank.triage.errors import FileRefused
from tests.reading import GOOD, HEADER, read_features

TEXT = "".join(line + "\n" for line in (HEADER, *[GOOD] * 5_000)).encode()


def refuse(path: Path) -> str:
    with pytest.raises(FileRefused) as refusal:
        read_features(path)
    return refusal.value.detail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.csv.gz"


@pytest.mark.parametrize("cut", [1, 30, 5_000, len(TEXT) // 2, len(TEXT) - 1])
def test_every_member_is_read(path: Path, cut: int) -> None:
    path.write_bytes(gzip.compress(TEXT[:cut]) + gzip.compress(b"") + gzip.compress(TEXT[cut:]))
    assert read_features(path)["length"] == [12] * 5_000


@pytest.mark.parametrize("cut", [5, 20, 200, -1, -9])
def test_a_file_that_is_cut_off_is_refused(path: Path, cut: int) -> None:
    path.write_bytes(gzip.compress(TEXT)[:cut])
    assert "can't be read to its end" in refuse(path)


def test_text_behind_the_last_member_is_refused(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT) + b"twenty bytes of text")
    assert "can't be read to its end" in refuse(path)


def test_a_flipped_bit_is_refused(path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 1
    path.write_bytes(packed)
    assert "can't be read to its end" in refuse(path)


def test_a_plain_file_of_that_name_and_a_packed_one_of_another_are_refused(path: Path) -> None:
    path.write_bytes(TEXT)
    assert "can't be read to its end" in refuse(path)
    plain = path.with_suffix("")
    plain.write_bytes(gzip.compress(TEXT))
    assert "is not UTF-8" in refuse(plain)
