"""Settings: where they come from, what is refused, and what the message says."""

import re
import traceback
from pathlib import Path

import pytest

from tagstream.errors import BadSettings, UnreadableInput
from tagstream.settings import RENAMED_SETTINGS, Settings, limits, load_settings
from tagstream.settings.messages import may_hold_secret


def test_the_defaults_stand_alone() -> None:
    settings = load_settings({"PATH": "/bin", "LANG": "C"})
    assert settings == Settings()
    assert settings.languages == {"en", "und"}
    assert settings.data.parts[-2:] == ("shared", "data")


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "tagstream.toml"
    file.write_text('token_budget = 512\nbatch_posts = 7\nlanguages = ["en", "fr"]\n')
    settings = load_settings({"TAGSTREAM_TOKEN_BUDGET": "1024"}, file)
    assert (settings.token_budget, settings.batch_posts) == (1024, 7)
    assert settings.batch_deadline_ms == Settings().batch_deadline_ms
    assert settings.languages == {"en", "fr"}
    assert load_settings({"TAGSTREAM_CONFIG": str(file)}).token_budget == 512


def test_the_file_that_is_named_on_the_command_line_replaces_the_one_in_the_environment(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.toml", tmp_path / "theirs.toml"
    ours.write_text("batch_posts = 3")
    theirs.write_text("batch_posts = 4")
    assert load_settings({"TAGSTREAM_CONFIG": str(theirs)}, ours).batch_posts == 3


def test_a_list_in_a_variable_is_split_at_commas() -> None:
    assert load_settings({"TAGSTREAM_LANGUAGES": "en, und,pl"}).languages == {"en", "und", "pl"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"TAGSTREAM_TOKEN_BUGDET": "1"},
            "TAGSTREAM_TOKEN_BUGDET is not a setting; did you mean TAGSTREAM_TOKEN_BUDGET?",
        ),
        ({"TAGSTREAM_ZZZZZZ": "1"}, "the settings are alerts, "),
        ({"TAGSTREAM_": "1"}, "TAGSTREAM_ is not a setting"),
        ({"TAGSTREAM_TOKEN_BUDGET": "many"}, r"TAGSTREAM_TOKEN_BUDGET = 'many': .*128 to 1048576"),
        ({"TAGSTREAM_TOKEN_BUDGET": "12"}, "128 to 1048576"),
        ({"TAGSTREAM_BATCH_POSTS": "0"}, "1 to 4096"),
        ({"TAGSTREAM_BATCH_POSTS": ""}, "TAGSTREAM_BATCH_POSTS = ''"),
        ({"TAGSTREAM_LANGUAGES": " , "}, "TAGSTREAM_LANGUAGES"),
        ({"TAGSTREAM_LANGUAGES": "EN"}, "TAGSTREAM_LANGUAGES"),
        ({"TAGSTREAM_INDEX": ""}, "TAGSTREAM_INDEX"),
    ],
)
def test_bad_variables_are_refused_by_name(environment: dict[str, str], message: str) -> None:
    with pytest.raises(BadSettings, match=message) as caught:
        load_settings(environment)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"token_bugdet = 1", "tagstream.toml: token_bugdet is not a setting; did you mean token_budget"),
        (b"[server]\nport = 1", "server is not a setting"),
        (b"batch_posts = [1]", "tagstream.toml: batch_posts"),
        (b"batch_posts = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "tagstream.toml"
    file.write_bytes(content)
    with pytest.raises(BadSettings, match=message):
        load_settings({}, file)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_is_an_unreadable_input(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableInput, match="settings file"):
        load_settings({}, tmp_path / name)


def test_every_setting_gives_its_reason_and_every_number_its_limits() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no reason"
        assert len(field.description) > 40, f"{name}: {field.description!r} is no reason"
        if field.annotation is int:
            assert limits(name), f"{name} has no limits"


@pytest.mark.parametrize(
    "line",
    [
        "mastodon_token = 53537",
        'x_bearer_token = ["s3cret"]',
        'elasticsearch_api_key = {key = "s3cret"}',
        'index = ["elasticsearch:https://u:s3cret@host"]',
        'index = {password = "s3cret"}',
        'kafka = "u:s3cret@host:9092"',
        'kafka = ["u:s3cret@host:9092"]',
        'worker_http = "u:s3cret@host:9092"',
        'bluesky_images = "https://host/?token=s3cret"',
        'models = {a = "s3cret"}\nindex = 53537',
        'passwrd = "s3cret"',
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_shown_where_it_may_be_a_secret(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tagstream.toml"
    file.write_text(line)
    with pytest.raises(BadSettings, match=f"tagstream.toml: {line.split(' ')[0]}") as caught:
        load_settings({}, file)
    said = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in said
    assert "token = 53537" not in said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("token_budget = true_", "is not TOML"),
        ("token_budget = [1]", "token_budget = (a list): Input should be a valid integer"),
        ("token_budget = {}", "token_budget = (a table): Input should be a valid integer"),
        ("media_wait_seconds = 2026-01-01", "media_wait_seconds = 2026-01-01: "),
        ("batch_posts = 99999999", "batch_posts = 99999999: "),
        (f"batch_posts = {'9' * 4000}", "batch_posts = (a huge number): "),
        (f"batch_posts = {'9' * 5000}", "is not TOML"),
        (f'languages = "{"x" * 5000}"', f"languages = '{'x' * 80}…'"),
        (f"index = {'[' * 5000}", "nested too deeply"),
    ],
)
def test_other_wrong_values_are_shown_as_far_as_they_help(tmp_path: Path, line: str, shown: str) -> None:
    file = tmp_path / "tagstream.toml"
    file.write_text(line)
    with pytest.raises(BadSettings) as caught:
        load_settings({}, file)
    assert shown in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_file_of_settings_is_not_read_without_end() -> None:
    with pytest.raises(BadSettings, match="more than 1,048,576 bytes"):
        load_settings({}, Path("/dev/zero"))


def test_a_former_name_still_works_and_one_warning_tells_the_present_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tagstream.toml"
    file.write_text("row_memory_bytes = 7")
    assert load_settings({}, file).emission_cache_bytes == 7
    assert load_settings({"TAGSTREAM_ROW_MEMORY_BYTES": "8"}, file).emission_cache_bytes == 8
    assert load_settings({"TAGSTREAM_EMISSION_CACHE_BYTES": "9", "TAGSTREAM_ROW_MEMORY_BYTES": "9"})
    assert len(caplog.messages) == 4
    assert caplog.messages[0].startswith(f"{file}: row_memory_bytes is now called emission_cache_bytes: ")
    assert caplog.messages[1].startswith("TAGSTREAM_ROW_MEMORY_BYTES is now called TAGSTREAM_EMISSION_CACHE_BYTES: ")


def test_a_setting_under_two_names_with_different_values_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tagstream.toml"
    file.write_text("row_memory_bytes = 7\nemission_cache_bytes = 8")
    with pytest.raises(BadSettings, match=r"row_memory_bytes and .*: emission_cache_bytes are one setting and differ"):
        load_settings({}, file)
    with pytest.raises(BadSettings, match="give TAGSTREAM_EMISSION_CACHE_BYTES alone"):
        load_settings({"TAGSTREAM_EMISSION_CACHE_BYTES": "1", "TAGSTREAM_ROW_MEMORY_BYTES": "2"})


def test_former_names_lead_to_settings_and_are_none_themselves() -> None:
    assert set(RENAMED_SETTINGS.values()) <= set(Settings.model_fields)
    assert not set(RENAMED_SETTINGS) & set(Settings.model_fields)


def test_every_setting_that_may_hold_a_secret_is_one() -> None:
    named = {key for key in Settings.model_fields if re.search("token$|key|passw|secret|credential", key)}
    named -= {"webhook_secret_file"}
    assert named == {"mastodon_token", "x_bearer_token", "elasticsearch_api_key", "webhook_secret", "serve_token"}
    assert {key for key in Settings.model_fields if may_hold_secret(Settings.model_fields[key].annotation)} == {
        *named,
        "webhook_urls",
        "alerts",
    }


@pytest.mark.parametrize("variable", ["TAGSTREAM_WEBHOOK_URLS", "TAGSTREAM_ALERTS"])
def test_no_message_shows_the_address_of_a_webhook(variable: str) -> None:
    with pytest.raises(BadSettings, match=f"{variable} = .not shown.") as caught:
        load_settings({variable: '[{"query": "a", "url": "https://a.example/abcdef@x"'})
    assert "abcdef" not in str(caught.value)
