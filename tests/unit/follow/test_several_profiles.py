"""Several feeds in one loop: common limits, and sessions that two agents have."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest

from smscli.errors import NotFound, SignInRefused, Unreachable
from smscli.follow.feed import Feed
from smscli.follow.loop import FeedBegan, FeedFailed, FeedLoop
from smscli.follow.rate import RateLimit
from smscli.follow.requests import ReadResult
from smscli.follow.slots import ReadSlots
from smscli.model import ListRead, NewMessages, Notice, SessionEnded, SessionStarted, Wake
from tests.support.feed_stage import Curtain, Stage

DEAD = Unreachable("nobody answers")
REFUSED = SignInRefused("refused", http_status=401)


class Team:
    """Feeds of several profiles, each with a server of its own to talk to, on one clock.

    Profiles of one `group` see the sessions of one server. What happened: name, time and event.
    """

    def __init__(self, *groups: Sequence[str], latency: float = 0.01) -> None:
        self.groups = groups
        self.stages = {name: Stage(latency=latency) for group in groups for name in group}
        self.events: list[tuple[str | None, float, object]] = []

    def wait(self, seconds: float) -> list[tuple[str, Wake | ReadResult]]:
        stages = self.stages.values()
        target = min(self.now + seconds, self.end)
        while self.now < target:
            due = min([target, *(one.next_due for one in stages)])
            arrived = [
                (name, item)
                for name, one in self.stages.items()
                for item in one.arrivals_by(max(due, self.now))
            ]
            if arrived:
                return arrived
        if self.now >= self.end:
            raise Curtain
        return []

    @property
    def now(self) -> float:
        return next(iter(self.stages.values())).now

    def play(self, seconds: float, trusted: bool = False, **named: Sequence[str]) -> "Team":
        """Follow the `named` sessions of each profile, all without any, for so many seconds or to the end."""
        self.end = self.now + seconds
        process = RateLimit()
        slots = {name: one for group in self.groups for one in [ReadSlots(process)] for name in group}
        feeds = {
            name: Feed(
                stage.start,
                clock=stage.clock,
                interval=2.0,
                slots=slots[name],
                ids=named[name] if named else None,
                are_known=bool(named),
                trusted=trusted,
                jitter=lambda: 0.0,
            )
            for name, stage in self.stages.items()
        }
        loop = FeedLoop(feeds, wait=self.wait, clock=lambda: self.now, groups=self.groups)
        try:
            for name, event in loop.events():
                self.events.append((name, self.now, event))
        except Curtain:
            pass
        return self

    def of(self, *kinds: type) -> Iterator[tuple[str | None, object]]:
        return ((name, event) for name, _, event in self.events if isinstance(event, kinds))

    @property
    def texts(self) -> list[tuple[str | None, str | None]]:
        """What was shown, and through which profile."""
        return [
            (name, one.text)
            for name, event in self.of(NewMessages)
            if isinstance(event, NewMessages)
            for one in event.messages
        ]

    @property
    def starts(self) -> list[float]:
        return sorted(one.at for stage in self.stages.values() for one in stage.asked)


def team_of(number: int) -> Team:
    """Agents of one server with two sessions each."""
    team = Team([f"p{place:02}" for place in range(number)])
    for name, stage in team.stages.items():
        stage.open(f"{name}-a", f"{name}-b")
    return team


def most_in_a_second(times: Sequence[float]) -> int:
    return max(sum(begin <= one < begin + 1 for one in times) for begin in times)


def test_fifty_profiles_are_polled_within_one_limit() -> None:
    team = team_of(50).play(60)
    assert most_in_a_second(team.starts) <= 20
    read = {one.session_id for stage in team.stages.values() for one in stage.asked}
    assert len(read) == 101


def test_background_reads_of_one_server_take_turns() -> None:
    team = team_of(50).play(180, trusted=True)
    calm = [one for one in team.starts if one > 60]
    assert most_in_a_second(calm) <= 4
    for stage in team.stages.values():
        times = [one.at for one in stage.asked if one.at > 60]
        assert 6 <= len(times) <= 12, times


def test_four_reads_of_one_server_are_under_way_at_once() -> None:
    team = Team(["a", "b", "c"], latency=1.0)
    for name, stage in team.stages.items():
        stage.open(*(f"{name}{number}" for number in range(4)))
    team.play(30)
    spans = sorted((one.at, one.answered) for stage in team.stages.values() for one in stage.asked)
    assert max(sum(other[0] <= one[0] < other[1] for other in spans) for one in spans) == 4


def shared() -> tuple[Team, Callable[[str], None]]:
    """Two agents who both have session `s`, and what has somebody say something in it."""
    team = Team(["a", "b"])
    for stage in team.stages.values():
        stage.open("s")
    a, b = team.stages.values()
    b.logs = a.logs

    def say(text: str) -> None:
        a.say("s", text)

    return team, say


def test_a_shared_session_is_read_by_one_of_them() -> None:
    team, say = shared()
    say("hello")
    team.stages["a"].at(5, lambda: say("more"))
    team.play(20)
    assert team.texts == [("a", "hello"), ("a", "more")]
    assert team.stages["b"].reads("s") == []
    assert [event for _, event in team.of(SessionStarted)] == [
        SessionStarted(team.stages["a"].sessions_listed["s"], announce=False)
    ]


def test_when_one_view_ends_the_other_one_is_read_on() -> None:
    team, say = shared()
    say("hello")
    a, b = team.stages.values()
    a.at(5, lambda: a.state("s", "Completed"))
    a.at(10, lambda: say("more"))
    b.at(15, lambda: b.state("s", "Completed"))
    a.at(15, lambda: say("goodbye"))
    team.play(30)
    assert [text for _, text in team.texts] == ["hello", "more", "goodbye"]
    assert [name for name, _ in team.texts] == ["a", "b", "b"]
    assert [*team.of(SessionEnded)] == [("b", SessionEnded("s", "Completed"))]


def test_a_session_that_is_gone_for_both_has_ended_once() -> None:
    team, say = shared()
    say("hello")
    for stage in team.stages.values():
        stage.at(5, lambda stage=stage: stage.remove("s"))  # type: ignore[misc]
    team.play(30)
    assert [event for _, event in team.of(SessionEnded)] == [SessionEnded("s", None)]


def test_an_answer_that_comes_after_the_change_of_readers_is_dropped() -> None:
    team, say = shared()
    a, b = team.stages.values()
    a.fill("s", 1200)
    # The answer to the second page takes 20 s; meanwhile a's view ends.
    a.at(0.015, lambda: a.latencies.update(s=20.0))
    a.at(1, lambda: a.state("s", "Completed"))
    team.play(40)
    assert [text for _, text in team.texts] == [f"old {number}" for number in range(1200)]
    assert {name for name, _ in team.texts} == {"a", "b"}


def test_the_list_is_that_of_all_with_the_view_of_the_reader() -> None:
    team, say = shared()
    a, b = team.stages.values()
    b.open("t")
    a.state("s", "Completed")
    team.play(3)
    listings = [event.listing for _, event in team.of(ListRead) if isinstance(event, ListRead)]
    assert [(one.id, one.state) for one in listings[-1].sessions] == [("s", "Chatting"), ("t", "Chatting")]
    complete = [event.is_complete for _, event in team.of(ListRead) if isinstance(event, ListRead)]
    assert complete == [False, *[True] * (len(complete) - 1)]


@pytest.mark.parametrize("is_lost", [True, False])
def test_while_one_connection_is_lost_the_other_profile_reads(is_lost: bool) -> None:
    team, say = shared()
    say("hello")
    a, _ = team.stages.values()
    if is_lost:
        a.at(5, lambda: a.fail_all(DEAD))
        a.at(30, a.heal)
    else:
        a.at(5, lambda: a.fail(DEAD, "s", times=8))
    a.at(20, lambda: say("more"))
    a.at(45, lambda: say("again"))
    team.play(60)
    # A session that one profile can't read stays with the other one.
    assert team.texts == [("a", "hello"), ("b", "more"), ("a" if is_lost else "b", "again")]


def test_a_profile_that_is_refused_later_leaves_its_sessions_to_the_others() -> None:
    team, say = shared()
    say("hello")
    a, _ = team.stages.values()
    a.open("mine")
    a.at(5, lambda: a.fail_all(REFUSED))
    a.at(5, lambda: a.renewals.append(None))
    a.at(20, lambda: say("more"))
    team.play(30)
    assert team.texts == [("a", "hello"), ("b", "more")]
    assert [*team.of(FeedFailed)] == [("a", FeedFailed(REFUSED, False))]


def test_profiles_that_fail_at_the_start_are_told_once_another_one_has_begun() -> None:
    team = Team(["a"], ["b"], ["c"])
    a, b, c = team.stages.values()
    c.latency = 3.0
    for stage in (a, b, c):
        stage.open(f"of {stage.latency}")
    a.fail(DEAD, times=6)
    b.fail(REFUSED, times=99)
    team.play(60)
    told = [*team.of(FeedFailed, FeedBegan)]
    assert told == [
        ("a", FeedFailed(DEAD, True)),
        ("b", FeedFailed(REFUSED, False)),
        ("a", FeedBegan()),
    ]


def test_if_all_fail_the_first_ones_error_is_raised() -> None:
    team = Team(["a"], ["b"])
    a, b = team.stages.values()
    a.latency = 1.0
    a.fail_all(DEAD)
    b.fail_all(REFUSED)
    with pytest.raises(Unreachable) as caught:
        team.play(30)
    assert caught.value is DEAD


def test_waits_between_reads_are_no_busy_loop() -> None:
    team = team_of(3).play(20)
    assert all(later >= earlier for earlier, later in pairwise(at for _, at, _ in team.events))
    assert len(team.events) < 400


def told(team: Team) -> list[tuple[str | None, str]]:
    """The notices that were given."""
    return [(name, event.kind) for name, event in team.of(Notice) if isinstance(event, Notice)]


def test_a_view_that_has_ended_waits_for_the_lists_of_the_others() -> None:
    team, say = shared()
    say("hello")
    a, b = team.stages.values()
    a.latencies[None] = 5.0
    b.state("s", "Completed")
    team.play(20)
    assert [*team.of(SessionEnded)] == []
    assert [name for name, _ in team.of(SessionStarted)] == ["a"]
    assert team.texts == [("a", "hello")]


def test_a_session_that_ended_before_is_shown_once_all_lists_are_known() -> None:
    team, say = shared()
    say("hello")
    for stage in team.stages.values():
        stage.state("s", "Completed")
    team.play(20)
    assert len(team.texts) == 1
    assert [event for _, event in team.of(SessionEnded)] == [SessionEnded("s", "Completed")]


def test_a_loss_is_over_although_another_profile_took_the_session_over() -> None:
    team, say = shared()
    say("hello")
    a, b = team.stages.values()
    for stage in (a, b):
        stage.at(5, lambda stage=stage: stage.fail_all(DEAD))  # type: ignore[misc]
    a.at(10, lambda: a.state("s", "Completed"))
    for stage in (a, b):
        stage.at(20, stage.heal)
    a.at(60, lambda: a.fail_all(DEAD))
    a.at(80, a.heal)
    team.play(120)
    assert [kind for name, kind in told(team) if name == "a"] == ["lost", "reconnected"] * 2


def test_not_found_in_the_middle_of_a_log_leaves_the_rest_to_the_other_profile() -> None:
    team, say = shared()
    a, _ = team.stages.values()
    a.fill("s", 1200)
    a.at(0.015, lambda: a.fail(NotFound("gone"), "s"))
    team.play(30)
    assert [text for _, text in team.texts] == [f"old {number}" for number in range(1200)]
    reads = [event for _, event in team.of(NewMessages) if isinstance(event, NewMessages)]
    assert all(event.first for event in reads)


def test_named_sessions_of_a_profile_that_fails_later_are_an_error_at_the_end() -> None:
    team = Team(["a"], ["b"])
    a, b = team.stages.values()
    a.open("mine")
    b.open("other")
    a.at(5, lambda: a.fail_all(REFUSED))
    b.at(10, lambda: b.state("other", "Completed"))
    with pytest.raises(SignInRefused):
        team.play(60, a=["mine"], b=["other"])
    assert [event for _, event in team.of(SessionEnded)] == [SessionEnded("other", "Completed")]


def test_a_named_session_that_is_gone_at_the_start_ends_nothing_else() -> None:
    team = Team(["a"], ["b"])
    a, b = team.stages.values()
    a.open("mine")
    b.open("other")
    a.say("mine", "hello")
    a.at(8, lambda: a.state("mine", "Completed"))
    b.at(8, lambda: b.state("other", "Completed"))
    team.play(60, a=["mine", "gone"], b=["other"])
    assert team.texts == [("a", "hello")]
    assert {event.session_id for _, event in team.of(SessionEnded) if isinstance(event, SessionEnded)} == {
        "mine",
        "other",
        "gone",
    }


def test_a_session_is_polled_on_as_often_after_a_change_of_readers() -> None:
    team, say = shared()
    a, b = team.stages.values()
    a.at(4, lambda: say("busy"))
    a.at(6, lambda: a.state("s", "Completed"))
    team.play(40)
    times = [at for at, *_ in b.reads("s")]
    assert max(later - earlier for earlier, later in pairwise(times)) < 2.5
