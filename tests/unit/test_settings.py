import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagrank.settings import Settings, load_schema, load_settings, read_build_time
from flagrank.triage.errors import SchemaRefused, SettingsRefused


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flagrank.toml"


def test_without_any_source_the_defaults_hold(file: Path) -> None:
    assert load_settings({}, {}, file) == Settings()


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(file: Path) -> None:
    file.write_text("port = 1\n")
    assert load_settings({"port": None}, {}, file).port == 1
    assert load_settings({"port": None}, {"FLAGRANK_PORT": "2"}, file).port == 2
    assert load_settings({"port": 3}, {"FLAGRANK_PORT": "2"}, file).port == 3


def test_each_setting_comes_from_its_own_best_source(file: Path) -> None:
    file.write_text('host = "from file"\nidle_timeout_seconds = 9\n')
    settings = load_settings({"port": 3}, {"FLAGRANK_HOST": "from environment"}, file)
    assert (settings.host, settings.port, settings.idle_timeout_seconds) == ("from environment", 3, 9)


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "Yes", " true "])
def test_a_variable_says_true(text: str, file: Path) -> None:
    assert load_settings({}, {"FLAGRANK_ALLOW_NO_KEYS": text}, file).allow_no_keys is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "NO", ""])
def test_a_variable_says_false(text: str, file: Path) -> None:
    file.write_text("allow_no_keys = false\n")
    assert load_settings({}, {"FLAGRANK_ALLOW_NO_KEYS": text}, file).allow_no_keys is False


@pytest.mark.parametrize("text", ["on", "y", "2", "true, false", "nope"])
def test_a_variable_that_is_neither_true_nor_false_is_refused(text: str, file: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"FLAGRANK_ALLOW_NO_KEYS can't be used: Expected `bool`"):
        load_settings({}, {"FLAGRANK_ALLOW_NO_KEYS": text}, file)


def test_an_empty_variable_is_as_good_as_none(file: Path) -> None:
    file.write_text("port = 1\n")
    assert load_settings({}, {"FLAGRANK_PORT": " ", "FLAGRANK_DRAIN_SECONDS": ""}, file).port == 1


def test_a_list_is_written_with_commas(file: Path) -> None:
    settings = load_settings({}, {"FLAGRANK_ALLOWED_HOSTS": "a.example, [::1] ,b:1,"}, file)
    assert settings.allowed_hosts == ("a.example", "[::1]", "b:1")


def test_variables_of_other_programs_and_later_versions_are_left_alone(file: Path) -> None:
    environment = {"PORT": "1", "FLAGRANK_NOT_YET": "x", "flagrank_port": "2"}
    assert load_settings({}, environment, file) == Settings()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prot = 1", "Object contains unknown field `prot`"),
        ("port = '80'", "Expected `int`, got `str` for `port`"),
        ("port = 65536", "Expected `int` <= 65535 for `port`"),
        ("port = 80.5", "Expected `int`, got `float` for `port`"),
        ("allow_no_keys = 'yes'", "Expected `bool`, got `str` for `allow_no_keys`"),
        ("allow_no_keys = 1", "Expected `bool`, got `int` for `allow_no_keys`"),
        ("allowed_hosts = 'a'", "Expected `array`, got `str` for `allowed_hosts`"),
        ("log_style = 'secret'", "Expected another word for `log_style`"),
        ("drain_seconds = nan", "for `drain_seconds`"),
        ("drain_seconds = inf", "for `drain_seconds`"),
        ("body_timeout_seconds = 0", "for `body_timeout_seconds`"),
        ("[server]\nport = 1", "Object contains unknown field `server`"),
        ("port = ", "can't be read"),
        ("port = " + "9" * 5_000, "can't be read"),
        ("port = " + "[" * 20_000, "can't be read"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_setting(text: str, sentence: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingsRefused) as caught:
        load_settings({}, {}, file)
    assert str(file) in caught.value.detail
    assert sentence in caught.value.detail


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsRefused, match="can't be read"):
        load_settings({}, {}, file)
    with pytest.raises(SettingsRefused, match="can't be read"):
        load_settings({}, {}, file.parent)


def test_a_bad_flag_is_refused(file: Path) -> None:
    with pytest.raises(
        SettingsRefused, match=r"from the command line can't be used: Expected `int` <= 65535"
    ):
        load_settings({"port": 70_000}, {}, file)


def find_refusal(environment: dict[str, str]) -> str:
    try:
        load_settings({}, environment, Path("no such file"))
    except SettingsRefused as error:
        return error.detail
    return ""


@given(
    st.sampled_from([f"FLAGRANK_{name.upper()}" for name in Settings.__struct_fields__]), st.text(min_size=4)
)
def test_whatever_a_variable_says_is_used_or_refused_without_being_repeated(variable: str, text: str) -> None:
    assert f"#{text}#" not in find_refusal({variable: f"#{text}#"})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_an_address_of_this_machine_alone_is_loopback_and_needs_no_drain(host: str) -> None:
    assert Settings(host=host).is_loopback
    assert Settings(host=host).drain_time == 0


@pytest.mark.parametrize("host", ["", "::", "10.0.0.1", "example.org", "localhost.example.org", "127.1"])
def test_any_other_address_is_not_loopback_and_drains_for_five_seconds(host: str) -> None:
    assert not Settings(host=host).is_loopback
    assert Settings(host=host).drain_time == 5


def test_a_drain_time_that_is_set_holds_everywhere() -> None:
    assert [Settings(host=host, drain_seconds=0.5).drain_time for host in ("127.0.0.1", "::")] == [0.5, 0.5]


def test_a_build_is_dated_by_its_source_where_that_is_given() -> None:
    assert read_build_time({"SOURCE_DATE_EPOCH": "1767225600"}) == "2026-01-01T00:00:00Z"
    assert read_build_time({}) > "2026"


@pytest.mark.parametrize("epoch", ["today", "1e9", "9" * 30])
def test_a_source_date_that_is_none_is_refused(epoch: str) -> None:
    with pytest.raises(SettingsRefused, match="SOURCE_DATE_EPOCH is no number of seconds"):
        read_build_time({"SOURCE_DATE_EPOCH": epoch})


def test_the_default_schema_is_read_where_no_file_is_named() -> None:
    assert load_schema(None).names[0] == "abuse_type"


def test_a_schema_file_is_read_or_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "schema.toml"
    with pytest.raises(SettingsRefused, match=r"schema\.toml can't be read"):
        load_schema(path)
    path.write_text('[[feature]]\nname = "report_id"\ntype = "number"\n')
    with pytest.raises(SchemaRefused, match=r"schema\.toml: feature\[0\]"):
        load_schema(path)
    path.write_text(f'[[feature]]\nname = {json.dumps("é:ü")}\ntype = "number"\n', encoding="utf-8")
    assert load_schema(path).names == ("é:ü",)
