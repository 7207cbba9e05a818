"""Where `hitl inbox` finds its server without Prefect, Prefect's own client would go too."""

import pytest
from prefect.client.orchestration import get_client
from prefect.context import SettingsContext
from prefect.settings import Profile, Settings

from hitl_prefect.plain_connection import plain_connection

HERE, THERE = "http://127.0.0.1:4200/api", "https://prefect.example.com/team/api"
PROFILES = f"""active = "here"
[profiles.here]
PREFECT_API_URL = "{HERE}"
[profiles.there]
PREFECT_API_URL = "{THERE}"
PREFECT_API_AUTH_STRING = "ada:secret"
PREFECT_UI_URL = "https://prefect.example.com/team"
PREFECT_RESULTS_PERSIST_BY_DEFAULT = true
[profiles.nowhere]
PREFECT_SERVER_EPHEMERAL_ENABLED = "true"
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing of Prefect's is set, neither in the environment nor in files."""
    with pytest.MonkeyPatch.context() as patched:
        for name in Settings().to_environment_variables(include_aliases=True):
            patched.delenv(name, raising=False)
        patched.setenv("PREFECT_HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        patched.chdir(tmp_path)
        yield tmp_path / "home"


def prefects():
    """The address and the password with which Prefect's own client would ask, and where the UI is."""
    settings = Settings()
    with SettingsContext(profile=Profile(name="any", settings={}), settings=settings):
        client = get_client()._client
    password = {"Authorization": client.headers["Authorization"]} if "Authorization" in client.headers else {}
    return str(client.base_url).rstrip("/"), settings.ui_url.rstrip("/"), password


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PREFECT_PROFILE": "there"},
        {"PREFECT_PROFILE": "there", "PREFECT_API_AUTH_STRING": "bob:other"},
        {"PREFECT_PROFILE": "there", "PREFECT_API_AUTH_STRING": "", "PREFECT_API_KEY": "key"},
        {"PREFECT_PROFILE": "unknown", "PREFECT_API_URL": THERE, "PREFECT_API_KEY": "key"},
        {"PREFECT_PROFILES_PATH": "other.toml", "PREFECT_API_URL": THERE, "PREFECT_API_KEY": "key"},
        {"prefect_api_url": "http://127.0.0.1:1/api"},
        {"PREFECT_API_URL": f"{THERE}/"},
        {"PREFECT_API_URL": HERE, "PREFECT_UI_URL": "http://10.0.0.1", "PREFECT_LOGGING_LEVEL": "ERROR"},
    ],
)
def test_a_plain_way_is_the_way_that_prefect_goes(home, monkeypatch, environment):
    """Environment before profile, one password before the other."""
    (home / "profiles.toml").write_text(PROFILES)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = plain_connection()
    api, ui, password = prefects()

    assert (found.api, found.ui or found.api.removesuffix("/api"), found.headers) == (api, ui, password)


@pytest.mark.parametrize(
    "environment",
    [
        {"PREFECT_API_URL": ""},
        {"PREFECT_PROFILE": "nowhere"},
        {"PREFECT_API_URL": "https://api.prefect.cloud/api/accounts/1/workspaces/2"},
        {"PREFECT_API_TLS_INSECURE_SKIP_VERIFY": "true"},
        {"PREFECT_API_SSL_CERT_FILE": "own.pem"},
        {"PREFECT_CLIENT_CUSTOM_HEADERS": '{"X-Team": "a"}'},
        {"PREFECT_CLOUD_API_URL": HERE},
        {"PREFECT_PLUGINS_ENABLED": "1"},
        {"PREFECT_EXPERIMENTS_PLUGINS_ENABLED": "1"},
        {"PREFECT_TEST_MODE": "1"},
    ],
)
def test_whatever_else_may_change_the_way_is_left_to_prefect(home, monkeypatch, environment):
    """No address, certificates, headers, another sort of server, code that changes settings."""
    (home / "profiles.toml").write_text(PROFILES)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert plain_connection() is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("prefect.toml", f'api.url = "{THERE}"'),
        ("pyproject.toml", f'[tool.prefect.api]\nurl = "{THERE}"'),
        (".env", f"PREFECT_API_URL={THERE}"),
        ("pyproject.toml", "not = TOML"),
        ("home/profiles.toml", "not = TOML"),
        ("home/profiles.toml", "profiles = 3"),
    ],
)
def test_a_file_that_sets_more_or_is_broken_is_left_to_prefect(home, file, text):
    """It knows which comes first, and how to complain."""
    (home / "profiles.toml").write_text(PROFILES)
    home.with_name("pyproject.toml").write_text('[project]\ndependencies = ["prefect"]')
    before = plain_connection()
    (home.parent / file).write_text(text)

    assert (before.api, plain_connection()) == (HERE, None)
