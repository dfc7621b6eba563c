"""Profiles and settings: precedence, what belongs to one server, and the config file."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from smscli.errors import ConfigError, SmscliError, UsageError
from smscli.settings.auth_schemes import BASIC, TOKEN
from smscli.settings.config import CliOptions, Config, Profile, Settings, profile_to_save, resolve
from tests.support.paths import ROOT

WORK = Profile(
    name="work",
    url="https://gws.example.com/gws",
    user="maja",
    ca_bundle="certs/ca.pem",
    client_cert="/etc/gws/maja.pem",
    timeout=30,
    password_command=("pass", "show", "gws"),
)
LAB = Profile(name="lab", url="http://lab.example:8080", auth="token")
CONFIG = Config(Path("/home/maja/.config/smscli/config.toml"), {"work": WORK, "lab": LAB}, "work")
EMPTY = Config(Path("/home/maja/.config/smscli/config.toml"), {}, None)

NOTHING = Settings(
    profile=None,
    base_url=None,
    origin=None,
    user=None,
    auth=BASIC,
    timeout=10.0,
    ca_bundle=None,
    client_cert=None,
    password_command=(),
    debug=False,
    demo=False,
)
AT_WORK = Settings(
    profile="work",
    base_url="https://gws.example.com/gws/api/v2",
    origin="https://gws.example.com:443",
    user="maja",
    auth=BASIC,
    timeout=30,
    ca_bundle="/home/maja/.config/smscli/certs/ca.pem",
    client_cert="/etc/gws/maja.pem",
    password_command=("pass", "show", "gws"),
    debug=False,
    demo=False,
)


def in_folder(folder: Path) -> dict[str, str]:
    return {"SMSCLI_CONFIG_DIR": str(folder)}


def loaded(folder: Path, text: str) -> Config:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return Config.load(in_folder(folder))


# Which source wins.


def test_without_anything_there_is_no_server_and_every_default() -> None:
    assert resolve(CliOptions(), {}, EMPTY) == NOTHING


def test_the_default_profile_is_used_whole() -> None:
    assert resolve(CliOptions(), {}, CONFIG) == AT_WORK


def test_the_environment_goes_before_the_profile() -> None:
    environ = {
        "SMSCLI_URL": "http://127.0.0.1:8090",
        "SMSCLI_USERNAME": "theo",
        "SMSCLI_PASSWORD": "hunter2",
        "SMSCLI_TIMEOUT": "2.5",
        "SMSCLI_CA_BUNDLE": "ca.pem",
        "SMSCLI_CLIENT_CERT": "theo.pem",
        "SMSCLI_DEBUG": "1",
    }
    assert resolve(CliOptions(), environ, CONFIG) == Settings(
        profile="work",
        base_url="http://127.0.0.1:8090/api/v2",
        origin="http://127.0.0.1:8090",
        user="theo",
        auth=BASIC,
        timeout=2.5,
        ca_bundle="ca.pem",
        client_cert="theo.pem",
        password_command=(),
        debug=True,
        demo=False,
        secret="hunter2",
    )


def test_an_option_goes_before_the_environment() -> None:
    environ = {
        "SMSCLI_PROFILE": "work",
        "SMSCLI_URL": "http://127.0.0.1:8090",
        "SMSCLI_USERNAME": "theo",
        "SMSCLI_TIMEOUT": "2.5",
        "SMSCLI_CA_BUNDLE": "ca.pem",
        "SMSCLI_CLIENT_CERT": "theo.pem",
        "SMSCLI_DEBUG": "1",
    }
    options = CliOptions(
        profile="lab",
        url="https://other.example",
        user="ines",
        timeout=1,
        ca_bundle="/ca",
        client_cert="/cert",
        color="always",
        debug=False,
    )
    assert resolve(options, environ, CONFIG) == Settings(
        profile="lab",
        base_url="https://other.example/api/v2",
        origin="https://other.example:443",
        user="ines",
        auth=TOKEN,
        timeout=1,
        ca_bundle="/ca",
        client_cert="/cert",
        password_command=(),
        debug=False,
        demo=False,
    )


def test_empty_variables_and_options_count_as_not_set() -> None:
    names = ("PROFILE", "URL", "USERNAME", "PASSWORD", "TOKEN", "TIMEOUT", "CA_BUNDLE", "CLIENT_CERT", "DEMO")
    environ = {f"SMSCLI_{name}": "" for name in names}
    assert resolve(CliOptions(profile="", url="", user=""), environ, CONFIG) == AT_WORK


@pytest.mark.parametrize("name", ["ca_bundle", "client_cert"])
def test_an_empty_file_name_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError, match="^a file name is empty$"):
        resolve(CliOptions(**{name: ""}), {}, CONFIG)


def test_a_tilde_in_a_file_name_is_the_home() -> None:
    settings = resolve(
        CliOptions(ca_bundle="~/ca.pem"), {"HOME": "/h"}, CONFIG._replace(profiles={"work": WORK})
    )
    assert settings.ca_bundle == "/h/ca.pem"


# Secrets.


def test_a_token_of_the_environment_overrides_its_password() -> None:
    settings = resolve(CliOptions(), {"SMSCLI_TOKEN": "t0ken", "SMSCLI_PASSWORD": "hunter2"}, CONFIG)
    assert (settings.auth, settings.secret) == (TOKEN, "t0ken")


def test_a_token_of_the_environment_is_not_taken_for_the_profiles_user() -> None:
    environ = {"SMSCLI_TOKEN": "t0ken"}
    assert resolve(CliOptions(), environ, CONFIG).user is None
    assert resolve(CliOptions(user="ines"), environ, CONFIG).user == "ines"


def test_a_password_of_the_environment_signs_in_the_named_user_of_a_token_profile() -> None:
    settings = resolve(CliOptions(profile="lab", user="ines"), {"SMSCLI_PASSWORD": "hunter2"}, CONFIG)
    assert (settings.auth, settings.user, settings.secret) == (BASIC, "ines", "hunter2")


def test_no_secret_shows_in_the_settings_repr() -> None:
    settings = resolve(CliOptions(), {"SMSCLI_TOKEN": "t0ken"}, CONFIG)
    assert "t0ken" not in repr(settings)
    settings = resolve(CliOptions(), {"SMSCLI_PASSWORD": "hunter2"}, CONFIG)
    assert "hunter2" not in repr(settings)


# What belongs to one server, and one user.


@pytest.mark.parametrize(
    "url", ["https://other.example", "http://gws.example.com", "https://gws.example.com:8443"]
)
def test_another_origin_gets_neither_the_password_command_nor_the_client_certificate(url: str) -> None:
    for settings in (
        resolve(CliOptions(url=url), {}, CONFIG),
        resolve(CliOptions(), {"SMSCLI_URL": url}, CONFIG),
    ):
        assert (settings.password_command, settings.client_cert, settings.user) == ((), None, "maja")


def test_another_path_of_the_same_origin_keeps_them() -> None:
    settings = resolve(CliOptions(url="https://GWS.example.com:443/other"), {}, CONFIG)
    assert (settings.password_command, settings.client_cert) == (WORK.password_command, WORK.client_cert)


def test_another_user_does_not_get_the_password_command_and_keeps_the_certificate() -> None:
    settings = resolve(CliOptions(user="theo"), {}, CONFIG)
    assert (settings.password_command, settings.client_cert) == ((), WORK.client_cert)


def test_a_password_command_without_a_user_serves_the_one_that_is_named() -> None:
    config = CONFIG._replace(profiles={"work": WORK._replace(user=None)})
    assert resolve(CliOptions(user="theo"), {}, config).password_command == WORK.password_command


def test_the_command_of_a_token_profile_does_not_depend_on_the_label() -> None:
    lab = LAB._replace(password_command=("pass", "lab"))
    config = CONFIG._replace(profiles={"lab": lab}, default="lab")
    assert resolve(CliOptions(user="theo"), {}, config).password_command == ("pass", "lab")


def test_a_profile_without_a_url_has_no_origin_of_its_own() -> None:
    config = CONFIG._replace(profiles={"work": WORK._replace(url=None)})
    settings = resolve(CliOptions(url="https://gws.example.com"), {}, config)
    assert (settings.password_command, settings.client_cert) == ((), None)


# Profiles by name.


def test_a_profile_is_chosen_by_name() -> None:
    assert resolve(CliOptions(profile="lab"), {}, CONFIG).base_url == "http://lab.example:8080/api/v2"
    assert (
        resolve(CliOptions(), {"SMSCLI_PROFILE": "lab"}, CONFIG).base_url == "http://lab.example:8080/api/v2"
    )


def test_an_unknown_profile_suggests_the_closest_and_lists_the_others() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(CliOptions(profile="wrok"), {}, CONFIG)
    assert caught.value.message == "there is no profile 'wrok'"
    assert caught.value.hint == "did you mean 'work'? profiles: work, lab"


def test_an_unknown_profile_without_a_close_name_lists_the_profiles() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(CliOptions(), {"SMSCLI_PROFILE": "zzz"}, CONFIG)
    assert caught.value.hint == "profiles: work, lab"


def test_an_unknown_profile_without_any_saved_names_the_sign_in() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(CliOptions(profile="work"), {}, EMPTY)
    assert caught.value.hint == "profiles: none yet, see `smscli auth login`"


def test_a_default_profile_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(CliOptions(), {}, CONFIG._replace(default="old"))
    assert caught.value.message == f"{CONFIG.path}: the default profile 'old' does not exist"
    assert caught.value.hint == "choose one with `smscli auth use NAME`"


def test_signing_in_may_name_a_profile_that_is_new() -> None:
    settings = resolve(CliOptions(profile="new"), {}, CONFIG, new_profile=True)
    assert settings == replace(NOTHING, profile="new")


def test_signing_in_without_a_name_means_the_profile_called_default() -> None:
    assert resolve(CliOptions(), {}, CONFIG, new_profile=True) == replace(NOTHING, profile="default")


def test_signing_in_again_starts_from_the_saved_profile() -> None:
    assert resolve(CliOptions(profile="work"), {}, CONFIG, new_profile=True) == AT_WORK


# The demo server.


def test_the_demo_ignores_profiles_and_secrets() -> None:
    environ = {"SMSCLI_PASSWORD": "hunter2", "SMSCLI_TOKEN": "t0ken", "SMSCLI_URL": "https://other.example"}
    assert resolve(CliOptions(demo=True), environ, CONFIG) == replace(NOTHING, demo=True)


def test_the_demo_takes_a_user_and_options() -> None:
    settings = resolve(CliOptions(demo=True, user="sample", timeout=3), {}, CONFIG)
    assert settings == replace(NOTHING, demo=True, user="sample", timeout=3)


def test_the_demo_ignores_a_default_profile_that_does_not_exist() -> None:
    assert resolve(CliOptions(demo=True), {}, CONFIG._replace(default="old")).demo


@pytest.mark.parametrize(
    ("value", "meant"),
    [("1", True), ("true", True), ("yes", True), ("", False), ("0", False), ("False", False), ("no", False)],
)
def test_a_switch_of_the_environment_can_be_off(value: str, meant: bool) -> None:
    settings = resolve(CliOptions(), {"SMSCLI_DEMO": value, "SMSCLI_DEBUG": value}, CONFIG)
    assert (settings.demo, settings.debug) == (meant, meant)


def test_an_option_that_names_a_server_goes_before_the_demo_of_the_environment() -> None:
    environ = {"SMSCLI_DEMO": "1"}
    assert not resolve(CliOptions(url="https://other.example"), environ, CONFIG).demo
    assert not resolve(CliOptions(profile="lab"), environ, CONFIG).demo
    assert not resolve(CliOptions(demo=False), environ, CONFIG).demo


def test_the_demo_and_a_url_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--demo and --url exclude each other"):
        resolve(CliOptions(demo=True, url="https://other.example"), {}, CONFIG)


# Values that can't be.


def error_of(
    options: CliOptions, environ: dict[str, str], config: Config = CONFIG
) -> tuple[type, str, str | None]:
    with pytest.raises(SmscliError) as caught:
        resolve(options, environ, config)
    return type(caught.value), caught.value.message, caught.value.hint


def test_a_wrong_url_names_its_source() -> None:
    hint = "write https://HOST/PATH"
    assert error_of(CliOptions(url="gws.example.com?x"), {}) == (
        UsageError,
        "--url: the URL has a query or a fragment",
        hint,
    )
    assert error_of(CliOptions(), {"SMSCLI_URL": "gws.example.com?x"}) == (
        UsageError,
        "SMSCLI_URL: the URL has a query or a fragment",
        hint,
    )
    config = CONFIG._replace(profiles={"work": WORK._replace(url="gws.example.com?x")})
    assert error_of(CliOptions(), {}, config) == (
        ConfigError,
        f"{CONFIG.path}: profiles.work.url: the URL has a query or a fragment",
        hint,
    )


def test_a_wrong_saved_url_does_not_hinder_another_one() -> None:
    config = CONFIG._replace(profiles={"work": WORK._replace(url="gws.example.com?x")})
    assert (
        resolve(CliOptions(url="https://other.example"), {}, config).base_url
        == "https://other.example/api/v2"
    )


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 86401])
def test_an_invalid_timeout_is_refused(seconds: float) -> None:
    assert error_of(CliOptions(timeout=seconds), {}) == (
        UsageError,
        "--timeout must be a positive number of seconds, at most 86400",
        None,
    )


@pytest.mark.parametrize("text", ["abc", "0", "-1", "nan", "inf", "1e9", "10s"])
def test_a_wrong_timeout_of_the_environment_names_the_variable(text: str) -> None:
    assert error_of(CliOptions(), {"SMSCLI_TIMEOUT": text}) == (
        UsageError,
        "SMSCLI_TIMEOUT must be a positive number of seconds, at most 86400",
        None,
    )


def test_a_wrong_timeout_of_the_environment_is_ignored_with_the_option() -> None:
    assert resolve(CliOptions(timeout=5), {"SMSCLI_TIMEOUT": "abc"}, CONFIG).timeout == 5


def test_an_unknown_colour_rule_is_refused() -> None:
    assert error_of(CliOptions(color="blue"), {}) == (
        UsageError,
        "--color takes auto, always or never, not 'blue'",
        None,
    )


# What is kept after signing in.


def test_a_first_sign_in_saves_the_options() -> None:
    options = CliOptions(ca_bundle="/etc/ca.pem", client_cert="/etc/theo.pem", timeout=20)
    assert profile_to_save(
        options, {}, Profile("new"), url="https://gws.example.com/api/v2", user="theo", auth=BASIC
    ) == Profile(
        name="new",
        url="https://gws.example.com/api/v2",
        user="theo",
        ca_bundle="/etc/ca.pem",
        client_cert="/etc/theo.pem",
        timeout=20,
    )


def test_a_file_name_is_saved_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved = profile_to_save(
        CliOptions(ca_bundle="ca.pem"),
        {},
        Profile("new"),
        url="https://gws.example.com",
        user="t",
        auth=BASIC,
    )
    assert saved.ca_bundle == str(tmp_path / "ca.pem")


def test_signing_in_again_keeps_the_profiles_values() -> None:
    url = "https://gws.example.com/gws/api/v2"
    assert profile_to_save(CliOptions(), {}, WORK, url=url, user="maja", auth=BASIC) == WORK._replace(url=url)


def test_signing_in_elsewhere_drops_what_belongs_to_the_old_server() -> None:
    saved = profile_to_save(
        CliOptions(), {}, WORK, url="https://other.example/api/v2", user="maja", auth=BASIC
    )
    assert saved == WORK._replace(url="https://other.example/api/v2", client_cert=None, password_command=())


def test_signing_in_as_another_user_drops_the_password_command() -> None:
    saved = profile_to_save(CliOptions(), {}, WORK, url=WORK.url or "", user="theo", auth=BASIC)
    assert saved == WORK._replace(user="theo", password_command=())


def test_signing_in_with_a_token_drops_a_command_that_prints_a_password() -> None:
    saved = profile_to_save(CliOptions(), {}, WORK, url=WORK.url or "", user="maja", auth=TOKEN)
    assert saved == WORK._replace(auth="token", password_command=())


# The file.


def test_a_missing_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert Config.load(in_folder(tmp_path / "none")) == Config(tmp_path / "none" / "config.toml", {}, None)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"SMSCLI_CONFIG_DIR": "/a", "XDG_CONFIG_HOME": "/b", "HOME": "/c"}, "/a/config.toml"),
        ({"XDG_CONFIG_HOME": "/b", "HOME": "/c"}, "/b/smscli/config.toml"),
        ({"XDG_CONFIG_HOME": "b", "HOME": "/c"}, "/c/.config/smscli/config.toml"),
        ({"HOME": "/c"}, "/c/.config/smscli/config.toml"),
    ],
)
def test_the_file_is_found_where_the_environment_says(environ: dict[str, str], path: str) -> None:
    assert Config.load(environ).path == Path(path)


@pytest.mark.parametrize(
    "home", [{"HOME": "rel"}, {"HOME": "~", "XDG_CONFIG_HOME": "rel"}, {"SMSCLI_CONFIG_DIR": "rel"}]
)
def test_a_relative_folder_is_no_folder(home: dict[str, str]) -> None:
    config = Config.load(home)
    assert config == Config(None, {}, None)
    with pytest.raises(ConfigError, match="there is no home folder to save the config file in"):
        config.save(WORK)


def test_a_tilde_in_a_saved_file_name_is_the_home() -> None:
    work = WORK._replace(ca_bundle="~/ca.pem", client_cert="~/maja.pem")
    resolved = resolve(CliOptions(), {"HOME": "/h"}, CONFIG._replace(profiles={"work": work}))
    assert (resolved.ca_bundle, resolved.client_cert) == ("/h/ca.pem", "/h/maja.pem")
    options = CliOptions(ca_bundle="~/new.pem")
    saved = profile_to_save(
        options, {"HOME": "/h"}, Profile("new"), url="https://a.example", user="t", auth=BASIC
    )
    assert saved.ca_bundle == "/h/new.pem"


WHOLE = """
default = "work"
theme = "dark"

