"""Reference and code say the same, both ways: settings, commands, problems, schema, package, files."""

import math
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer

from flagrank.api.application import create_application
from flagrank.api.problems import STATUS_OF
from flagrank.api.shown_cases import CaseView, ShownCase
from flagrank.api.submission import KNOWN
from flagrank.api.tasks import ShownTask
from flagrank.cli import application
from flagrank.files.kind import Family, find_kind
from flagrank.scoring.package import Manifest
from flagrank.settings import DEMO_MODEL, Settings, load_default_policy, load_schema
from flagrank.training.metrics import Metrics
from flagrank.triage.errors import StoreRefused
from flagrank.triage.feature_schema import MAX_CATEGORY_CHARS, MAX_FEATURES, MAX_NAME_CHARS, Feature
from flagrank.triage.policy import Policy
from flagrank.triage.policy_file import (
    MAX_ENTRIES,
    MAX_LINE_CHARS,
    MAX_POLICY_BYTES,
    MAX_POLICY_CHARS,
    MAX_POLICY_NAME_CHARS,
)
from flagrank.triage.policy_ports import ShownPolicy
from flagrank.triage.report import CONTEXT_FIELDS
from tests.docs.documents import REFERENCE, ROOT, find_pages, read_codes, read_rows, read_section

DEFAULT_POLICY = load_default_policy()

HTTP, CLI = REFERENCE / "http.md", REFERENCE / "cli.md"
SETTINGS = {row[0].strip("`"): row[1:] for row in read_rows((REFERENCE / "settings.md").read_text())}


def spell(value: object) -> str:
    """A default as the page writes it."""
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def find_bounds(kind: Any) -> list[float]:  # noqa: ANN401 - one of msgspec's many type classes
    """The least and the greatest that a setting's type allows."""
    found = [
        getattr(part, name, None)
        for part in getattr(kind, "types", (kind,))
        for name in ("ge", "gt", "le", "lt")
    ]
    return [bound for bound in found if bound is not None]


def find_commands() -> dict[str, Any]:
    """Every command that can be run, by its words."""
    found = {}
    waiting: list[tuple[str, Any]] = [("flagrank", typer.main.get_command(application))]
    while waiting:
        words, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [(f"{words} {name}", inner) for name, inner in below.items()]
        if not below:
            found[words] = command
    return found


COMMANDS = find_commands()


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(SETTINGS) == set(Settings.__struct_fields__)


@pytest.mark.parametrize("field", msgspec.inspect.type_info(Settings).fields, ids=lambda field: field.name)  # type: ignore[attr-defined]
def test_a_setting_is_documented_with_flag_variable_default_and_range(field: Any) -> None:  # noqa: ANN401
    flag, variable, default, meaning = SETTINGS[field.name]
    flags = {option for param in COMMANDS["flagrank serve"].params for option in param.opts}
    spelled = f"--{field.name.replace('_', '-')}"
    assert flag.strip("`") == (spelled if spelled in flags else "")
    assert variable == f"`FLAGRANK_{field.name.upper()}`"
    assert default.strip("`") == spell(field.default)
    for bound in find_bounds(field.type):
        assert {f"{bound:,g}", f"{bound:,.0f}", f"{bound:.0f}"} & set(re.findall(r"[\d,.]*\d", meaning)), (
            bound
        )


