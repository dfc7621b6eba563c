"""What is too large, too narrow or not there, as whole commands: one line of error, or something readable."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from smscli.output.render.layout import cells
from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli
from tests.support.on_terminal import OnTerminal
from tests.support.paths import ROOT

ID, OTHER = "0000Na9B26EF0001", "0000Na9B26EF0002"
# What takes longer than this is not quick, however slow the machine.
quick = pytest.mark.timeout(20)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with one session, its clock standing at 2026-03-02T10:00:00Z."""
    base = "https://gws.example.com/api/v2"
    with FakeServer(Options(scene="empty", uri_base=base), clock=lambda: 1772445600.0) as server:
        server.store.add_session(
            ID,
            customer="Mika",
            agents=("Robin",),
            user_data={"Subject": "Parcel overdue"},
            capabilities=["Leave", "SendMessage"],
        )
        server.store.say(ID, "is anybody there?", by="Mika")
        server.store.say(ID, "I am", by="Robin")
        yield server


@pytest.fixture
def shell(home: dict[str, str], server: FakeServer) -> "Shell":
    return Shell({**home, "SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"})


class Shell:
    """A shell in which `$smscli` is this program."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = {**environ, "smscli": f"{sys.executable} -m smscli"}

    def __call__(self, line: str) -> tuple[int, str, str]:
        command = ["sh", "-c", line]
        done = subprocess.run(
            command,
            env=self._environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=["at once", "half-way", "at the end"])
def test_a_page_for_which_the_disk_has_no_room_is_one_line_and_no_file(
    shell: Shell, server: FakeServer, tmp_path: Path, share: float
) -> None:
    for number in range(400):
        server.store.say(ID, f"message {number}", by="Mika")
    file = tmp_path / "page.html"
    size = len(shell(f"$smscli messages {ID} --html -")[1].encode())
    # The shell counts blocks of 512 bytes: the last one is cut off at least.
    outcome = shell(f"ulimit -f {int((size - 1) * share) // 512}; exec $smscli messages {ID} --html {file}")
    assert outcome == (1, "", f"error: {file} can't be written: File too large\n")
    assert not file.exists()


def test_a_page_in_a_folder_that_takes_no_files_is_one_line(
    smscli: Smscli, server: FakeServer, tmp_path: Path
) -> None:
    # Root may write nearly everywhere else.
    folder = Path("/sys") if os.geteuid() == 0 else tmp_path / "locked"
    folder.mkdir(0o500, exist_ok=True)
    outcome = smscli("messages", ID, "--html", str(folder / "page.html"), server=server)
    told, why = outcome.err.rstrip("\n").rsplit(": ", 1)
    assert (outcome.code, outcome.out, told) == (1, "", f"error: {folder / 'page.html'} can't be written")
    assert why in ("Permission denied", "Read-only file system", "Operation not permitted")


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_a_device_is_something_that_exists(smscli: Smscli, server: FakeServer, device: str) -> None:
    outcome = smscli("messages", ID, "--html", device, server=server)
    assert (outcome.code, outcome.out, outcome.err) == (
        1,
        "",
        f"error: {device} exists already\nhint: name a new file\n",
    )


@pytest.mark.parametrize(
    "command", ["list", f"show {ID}", f"messages {ID}", f"messages {ID} --html -", "doctor"]
)
def test_an_output_without_room_is_one_line(shell: Shell, command: str) -> None:
    told = "error: output can't be written: No space left on device\n"
    assert shell(f"$smscli {command} > /dev/full") == (1, "", told)


NARROW = {
    "list": f"""\
{ID}
  Chatting  ▶ Mika
  ◆ Robin  received
  (UTC) 2026-03-02
  10:00:00
SMS sessions of demo
at 127.0.0.1
""",
    f"show {ID}": f"""\
session
{ID}
times are UTC
  state   Chatting
  customer
          Mika
  agents  Robin
  waiting
          -
  last message
          10:00:00
          Robin: I
          am
  typing  -