[profiles.work]
url = "https://gws.example.com/gws"
user = "maja"
auth = "basic"
ca_bundle = "certs/ca.pem"
client_cert = "/etc/gws/maja.pem"
timeout = 30
password_command = ["pass", "show", "gws"]
colour = "green"

[profiles.lab]
url = "http://lab.example:8080"
auth = "token"
"""


def test_a_file_is_read_whole_and_unknown_keys_are_noted(tmp_path: Path) -> None:
    assert loaded(tmp_path, WHOLE) == CONFIG._replace(
        path=tmp_path / "config.toml", unknown_keys={"work": ("colour",)}
    )


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert Config.load(in_folder(tmp_path)).profiles == CONFIG.profiles


def test_a_profile_named_default_is_the_default_without_a_default_key(tmp_path: Path) -> None:
    config = loaded(tmp_path, "[profiles.default]\nuser = 'maja'\n[profiles.lab]\n")
    assert config.default == "default"


SECONDS = "must be a positive number of seconds, at most 86400"
WORDS = 'must be a list of strings, such as ["pass", "show", "gws"]'
NO_EQUALS = "Expected '=' after a key in a key/value pair (at line 3, column 5)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default = work\n", " is not TOML: Invalid value (at line 1, column 11)"),
        ("[profiles.work]\n\nurl 'x'\n", f" is not TOML: {NO_EQUALS}"),
        ("# fine\ndefault = 3\n", ": default must be a profile name"),
        ("profiles = 3\n", ": profiles must be a table"),
        ("[profiles]\nwork = 'x'\n", ": profiles.work must be a table"),
        ("[profiles.a]\nurl = 1\n", ": profiles.a.url must be a string"),
        ("[profiles.a]\nurl = 'x'\nuser = ['a',\n'b']\n", ": profiles.a.user must be a string"),
        ("[profiles.a]\nauth = 'ntlm'\n", ': profiles.a.auth must be "basic" or "cookie" or "token"'),
        ("[profiles.a]\ntimeout = '10'", f": profiles.a.timeout {SECONDS}"),
        ("[profiles.a]\ntimeout = true", f": profiles.a.timeout {SECONDS}"),
        ("[profiles.a]\ntimeout = 0", f": profiles.a.timeout {SECONDS}"),
        ("[profiles.a]\ntimeout = nan", f": profiles.a.timeout {SECONDS}"),
        (
            "[profiles.a]\n[profiles.b]\npassword_command = 'pass gws'\n",
            f": profiles.b.password_command {WORDS}",
        ),
        ("[profiles.a]\npassword_command = []\n", f": profiles.a.password_command {WORDS}"),
        ("[profiles.a]\npassword_command = ['x', 1]\n", f": profiles.a.password_command {WORDS}"),
    ],
)
def test_a_wrong_value_names_the_file_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert caught.value.message == f"{tmp_path / 'config.toml'}{message}"


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"# first\nuser = 'caf\xe9'\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(in_folder(tmp_path))
    assert caught.value.message == f"{tmp_path / 'config.toml'}, line 2: not UTF-8"


def test_a_file_in_utf16_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes("default = 'work'\r\n".encode("utf-16"))
    with pytest.raises(ConfigError) as caught:
        Config.load(in_folder(tmp_path))
    assert caught.value.hint == "it is UTF-16; save it as UTF-8"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (
            '"C:\\Users\\maja\\ca.pem"',
            r"write a path with backslashes in single quotes: 'C:\Users\maja\ca.pem'",
        ),
        ('"C:/Users/ca.pem', None),
    ],
)
def test_a_path_with_backslashes_in_double_quotes_has_a_hint(
    tmp_path: Path, value: str, hint: str | None
) -> None:
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        loaded(tmp_path, f"[profiles.work]\nca_bundle = {value}\n")
    assert caught.value.hint == hint


# Writing it.


def test_the_first_profile_saved_is_the_default_and_stays_it(tmp_path: Path) -> None:
    config = Config.load(in_folder(tmp_path / "new")).save(WORK).save(LAB)
    assert config == CONFIG._replace(path=tmp_path / "new" / "config.toml")
    assert Config.load(in_folder(tmp_path / "new")) == config
    assert config.path.read_text() == (
        'default = "work"\n'
        "\n"
        "[profiles.work]\n"
        'url = "https://gws.example.com/gws"\n'
        'user = "maja"\n'
        'auth = "basic"\n'
        'ca_bundle = "certs/ca.pem"\n'
        'client_cert = "/etc/gws/maja.pem"\n'
        "timeout = 30\n"
        'password_command = ["pass", "show", "gws"]\n'
        "\n"
        "[profiles.lab]\n"
        'url = "http://lab.example:8080"\n'
        'auth = "token"\n'
    )


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
def test_file_and_folder_are_private(tmp_path: Path) -> None:
    path = Config.load(in_folder(tmp_path / "new")).save(LAB).path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


MINE = """\
# my servers
theme = "dark"  # unknown to smscli