def test_every_command_is_documented_and_no_other() -> None:
    documented = re.findall(r"^## (flagrank .+)$", CLI.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(COMMANDS)


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_the_flags_of_a_command_are_documented_with_their_defaults_and_no_other(words: str) -> None:
    documented = {
        read_codes(row[0])[0]: row[1]
        for row in read_rows(read_section(CLI, f"## {words}"))
        if row[0].startswith("`--")
    }
    params = {param.opts[0]: param for param in COMMANDS[words].params if param.opts[0].startswith("--")}
    params.pop("--help", None)
    assert set(documented) == set(params)
    for flag, param in params.items():
        assert (documented[flag] == "required") == param.required, flag
        if param.default not in {None, False, ""} and not param.required:
            assert documented[flag] == spell(param.default), flag


def test_the_arguments_of_a_command_are_documented() -> None:
    for words, command in COMMANDS.items():
        arguments = [p for p in command.params if not p.opts[0].startswith("-")]
        names = [str(p.metavar or p.name) for p in arguments if not getattr(p, "hidden", False)]
        usage = " ".join([words, *names])
        assert not names or f"`{usage}`" in read_section(CLI, f"## {words}"), usage


def test_every_figure_is_documented_and_no_other() -> None:
    section = read_section(CLI, "## flagrank train").partition("The figures")[2]
    documented = [name for row in read_rows(section) for name in read_codes(row[0])]
    assert documented == list(Metrics.__struct_fields__)


def test_every_problem_is_documented_and_no_other() -> None:
    rows = read_rows(read_section(HTTP, "## Problems").partition("| Status |")[2])
    documented = {(int(row[0]), row[1].strip("`")) for row in rows if row[0].isdigit()}
    source = "".join(
        path.read_text()
        for room in ("api", "service")
        for path in (ROOT / "src/flagrank" / room).glob("*.py")
    )
    raised = {
        (int(status), code) for status, code in re.findall(r'HttpProblem\(\s*(\d{3}),\s*"([a-z_]+)"', source)
    }
    assert len(raised) > 10
    assert documented == raised | {(status, kind.code) for kind, status in STATUS_OF.items()}


def test_every_code_of_a_task_s_error_is_documented_and_no_other() -> None:
    rows = read_rows(read_section(HTTP, "## GET /task").partition("| Code of `error` |")[2])
    documented = {row[0].strip("`") for row in rows if len(row) == 2 and row[0].startswith("`")}
    source = "".join(path.read_text() for path in (ROOT / "src/flagrank/worker").glob("*.py"))
    named = set(re.findall(r'TaskError\(\s*"([a-z_]+)"', source))
    assert len(named) == 3
    assert documented == named | {StoreRefused.code}


def test_every_field_of_a_task_is_documented_and_no_other() -> None:
    rows = read_rows(read_section(HTTP, "## GET /task").partition("| Code of `error` |")[0])
    documented = [name for row in rows for name in read_codes(row[0])]
    assert documented == list(ShownTask.__struct_fields__)


def test_every_field_of_a_case_is_documented_and_no_other() -> None:
    section = read_section(HTTP, "## The review queue")
    listed, _, added = section.partition("adds to the case:")
    documented = [code for row in read_rows(listed) for code in read_codes(row[0])]
    assert sorted(documented) == sorted(ShownCase.__struct_fields__)
    more = [code for row in read_rows(added) for code in read_codes(row[0])]
    assert [*ShownCase.__struct_fields__, *more] == list(CaseView.__struct_fields__)


def test_what_a_submission_may_say_is_documented_and_no_other() -> None:
    documented = [row[0].strip("`") for row in read_rows(read_section(HTTP, "## POST /predict"))]
    assert set(documented) == KNOWN | {"Idempotency-Key"}


def test_every_route_is_documented_and_no_other() -> None:
    table = HTTP.read_text().partition("\nA route that answers GET")[0]
    documented = {code for row in read_rows(table) for code in read_codes(row[0])}
    application = create_application({}, lambda: load_schema(None), lambda: DEFAULT_POLICY, list, list)
    paths = application.openapi()["paths"]
    names = {"{task_id}": "<id>", "{case_id}": "<id>", "{version}": "<version>"}
    described = {
        f"{method.upper()} " + "/".join(names.get(part, part) for part in path.split("/"))
        for path in paths
        for method in paths[path]
    }
    assert len(described) > 8
    assert documented == described | {"GET /console", "GET /docs", "GET /openapi.json"}


def test_every_field_of_a_report_is_documented() -> None:
    section = read_section(HTTP, "## POST /prediction").partition("The answer:")[0]
    documented = [name for row in read_rows(section) for name in read_codes(row[0])]
    assert documented == list(CONTEXT_FIELDS)
    assert set(load_schema(None).names) <= set(read_codes(section))


def test_severities_and_reasons_are_documented() -> None:
    section = read_section(HTTP, "## POST /prediction")
    words = " ".join(section.split())
    told = ", ".join(f"{reason} {severity:g}" for reason, severity in DEFAULT_POLICY.severities.items())
    assert f"Severities in `{DEFAULT_POLICY.label}`: {told}." in words
    reasons = next(row for row in read_rows(section) if row[0] == "`reason`")[2]
    assert set(re.findall(r"\w+", reasons)) - {"or"} == set(DEFAULT_POLICY.severities)


def test_every_key_of_a_policy_is_documented_with_its_range_and_no_other() -> None:
    page = REFERENCE / "policy.md"
    tables = {field.name: find_struct(field.type) for field in find_fields(Policy)}
    documented = [
        key for row in read_rows(read_section(page, "## Keys of a policy")) for key in read_codes(row[0])
    ]
    top = documented[: len(tables) - 1]  # the version is no key
    assert set(top) == set(tables) - {"version"}
    for name, table in tables.items():
        if table is None:
            continue
        rows = {row[0].strip("`"): row[1] for row in read_rows(read_section(page, f"### {name}"))}
        fields = {field.name: field.type for field in find_fields(table)}
        assert set(rows) == set(fields), name
        for key, kind in fields.items():
            for bound in find_bounds(kind):
                assert f"{bound:,.9g}" in re.findall(r"-?[\d,.]*\d", rows[key]), (name, key, bound)


def find_fields(kind: Any) -> Any:  # noqa: ANN401 - msgspec's
    """The fields of a struct."""
    return msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]


