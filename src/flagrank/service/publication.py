"""Publishing a model package: read, verified, stored; and promoting it."""

from pathlib import Path

from flagrank.scoring.package import pack_package
from flagrank.scoring.verification import verify_package
from flagrank.settings import load_schema
from flagrank.triage.feature_schema import check_serves
from flagrank.triage.model_registry import ModelRegistry, Publication, PublishedModel


def publish_package(registry: ModelRegistry, path: Path, schema_file: Path | None = None) -> PublishedModel:
    """Store the package of a directory or a .zip; the version that it has now. Blocks for a second.

    Raises `PackageRefused`, or `SchemaRefused` where the schema file lacks a feature of it.
    """
    package, content = pack_package(path)
    if schema_file is not None:
        check_serves(load_schema(schema_file), package.manifest.schema, str(schema_file))
    verify_package(package)
    return registry.publish(Publication(package.manifest.name, content, package.manifest.metrics))