[profiles.work]  # the real one
url = 'https://old.example'  # moved soon
colour = "green"
timeout = 5

# the other
[profiles."my lab"]
url = "http://lab.example:8080"
"""


def test_unknown_keys_and_comments_survive_a_save(tmp_path: Path) -> None:
    loaded(tmp_path, MINE).save(Profile("work", url="https://new.example", user="maja"))
    assert (tmp_path / "config.toml").read_text() == (
        "# my servers\n"
        'theme = "dark"  # unknown to smscli\n'
        'default = "work"\n'
        "\n"
        "[profiles.work]  # the real one\n"
        'url = "https://new.example"  # moved soon\n'
        'colour = "green"\n'
        'user = "maja"\n'
        'auth = "basic"\n'
        "\n"
        "# the other\n"
        '[profiles."my lab"]\n'
        'url = "http://lab.example:8080"\n'
    )


def test_another_default_is_chosen_by_name(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINE).use("my lab")
    assert config.default == "my lab"
    assert Config.load(in_folder(tmp_path)) == config


def test_a_default_that_does_not_exist_is_refused_and_nothing_written(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINE)
    with pytest.raises(UsageError, match="there is no profile 'wrok'"):
        config.use("wrok")
    assert (tmp_path / "config.toml").read_text() == MINE


def test_what_another_process_saved_meanwhile_is_kept(tmp_path: Path) -> None:
    before = Config.load(in_folder(tmp_path))
    before.save(WORK)
    assert before.save(LAB) == CONFIG._replace(path=tmp_path / "config.toml")


def test_a_broken_file_is_not_written_over(tmp_path: Path) -> None:
    config = Config.load(in_folder(tmp_path))
    (tmp_path / "config.toml").write_text("[profiles")
    with pytest.raises(ConfigError, match="is not TOML"):
        config.save(WORK)
    assert (tmp_path / "config.toml").read_text() == "[profiles"


def test_a_name_that_toml_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINE)
    with pytest.raises(ConfigError) as caught:
        config.save(WORK._replace(user="caf\udce9"))
    assert caught.value.message == f"{config.path} can't be changed by smscli"
    assert config.path.read_text() == MINE


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        Config(tmp_path / "file" / "smscli" / "config.toml", {}, None).save(WORK)
    assert caught.value.message == f"{tmp_path / 'file/smscli/config.toml'} can't be written: Not a directory"


def test_a_layout_in_which_an_edit_would_go_wrong_stays_as_it_is(tmp_path: Path) -> None:
    # tomlkit would put the new table before `theme`, and so `theme` into it.
    layout = "profiles.lab.url = 'http://lab.example'\ntheme = { dark = 1 }\n"
    config = loaded(tmp_path, layout)
    with pytest.raises(ConfigError) as caught:
        config.save(WORK)
    assert caught.value.message == f"{config.path} can't be changed by smscli"
    assert caught.value.hint == "change it with an editor"
    assert config.path.read_text() == layout


SAVE_TEN = """
import sys
from smscli.settings.config import Config, Profile
config = Config.load({"SMSCLI_CONFIG_DIR": sys.argv[1]})
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    config.save(Profile(f"{sys.argv[2]}{number}", url=f"https://{sys.argv[2]}{number}.example"))
"""


@pytest.mark.slow
def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE_TEN, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for name in ("east", "west")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == b"ready"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    expected = {f"{name}{number}" for name in ("east", "west") for number in range(10)}
    assert set(Config.load(in_folder(tmp_path)).profiles) == expected
    assert sorted(os.listdir(tmp_path)) == [".config.toml.lock", "config.toml"]


LAYOUTS = [
    "",
    "# a comment alone",
    "profiles = {}\n",
    "profiles = { lab = { url = 'http://lab.example' } } # inline\n",
    "profiles.lab.url = 'http://lab.example'\n[other]\nkey = 1\n",
    "[profiles]\nlab.url = 'http://lab.example'\n",
    "[profiles]\nlab = { url = 'http://lab.example', x = [1,\n 2] }\n",
    "[profiles.lab]\nurl = 'a'\n[other]\nkey = 1\n[profiles.work]\nurl = 'b'\n[[more]]\na = 1\n",
    "[profiles.lab.more]\nkey = 1\n[profiles.lab]\nurl = 'a'\n",
    "[other]\nkey = 1979-05-27T07:32:00Z\n\n\n# the end\n",
    "default = 'lab'\r\n[profiles.lab]\r\nurl = 'a'\r\n",
]


@pytest.mark.parametrize("name", ["lab", "work", "new"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_profile_can_be_saved_in_every_layout(tmp_path: Path, layout: str, name: str) -> None:
    before = loaded(tmp_path, layout)
    after = before.save(WORK._replace(name=name))
    assert after.profiles == {**before.profiles, name: WORK._replace(name=name)}


@pytest.mark.slow
@hypothesis_settings(max_examples=100)
@hypothesis_given(
    layout=st.sampled_from(LAYOUTS),
    name=st.one_of(st.sampled_from(["lab", "work", "a.b", "a b", "é"]), st.text(min_size=1)),
    user=st.none() | st.text(min_size=1),
    command=st.lists(st.text(), max_size=3).map(tuple),
    timeout=st.none() | st.integers(1, 86400) | st.floats(0.001, 86400),
)
def test_a_saved_profile_is_read_back_and_nothing_else_changes(
    tmp_path_factory: pytest.TempPathFactory,
    layout: str,
    name: str,
    user: str | None,
    command: tuple[str, ...],
    timeout: float | None,
) -> None:
    folder = tmp_path_factory.mktemp("layout")
    profile = Profile(name, url="https://a.example", user=user, timeout=timeout, password_command=command)
    before = loaded(folder, layout)
    try:
        after = before.save(profile)
    except ConfigError:
        assert (folder / "config.toml").read_bytes() == layout.encode()
        return
    assert after.profiles == {**before.profiles, name: profile}
    assert after.default == (before.default or name)
