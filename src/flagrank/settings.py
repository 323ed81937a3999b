"""Settings: flag, else environment `FLAGRANK_*`, else `flagrank.toml`, else default; read nowhere else."""

import ipaddress
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from flagrank.triage.errors import SettingsRefused
from flagrank.triage.feature_schema import FeatureSchema, parse_schema
from flagrank.triage.policy import Policy
from flagrank.triage.policy_file import parse_policy
from flagrank.triage.report import CONTEXT_FIELDS

FILE = Path("flagrank.toml")
PACKAGE = Path(__file__).parent
DEMO_MODEL = PACKAGE / "demo_model"
DEFAULT_POLICY = PACKAGE / "default_policy.toml"
DEMO_DATA = "./flagrank-demo"
PREFIX = "FLAGRANK_"

_ECHO = re.compile(r"Invalid enum value '.*'(?= - at)", re.DOTALL)  # msgspec repeats what was given

Seconds = Annotated[float, Meta(ge=0, le=3_600)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an operator can set; docs/reference/settings.md says what each one is for."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8081
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    allow_no_keys: bool = False
    body_limit_bytes: Annotated[int, Meta(ge=1_024, le=2**30)] = 32 * 2**20
    body_timeout_seconds: Annotated[float, Meta(gt=0, le=3_600)] = 30.0
    idle_timeout_seconds: Annotated[int, Meta(ge=1, le=3_600)] = 120
    drain_seconds: Seconds | None = None
    shutdown_timeout_seconds: Annotated[int, Meta(ge=1, le=3_600)] = 30
    data_dir: Annotated[str, Meta(min_length=1)] = "./flagrank-data"
    database_url: str | None = None
    processes: Annotated[int, Meta(ge=1, le=256)] = 1
    no_worker: bool = False
    worker_port: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    backlog_tasks: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1_000_000
    least_free_bytes: Annotated[int, Meta(ge=0, le=2**50)] = 256 * 2**20
    lease_seconds: Annotated[float, Meta(ge=1, le=3_600)] = 10.0
    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 5
    claim_tasks: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    claim_reports: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    retention_days: Annotated[float, Meta(gt=0, le=36_500)] = 30.0
    leases_per_moderator: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    leases_in_all: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    log_style: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def is_loopback(self) -> bool:
        """Whether the address to listen on reaches this machine only."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def drain_time(self) -> float:
        """Seconds of answering after SIGTERM: where not set, none on loopback, 5 elsewhere."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        return 0.0 if self.is_loopback else 5.0


def load_settings(
    flags: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    file: Path = FILE,
    *,
    fallback: Mapping[str, Any] = MappingProxyType({}),
) -> Settings:
    """Settings of one command; a flag that is None was not given, a variable that is empty is not set.

    `fallback` takes the place of defaults.

    Raises `SettingsRefused` naming the source of a value that can't be used, and never the value.
    """
    values = dict(fallback) | _read_file(file)
    environment = os.environ if environment is None else environment
    for field in msgspec.structs.fields(Settings):
        variable = PREFIX + field.name.upper()
        text = environment.get(variable, "").strip()
        if text:
            read = _convert({field.name: _read_text(text, field.type)}, variable, strict=False)
            values[field.name] = getattr(read, field.name)
    given = {name: value for name, value in flags.items() if value is not None}
    return _convert(values | given, "the command line")


def _read_text(text: str, kind: object) -> str | list[str]:
    """A variable's text as msgspec converts it: lists at commas, and booleans also as yes and no."""
    if kind is bool:
        return {"yes": "true", "no": "false"}.get(text.lower(), text)
    if typing.get_origin(kind) is tuple:
        return [part for part in map(str.strip, text.split(",")) if part]
    return text


def read_build_time(environment: Mapping[str, str] | None = None) -> str:
    """When something is made, as RFC 3339: now, or `SOURCE_DATE_EPOCH` for a build that repeats itself."""
    epoch = (os.environ if environment is None else environment).get("SOURCE_DATE_EPOCH")
    try:
        time = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SettingsRefused(
            "SOURCE_DATE_EPOCH is no number of seconds. Unset it, or set it to seconds since 1970."
        ) from error
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def load_schema(path: Path | None) -> FeatureSchema:
    """The schema of a TOML file, or the default one."""
    source = path or PACKAGE / "default_schema.toml"
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused(
            f"The schema file {source} can't be read: {error}. Name a TOML file in UTF-8."
        ) from error
    return parse_schema(text, str(source), CONTEXT_FIELDS)


def read_default_policy() -> str:
    """The TOML of the policy that ranks where none was activated: `default@1`."""
    return DEFAULT_POLICY.read_text(encoding="utf-8")


def load_default_policy() -> Policy:
    """The same as a policy."""
    return parse_policy(read_default_policy(), DEFAULT_POLICY.name, version=1)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:  # no UTF-8 and no TOML are ValueErrors
        raise SettingsRefused(f"{file} can't be read: {error}. Mend it or move it away.") from error
    _convert(values, str(file))
    return values


def _convert(values: Mapping[str, Any], source: str, *, strict: bool = True) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=strict)
    except msgspec.ValidationError as error:
        reason = _ECHO.sub("Expected another word", str(error)).replace(" - at `$.", " for `")
        raise SettingsRefused(
            f"A setting from {source} can't be used: {reason}. See docs/reference/settings.md."
        ) from error
