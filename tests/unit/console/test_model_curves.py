import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flagrank.console.model_curves import KEPT, KnownCurves
from flagrank.triage.curves import Curves
from flagrank.triage.errors import ModelNotFound, PackageRefused


def find(read: Callable[[int], Curves], versions: list[int]) -> list[Curves | str]:
    """The curves of versions that are asked for all at once."""

    async def ask() -> list[Curves | str]:
        with ThreadPoolExecutor(2) as working:
            known = KnownCurves(read, working)
            return await asyncio.gather(*map(known.find, versions))

    return asyncio.run(ask())


class Reader:
    """Reads curves that tell their version by their rows, and counts."""

    def __init__(self) -> None:
        self.versions: list[int] = []

    def read(self, version: int) -> Curves:
        self.versions.append(version)
        if version == 13:
            raise PackageRefused("It is damaged. Publish it again.")
        return Curves(version, 0, (), (), ())


def test_a_package_is_read_once_also_by_many_at_the_same_time() -> None:
    reader = Reader()
    found = find(reader.read, [1, 2, 1, 1, 2])
    assert [one.rows for one in found if isinstance(one, Curves)] == [1, 2, 1, 1, 2]
    assert reader.versions == [1, 2]


def test_a_package_that_is_refused_is_read_once_too() -> None:
    reader = Reader()
    assert find(reader.read, [13, 13]) == ["It is damaged. Publish it again."] * 2
    assert reader.versions == [13]


def test_what_was_read_first_is_forgotten_first() -> None:
    reader = Reader()
    versions = list(range(100, 100 + KEPT))
    find(reader.read, [*versions, 1, versions[-1], versions[0]])
    assert reader.versions == [*versions, 1, versions[0]]


def test_a_model_that_is_gone_is_no_curve() -> None:
    def read(version: int) -> Curves:
        raise ModelNotFound(f"No model has version {version}.")

    with pytest.raises(ModelNotFound):
        find(read, [1])
