"""Which package a command scores with."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagrank.scoring.package import Package


def find_package(model: str) -> "Package":
    """The package that is bundled (demo), the champion's in the database, or one in a directory."""
    from flagrank.scoring.package import read_package
    from flagrank.settings import DEMO_MODEL, load_settings

    if model != "champion":
        return read_package(DEMO_MODEL if model == "demo" else Path(model))
    from flagrank.service.publication import read_champion_package
    from flagrank.service.store import opened_store
    from flagrank.storage.model_registry import StoredModelRegistry

    with opened_store(load_settings({})) as database:
        return read_champion_package(StoredModelRegistry(database))