participants
▶ Mika
  id
    0090000000000001
  messages
          1
  typed   -
  joined  10:00:00
  left    -
◆ Robin
  id
    0090000000000000
  messages
          1
  typed   -
  joined  10:00:00
  left    -
activity
  messages
         2
  first message
         2026-03-02
         10:00:00
  last message
         2026-03-02
         10:00:00
  first response
         0 s
timeline
  ▶ █
  ◆ █
    10:00:00
    10:00:00
    █ said  ░ typed
    · waiting
user data
  Subject
         Parcel
         overdue
capabilities
  Leave, SendMessage
session
  received
       2026-03-02
       10:00:00
  comment
       -
  uri  https://gws.e
       xample.com/ap
       i/v2/smsessio
       ns/0000Na9B26
       EF0001
  chatType
       Inbound
session
0000Na9B26EF0001
times are UTC
  state   Chatting
  customer
          Mika
  agents  Robin
  waiting
          -
  last message
          10:00:00
          Robin: I
          am
  typing  -
""",
    f"messages {ID}": """\
─ Mon 2026-03-02,
times are UTC ─
10:00:00 ▶ Mika   is
  anybody there?
10:00:00 ◆ Robin   I
  am
""",
    f"tail {ID}": """\
─ Mon 2026-03-02,
times are UTC ─
10:00:00 ▶ Mika   is
  anybody there?
10:00:00 ◆ Robin   I
  am
""",
    f"tail {ID} {OTHER}": f"""\
─ Mon 2026-03-02,
times are UTC ─
session
{ID}
10:00:00 ▶ Mika   is
  anybody there?
10:00:00 ◆ Robin   I
  am