def find_struct(kind: Any) -> Any:  # noqa: ANN401 - one of msgspec's many type classes
    """The struct that a table of a policy is, or each of an array of tables; None of what is neither."""
    return getattr(getattr(kind, "item_type", kind), "cls", None)


def test_the_limits_of_a_policy_are_documented() -> None:
    page = (REFERENCE / "policy.md").read_text()
    for limit in (MAX_POLICY_NAME_CHARS, MAX_ENTRIES, MAX_LINE_CHARS, MAX_POLICY_CHARS):
        assert f"{limit:,}" in page
    assert f"{MAX_POLICY_BYTES:,}" in HTTP.read_text()


def test_every_field_of_the_policy_s_answer_is_documented_and_no_other() -> None:
    rows = read_rows(read_section(HTTP, "## GET /policy"))
    documented = [name for row in rows for name in read_codes(row[0])]
    assert documented == list(ShownPolicy.__struct_fields__)


def test_every_key_of_a_feature_is_documented_and_no_other() -> None:
    page = (REFERENCE / "schema.md").read_text()
    assert {row[0].strip("`") for row in read_rows(page)} == set(Feature.__struct_fields__)
    assert set(CONTEXT_FIELDS) <= set(read_codes(page))
    for limit in (MAX_NAME_CHARS, MAX_CATEGORY_CHARS, MAX_FEATURES):
        assert f"1 to {limit:,}" in page
    types = next(row for row in read_rows(page) if row[0] == "`type`")[2]
    assert set(get_args(Feature.__annotations__["type"])) == set(read_codes(types))


def test_every_file_and_field_of_a_package_is_documented_and_no_other() -> None:
    page = REFERENCE / "package.md"
    files, _, fields = page.read_text().partition("The manifest's fields")
    assert {row[0].strip("`") for row in read_rows(files)} == {path.name for path in DEMO_MODEL.iterdir()}
    documented = [row[0].strip("`") for row in read_rows(fields)]
    assert documented == list(Manifest.__struct_fields__)


def test_every_documented_kind_of_file_is_known_and_each_family_documented() -> None:
    rows = read_rows((REFERENCE / "files.md").read_text())
    kinds = {name: find_kind(Path(f"reports{name}")) for row in rows for name in read_codes(row[0])}
    assert {kind.family for kind in kinds.values()} == set(get_args(Family))
    assert all(kind.is_gzip == name.endswith(".gz") for name, kind in kinds.items())


def test_pages_name_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = "".join(page.read_text() for page in find_pages())
    named = set(re.findall(r"extra `(\w+)`", text)) | set(re.findall(r"'\.\[(\w+)\]'", text))
    assert named == set(project["optional-dependencies"])


def test_the_bounds_of_a_type_are_found() -> None:
    fields = {field.name: field.type for field in msgspec.inspect.type_info(Settings).fields}  # type: ignore[attr-defined]
    assert find_bounds(fields["port"]) == [0, 65_535]
    assert find_bounds(fields["drain_seconds"]) == [0, 3_600]
    assert not any(math.isnan(bound) for kind in fields.values() for bound in find_bounds(kind))
