"""Who is there and who waits, as `show`, `tail` and JSON tell it, and drafts cut by a window's end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.options import Options
from tests.server.server import FakeServer
from tests.support.command import Smscli

ID = "S1"
SAMPLE = "009052BDEE39003A"
START = 1772445600.0  # 2026-03-02T10:00:00Z


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[FakeServer]:
    with FakeServer(Options(scene="empty"), clock=clock) as server:
        yield server


def activity(smscli: Smscli, server: FakeServer) -> dict[str, Any]:
    outcome = smscli("show", ID, "--json", server=server)
    assert (outcome.code, outcome.err) == (0, "")
    return dict(json.loads(outcome.out)["activity"])


def waits(smscli: Smscli, server: FakeServer) -> tuple[float | None, str | None]:
    found = activity(smscli, server)
    return found["waitingSeconds"], found["waitingSince"]


def people(smscli: Smscli, server: FakeServer) -> dict[str, tuple[str | None, str | None, bool]]:
    return {
        one["nickname"]: (one["joinedAt"], one["leftAt"], one["present"])
        for one in activity(smscli, server)["participants"]
    }


def at(seconds: int) -> str:
    return f"2026-03-02T10:{seconds // 60:02}:{seconds % 60:02}.000Z"


def test_a_customer_who_left_after_an_inactivity_notice_does_not_wait(
    smscli: Smscli, server: FakeServer, clock: Clock
) -> None:
    server.store.add_session(ID)
    server.store.say(ID, "Hello", by="Robin")
    server.store.say(ID, "hello?")
    clock.now += 60
    server.store.append(ID, {"type": "Notice", "text": "closed due to inactivity"})
    assert waits(smscli, server) == (60, at(0))
    server.store.leave(ID, listed=True)
    clock.now += 840
    assert waits(smscli, server) == (None, None)
    assert "  waiting       -\n" in smscli("show", ID, tty=True, color="never", server=server).out


def test_a_customer_who_came_back_waits_again(smscli: Smscli, server: FakeServer, clock: Clock) -> None:
    server.store.add_session(ID)
    server.store.say(ID, "Hello", by="Robin")
    left = server.store.leave(ID)
    assert waits(smscli, server) == (None, None)
    server.store.rejoin(ID, left["from"])
    clock.now += 30
    server.store.say(ID, "still there?")
    assert waits(smscli, server) == (0, at(30))


def test_of_two_customers_the_last_one_to_leave_ends_the_wait(
    smscli: Smscli, server: FakeServer, clock: Clock
) -> None:
    server.store.add_session(ID)
    server.store.say(ID, "Hello", by="Robin")
    server.store.join(ID, "Noa", "Client")
    server.store.say(ID, "hello?")
    server.store.leave(ID, "Mika")
    assert waits(smscli, server) == (0, at(0))
    server.store.leave(ID, "Noa")
    assert waits(smscli, server) == (None, None)


def test_an_invitation_that_nobody_accepts_waits_since_it_was_received(
    smscli: Smscli, server: FakeServer
) -> None:
    server.store.add_session(ID, state="Invited", agents=(), age=600)
    assert waits(smscli, server) == (600, "2026-03-02T09:50:00.000Z")
    card = smscli("show", ID, "--utc", tty=True, color="never", server=server).out
    assert "  waiting       10 min, no agent since 2026-03-02 09:50:00\n" in card


def test_an_invitation_that_only_a_supervisor_watches_waits(smscli: Smscli, server: FakeServer) -> None:
    watcher = {"type": "Agent", "nickname": "Kim", "participantId": "A7", "visibility": "Agents"}
    server.store.add_session(ID, agents=(), age=60, participants=[watcher])
    assert waits(smscli, server) == (60, "2026-03-02T09:59:00.000Z")
    server.store.update(ID, participants=[{**watcher, "visibility": "All"}])
    assert waits(smscli, server) == (None, None)


def test_a_revoked_invitation_does_not_wait(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session(ID, state="Revoked", agents=(), age=600)
    assert waits(smscli, server) == (None, None)


def test_an_agent_who_left_has_left_whatever_the_session_says(
    smscli: Smscli, server: FakeServer, clock: Clock
) -> None:
    server.store.add_session(ID)
    robin = server.store.participant(ID, "Robin")
    server.store.append(ID, {"type": "ParticipantJoined", "from": robin})
    clock.now += 60
    server.store.say(ID, "Hello", by="Robin")
    clock.now += 60
    server.store.leave(ID, "Robin", listed=True)
    assert people(smscli, server) == {"Robin": (at(0), at(120), False), "Mika": (None, None, True)}
    card = smscli("show", ID, "--utc", tty=True, color="never", server=server).out
    assert "│ ◆ Robin │ 0090000000000000 │ 1        │ -     │ 10:00:00 │ 10:02:00 │\n" in card
    assert "│ ▶ Mika  │ 0090000000000001 │ 0        │ -     │ -        │ -        │\n" in card


def test_an_agent_who_came_back_is_there(smscli: Smscli, server: FakeServer, clock: Clock) -> None:
    server.store.add_session(ID)
    left = server.store.leave(ID, "Robin")
    clock.now += 60
    server.store.rejoin(ID, left["from"])
    assert people(smscli, server)["Robin"] == (at(60), None, True)


def test_a_typing_agent_is_there_though_the_session_does_not_say_so(
    smscli: Smscli, server: FakeServer
) -> None:
    server.store.add_session(ID)
    robin = server.store.participant(ID, "Robin")
    server.store.append(ID, {"type": "TypingStarted", "from": robin})
    server.store.update(ID, participants=[server.store.participant(ID, "Mika")])
    assert people(smscli, server)["Robin"] == (at(0), None, True)


def test_the_last_message_is_told(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session(ID)
    assert activity(smscli, server)["lastMessage"] is None
    server.store.say(ID, "where is it?")
    server.store.append(
        ID, {"type": "PushUrl", "from": server.store.participant(ID, "Robin"), "url": "https://x.example/7"}
    )
    assert activity(smscli, server)["lastMessage"] == {
        "index": 2,
        "timestamp": at(0),
        "nickname": "Robin",
        "type": "PushUrl",
        "text": "https://x.example/7",
    }


# A window that ends in typing


@pytest.mark.parametrize("window", [("--count", "1"), ()])
def test_a_window_that_ends_in_typing_does_not_say_that_the_draft_was_given_up(
    smscli: Smscli, server: FakeServer, window: tuple[str, ...]
) -> None:
    server.store.add_session(ID)
    mika = server.store.participant(ID, "Mika")
    server.store.append(ID, {"type": "TypingStarted", "from": mika, "text": "I wan"})
    arguments = ("messages", ID, "--start-index", "1", *window)
    folded = smscli(*arguments, "--typing", "fold", "--json", server=server)
    assert [(one["draft"], one["composingSeconds"]) for one in json.loads(folded.out)] == [("cut", None)]
    shown = smscli(*arguments, "--utc", tty=True, color="never", server=server)
    assert shown.out.endswith('▶ Mika          · typing (the window ends here): "I wan"\n')
    row = smscli(*arguments, server=server).out
    assert row == f"{at(0)}\tS1\t1\tTypingStarted\tCustomer\tMika\tAll\tI wan\t\n"


def test_the_documented_sample_cut_in_its_typing(smscli: Smscli, server: FakeServer) -> None:
    window = ("messages", SAMPLE, "--start-index", "3", "--count", "1")
    outcome = smscli("--user", "sample", *window, "--utc", tty=True, color="never", server=server)
    assert outcome.out == (
        "─ Fri 2013-12-27, times are UTC ─\n21:16:41  ▶ PersonP       · typing (the window ends here)\n"
    )


def test_a_draft_given_up_within_a_window_is_given_up(
    smscli: Smscli, server: FakeServer, clock: Clock
) -> None:
    server.store.add_session(ID)
    mika = server.store.participant(ID, "Mika")
    server.store.append(ID, {"type": "TypingStarted", "from": mika, "text": "I wan"})
    clock.now += 9
    server.store.leave(ID)
    folded = smscli("messages", ID, "--start-index", "1", "--typing", "fold", "--json", server=server)
    assert [(one.get("draft"), one["composingSeconds"]) for one in json.loads(folded.out)] == [
        ("given-up", 9),
        (None, None),
    ]


# Whole texts, and characters that are part of a script


@pytest.mark.parametrize("text", ["x" * 4994 + "needle", "x" * 4093 + "needle", "needle" + "x" * 5000])
def test_a_needle_is_found_wherever_it_stands(smscli: Smscli, server: FakeServer, text: str) -> None:
    server.store.add_session(ID)
    server.store.say(ID, text)
    server.store.say(ID, "hay")
    found = smscli("messages", ID, "--grep", "needle", "--json", server=server)
    assert [one["text"] for one in json.loads(found.out)] == [text]
    left = smscli("messages", ID, "--exclude", "needle", "--json", server=server)
    assert [one["text"] for one in json.loads(left.out)] == ["hay"]
    marked = smscli("messages", ID, "--highlight", "needle", tty=True, color="never", server=server)
    assert "⟦needle⟧" in marked.out.replace("\n", "").replace(" ", "")


ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize("text", ["ខ្ញុំ\u200bទៅ", f"go {ENGLAND}", "می\u200cخواهم", "a\u2060b", "❤\ufe0f"])
def test_joiners_and_flags_are_shown_as_they_are(smscli: Smscli, server: FakeServer, text: str) -> None:
    server.store.add_session(ID, customer=text)
    server.store.say(ID, text)
    assert smscli("messages", ID, server=server).out.endswith(f"\t{text}\tAll\t{text}\t\n")
    assert smscli("messages", ID, "--utc", tty=True, color="never", server=server).out.endswith(f" {text}\n")
    assert text in smscli("messages", ID, "--html", "-", server=server).out
    assert text in smscli("list", server=server).out


def test_tags_elsewhere_are_made_visible(smscli: Smscli, server: FakeServer) -> None:
    server.store.add_session(ID)
    server.store.say(ID, "hi\U000e0061")
    assert smscli("messages", ID, server=server).out.endswith("\thi\\u{E0061}\t\n")