""",
}


@pytest.mark.parametrize("command", NARROW)
def test_20_columns_are_enough(smscli: Smscli, server: FakeServer, command: str) -> None:
    if command.startswith("tail"):
        # A follower ends when all of its sessions have.
        server.store.add_session(OTHER, state="Completed")
        server.store.end(ID)
    outcome = smscli(*command.split(), server=server, tty=True, width=20, color="never")
    assert (outcome.code, outcome.out) == (0, NARROW[command])


def test_the_live_line_has_room_in_20_columns(home: dict[str, str], server: FakeServer) -> None:
    typing = {"type": "TypingStarted", "from": server.store.participant(ID, "Mika")}
    server.store.append(ID, typing)
    environ = {**home, "SMSCLI_URL": server.url, "SMSCLI_USERNAME": "demo", "SMSCLI_PASSWORD": "demo"}
    with OnTerminal("tail", ID, "--utc", environ=environ, columns=20, lines=12) as seen:
        seen.until("  am")
        seen.until("● Mika is typing")
        assert [re.sub(r"^\d\d:\d\d:\d\d  ", "10:00:00  ", line) for line in seen.screen if line] == [
            # The terminal itself breaks what is said on stderr.
            "10:00:00  following",
            "session 0000Na9B26EF",
            "0001 (Mika) of demo",
            "at 127.0.0.1",
            "─ Mon 2026-03-02,",
            "times are UTC ─",
            "10:00:00 ▶ Mika   is",
            "  anybody there?",
            "10:00:00 ◆ Robin   I",
            "  am",
            "● Mika is typing",
        ]


def test_doctor_has_no_line_of_more_than_20_columns_and_lacks_no_word(
    smscli: Smscli, server: FakeServer
) -> None:
    wide, narrow = (
        smscli("doctor", server=server, tty=True, width=width, color="never").out for width in (500, 20)
    )
    assert max(map(cells, narrow.splitlines())) <= 20
    assert "".join(narrow.split()) == "".join(wide.split())


CROWD = [f"Agent{number:03}" for number in range(299)]


@pytest.fixture
def crowded(server: FakeServer) -> FakeServer:
    """A session with 300 participants, each of whom has said something."""
    server.store.add_session(OTHER, customer="Noor", agents=CROWD)
    for name in [*CROWD, "Noor"]:
        server.store.say(OTHER, f"I am {name}", by=name)
    return server


@quick
@pytest.mark.parametrize("width", [20, 80])
def test_a_card_has_all_of_300_participants(smscli: Smscli, crowded: FakeServer, width: int) -> None:
    outcome = smscli("show", OTHER, server=crowded, tty=True, width=width, color="never")
    lines = outcome.out.splitlines()
    people = [
        line.strip("│ ").split()[1] for line in lines if line.lstrip("│ ").startswith(("◆ Agent", "▶ N"))
    ]
    assert (outcome.code, outcome.err) == (0, "")
    assert people == [*CROWD, "Noor"]
    assert max(map(cells, lines)) <= width


@quick
def test_300_participants_in_a_pipe_and_as_json(smscli: Smscli, crowded: FakeServer) -> None:
    rows = dict(line.split("\t") for line in smscli("show", OTHER, server=crowded).out.splitlines())
    session = json.loads(smscli("show", OTHER, "--json", server=crowded).out)
    for number, name in enumerate([*CROWD, "Noor"]):
        assert rows[f"participants.{number}.nickname"] == name
        assert session["participants"][number]["nickname"] == name
        assert session["activity"]["participants"][number]["messages"] == 1
    assert len(session["participants"]) == len(session["activity"]["participants"]) == 300


def test_a_crowd_leaves_room_for_other_sessions_in_the_list(smscli: Smscli, crowded: FakeServer) -> None:
    outcome = smscli("list", "--columns", "id,agents", server=crowded, tty=True, color="never")
    assert outcome.out == (
        "id                agents\n"
        "0000Na9B26EF0001  Robin\n"
        "0000Na9B26EF0002  Agent000, Agent001, Agent002, A…gent004, Agent005 and 293 more\n"
        "SMS sessions of demo at 127.0.0.1\n"
    )
    assert smscli("list", server=crowded).out.splitlines()[1].split("\t")[3] == ",".join(CROWD)


KEYS = {f"key {number:05}": f"value {number}" for number in range(10_000)}


@pytest.fixture
def laden(server: FakeServer) -> FakeServer:
    """A session with 10,000 keys of user data."""
    server.store.add_session(OTHER, customer="Noor", user_data=KEYS)
    server.store.say(OTHER, "hello", by="Noor")
    return server


@quick
def test_a_card_has_all_of_10_000_keys(smscli: Smscli, laden: FakeServer) -> None:
    outcome = smscli("show", OTHER, server=laden, tty=True, color="never")
    shown = [line.strip() for line in outcome.out.splitlines() if line.startswith("  key ")]
    assert (outcome.code, outcome.err) == (0, "")
    assert shown == [f"{key}  {value}" for key, value in KEYS.items()]


@quick
def test_10_000_keys_in_a_pipe_and_as_json(smscli: Smscli, laden: FakeServer) -> None:
    rows = dict(line.split("\t") for line in smscli("show", OTHER, server=laden).out.splitlines())
    assert {key: rows[f"userData.{key}"] for key in KEYS} == KEYS
    assert json.loads(smscli("show", OTHER, "--json", server=laden).out)["userData"] == KEYS


@quick
def test_a_page_folds_10_000_keys_away(smscli: Smscli, laden: FakeServer) -> None:
    page = smscli("messages", OTHER, "--html", "-", server=laden).out
    folded = page.partition("<details><summary>user data (10000)</summary>")[2].partition("</details>")[0]
    items = "".join(f"<dt>{key}</dt><dd>{value}</dd>\n" for key, value in KEYS.items())
    assert unescape(folded) == f"<dl>\n{items}</dl>\n"


@quick
def test_one_of_10_000_keys_is_a_column(smscli: Smscli, laden: FakeServer) -> None:
    outcome = smscli(
        "list", "--columns", "id,userData.key 09999", "--sort", "userData.key 09999", server=laden
    )
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{OTHER}\tvalue 9999\n{ID}\t\n", "")
