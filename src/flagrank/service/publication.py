"""Publishing a package that lies on this machine, and reading the champion's."""

from pathlib import Path

import msgspec

from flagrank.scoring.package import Package, pack_package, unpack_package
from flagrank.scoring.verification import verify_package
from flagrank.settings import load_schema
from flagrank.triage.audit import Change
from flagrank.triage.errors import NoModel
from flagrank.triage.feature_schema import check_serves
from flagrank.triage.model_registry import ModelRegistry, Publication, Published
from flagrank.triage.ports import ModelIdentity


def publish_package(
    registry: ModelRegistry, path: Path, change: Change, schema_file: Path | None = None
) -> Published:
    """Store the package of a directory or a .zip; the version that it has now. Blocks for a second.

    Raises `PackageRefused`, or `SchemaRefused` where the schema file lacks a feature of it.
    """
    package, content = pack_package(path)
    if schema_file is not None:
        check_serves(load_schema(schema_file), package.manifest.schema, str(schema_file))
    verify_package(package)
    publication = Publication(package.manifest.name, content, package.manifest.metrics)
    return registry.publish(publication, change)


def read_champion_package(registry: ModelRegistry) -> Package:
    """The champion's package under its number in the registry; raises `NoModel` where none was promoted."""
    champion = registry.read_champion()
    if champion is None:
        raise NoModel("No model is promoted. `flagrank model list` shows those to `flagrank model promote`.")
    package = unpack_package(registry.load_package(champion.version), f"model {champion.version}")
    identity = ModelIdentity(champion.name, str(champion.version))
    return msgspec.structs.replace(package, identity=identity)
