"""The transcript as people read it: whole pieces of screen, and what holds for any of them."""

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Message, Participant
from smscli.output.render.layout import cells
from smscli.output.render.transcript import TranscriptLines
from smscli.output.view import EntryView
from smscli.sanitize import clean
from smscli.transcript.filters import searched_text
from smscli.transcript.fold import Entry
from tests.support.entries import AGENT, CHAT, CUSTOMER, PACIFIC, START, Paper, entry, message

LORD_HOWE, EUCLA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Australia/Eucla")


class Slow(TranscriptLines):
    """Without the short cut."""

    def _quick(self, entry: Entry, label: object) -> None:
        return None


def written(entries: list[Entry], paper: Paper, zone: tzinfo = PACIFIC, many: bool = False) -> str:
    return "".join(map(TranscriptLines(paper, EntryView(many), zone), entries))


def body(one: Entry, width: int = 80) -> str:
    """One entry without its date line and its time."""
    return written([one], Paper(width)).partition("\n")[2][10:].rstrip("\n")


def test_a_conversation_at_80_columns() -> None:
    assert written(CHAT, Paper()) == (
        "─ Fri 2013-12-27, times are UTC-08:00 ─\n"
        "13:16:41  ▶ PersonP       · joined (Customer)\n"
        "13:16:42  ◆ Agent1        · joined (Agent)\n"
        "13:16:55  ▶ PersonP         Hello, the router has been blinking red since this\n"
        "                            morning. (typed 12 s)\n"
        "13:17:01  ◆ Agent1          Good morning!\n"
        "13:17:05  ◆ Agent1          [agents only] Shall I take this one?\n"
        "13:17:11  ◆ Agent1          link: https://example.com/help\n"
        '13:17:31  ▶ PersonP       · gave up a draft after 14 s: "I would rather cancel"\n'
        "13:17:41  · system        · notice: This chat is recorded\n"
        "13:17:51  ▶ PersonP         one\n"
        "                            two\n"
        "\n"
        "                              three\n"
        "--:--:--  · system        · transcript saved\n"
        "─ Sat 2013-12-28 ─\n"
        "14:16:41  ▶ PersonP       · left\n"
    )


def test_a_conversation_at_40_columns_in_ascii() -> None:
    assert written(CHAT, Paper(40, ascii=True)) == (
        "- Fri 2013-12-27, times are UTC-08:00 -\n"
        "13:16:41 > PersonP - joined (Customer)\n"
        "13:16:42 * Agent1 - joined (Agent)\n"
        "13:16:55 > PersonP   Hello, the router\n"
        "  has been blinking red since this\n"
        "  morning. (typed 12 s)\n"
        "13:17:01 * Agent1   Good morning!\n"
        "13:17:05 * Agent1   [agents only] Shall\n"
        "  I take this one?\n"
        "13:17:11 * Agent1   link:\n"
        "  https://example.com/help\n"
        "13:17:31 > PersonP - gave up a draft\n"
        '  after 14 s: "I would rather cancel"\n'
        "13:17:41 - system - notice: This chat is\n"
        "  recorded\n"
        "13:17:51 > PersonP   one\n"
        "  two\n"
        "\n"
        "    three\n"
        "--:--:-- - system - transcript saved\n"
        "- Sat 2013-12-28 -\n"
        "14:16:41 > PersonP - left\n"
    )


def test_a_conversation_at_20_columns() -> None:
    assert written(CHAT, Paper(20)) == (
        "─ Fri 2013-12-27,\n"
        "times are\n"
        "UTC-08:00 ─\n"
        "13:16:41 ▶ Perso… · \n"
        "  joined (Customer)\n"
        "13:16:42 ◆ Agent1 · \n"
        "  joined (Agent)\n"
        "13:16:55 ▶ Perso…   \n"
        "  Hello, the router\n"
        "  has been blinking\n"
        "  red since this\n"
        "  morning.\n"
        "  (typed 12 s)\n"
        "13:17:01 ◆ Agent1   \n"
        "  Good morning!\n"
        "13:17:05 ◆ Agent1   \n"
        "  [agents only]\n"
        "  Shall I take this\n"
        "  one?\n"
        "13:17:11 ◆ Agent1   \n"
        "  link: https://exam\n"
        "  ple.com/help\n"
        "13:17:31 ▶ Perso… · \n"
        "  gave up a draft\n"
        '  after 14 s: "I\n'
        "  would rather\n"
        '  cancel"\n'
        "13:17:41 · system · \n"
        "  notice: This chat\n"
        "  is recorded\n"
        "13:17:51 ▶ Perso…   \n"
        "  one\n"
        "  two\n"
        "\n"
        "    three\n"
        "--:--:-- · system · \n"
        "  transcript saved\n"
        "─ Sat 2013-12-28 ─\n"
        "14:16:41 ▶ Perso… · \n"
        "  left\n"
    )


def test_a_conversation_in_colour() -> None:
    end, bold, dim, underlined = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[4m"
    person, agent = f"\x1b[38;5;31m▶ PersonP{end}", f"\x1b[38;5;130m◆ Agent1{end}"
    assert written(CHAT[2:6], Paper(color=True)) == (
        f"{bold}─ Fri 2013-12-27, times are UTC-08:00 ─{end}\n"
        f"{dim}13:16:55{end}  {person}         Hello, the router has been blinking red since this\n"
        f"                            morning.{dim} (typed 12 s){end}\n"
        f"{dim}13:17:01{end}  {agent}          Good morning!\n"
        f"{dim}13:17:05{end}  {agent}          {bold}[agents only] {end}Shall I take this one?\n"
        f"{dim}13:17:11{end}  {agent}          {dim}link: {end}{underlined}https://example.com/help{end}\n"
    )


OTHER = Participant("Customer", "客户李", "2")


def two_sessions() -> list[Entry]:
    second = entry("Text", OTHER, "你好，我的路由器从今天早上开始一直闪红灯", session_id="0000Na9B26EF003H")
    long = entry("Text", AGENT, "hello", session_id="an id that is longer than any other")
    return [
        entry("Text", CUSTOMER, "Hello"),
        second,
        entry("Text", AGENT, "Hi"),
        entry("Text", AGENT, "Hi"),
        long,
    ]


def test_each_line_says_whose_it_is_when_there_are_many_sessions() -> None:
    assert written(two_sessions(), Paper(), many=True) == (
        "─ Fri 2013-12-27, times are UTC-08:00 ─\n"
        "0000…002G  13:16:41  ▶ PersonP     Hello\n"
        "0000…003H  13:16:41  ▶ 客户李      你好，我的路由器从今天早上开始一直闪红灯\n"
        "0000…002G  13:16:41  ◆ Agent1      Hi\n"
        "0000…002G  13:16:41  ◆ Agent1      Hi\n"
        "an i…ther  13:16:41  ◆ Agent1      hello\n"
    )


def test_a_line_says_when_the_session_changes_where_there_is_no_room_for_ids() -> None:
    assert written(two_sessions(), Paper(40), many=True) == (
        "─ Fri 2013-12-27, times are UTC-08:00 ─\n"
        "session 0000Na9B26EF002G\n"
        "13:16:41 ▶ PersonP   Hello\n"
        "session 0000Na9B26EF003H\n"
        "13:16:41 ▶ 客户李   你好，我的路由器从今\n"
        "  天早上开始一直闪红灯\n"
        "session 0000Na9B26EF002G\n"
        "13:16:41 ◆ Agent1   Hi\n"
        "13:16:41 ◆ Agent1   Hi\n"
        "session\n"
        "an id that is longer than any other\n"
        "13:16:41 ◆ Agent1   hello\n"
    )


def test_wide_adds_index_milliseconds_and_participant_id() -> None:
    lines = TranscriptLines(Paper(100), EntryView(wide=True), PACIFIC)
    asked = entry("Text", CUSTOMER, "Hello")
    shown = "".join(map(lines, [asked, entry("Notice", None, "closed", at=None)]))
    assert shown == (
        "─ Fri 2013-12-27, times are UTC-08:00 ─\n"
        "#1     13:16:41.000  ▶ PersonP           009052BDEE39003C   Hello\n"
        "#1     --:--:--      · system                             · notice: closed\n"
    )


def test_one_session_of_a_recording_is_named_once_and_several_in_each_line() -> None:
    lines = TranscriptLines(Paper(), EntryView(many=True, once_needed=True), PACIFIC)
    first, second = two_sessions()[:2]
    assert lines(first) + lines(first) == (
        "─ Fri 2013-12-27, times are UTC-08:00 ─\n"
        "session 0000Na9B26EF002G\n"
        "13:16:41  ▶ PersonP         Hello\n"
        "13:16:41  ▶ PersonP         Hello\n"
    )
    assert lines(second) + lines(first) == (
        "0000…003H  13:16:41  ▶ 客户李      你好，我的路由器从今天早上开始一直闪红灯\n"
        "0000…002G  13:16:41  ▶ PersonP     Hello\n"
    )


def test_many_sessions_at_20_columns() -> None:
    assert written(two_sessions()[:3], Paper(20), many=True) == (
        "─ Fri 2013-12-27,\n"
        "times are\n"
        "UTC-08:00 ─\n"
        "session\n"
        "0000Na9B26EF002G\n"
        "13:16:41 ▶ Perso…   \n"
        "  Hello\n"
        "session\n"
        "0000Na9B26EF003H\n"
        "13:16:41 ▶ 客户李   \n"
        "  你好，我的路由器从\n"
        "  今天早上开始一直闪\n"
        "  红灯\n"
        "session\n"
        "0000Na9B26EF002G\n"
        "13:16:41 ◆ Agent1   \n"
        "  Hi\n"
    )


def draft(kind: str, text: str | None, composing: float | None = None, at_end: bool = False) -> Entry:
    return Entry(message("TypingStarted", CUSTOMER, "abc"), composing, kind, text, at_end)


@pytest.mark.parametrize(
    ("one", "seen"),
    [
        (draft("given-up", None), "▶ PersonP       · gave up a draft"),
        (draft("given-up", "abc", 0.9), '▶ PersonP       · gave up a draft: "abc"'),
        (draft("given-up", "a\nb", 75.0), '▶ PersonP       · gave up a draft after 1 min 15 s: "a\\nb"'),
        (draft("given-up", "abc", 14.0, True), '▶ PersonP       · was typing, not sent: "abc"'),
        (draft("given-up", None, None, True), "▶ PersonP       · was typing, not sent"),
        (draft("cut", "abc"), '▶ PersonP       · typing (the window ends here): "abc"'),
        (draft("cut", None), "▶ PersonP       · typing (the window ends here)"),
        (draft("typing", "abc", 3.0), '▶ PersonP       · is typing: "abc"'),
        (draft("typing", None), "▶ PersonP       · is typing"),
        (entry("TypingStarted", CUSTOMER), "▶ PersonP       · typing"),
        (entry("TypingStarted", CUSTOMER, "abc"), '▶ PersonP       · typing: "abc"'),
        (entry("TypingStopped", CUSTOMER), "▶ PersonP       · stopped typing"),
        (entry("ParticipantRejoined", CUSTOMER), "▶ PersonP       · rejoined (Customer)"),
        (entry("ParticipantJoined", Participant(nickname="x")), "■ x             · joined"),
        (entry("Notice", AGENT), "◆ Agent1        · notice"),
        (entry("Notice", AGENT, "be kind"), "◆ Agent1        · notice: be kind"),
        (entry("Something", AGENT, "new"), "◆ Agent1        · [Something] new"),
        (entry("Something", AGENT), "◆ Agent1        · [Something]"),
        (entry("", None), "· system        · [no type]"),
        (
            entry("SystemCommand", CUSTOMER, notice="file-uploaded", attachment={"name": "a.jpg"}),
            "▶ PersonP       · [SystemCommand] file-uploaded [file a.jpg]",
        ),
        (entry("Text", CUSTOMER, ""), "▶ PersonP         (no text)"),
        (entry("Text", CUSTOMER, "hi", visibility="VIP"), "▶ PersonP         [visibility VIP] hi"),
        (entry("Text", CUSTOMER, "hi", visibility=None), "▶ PersonP         hi"),
        (entry("Text", CUSTOMER, "hi", late=True), "▶ PersonP         [late] hi"),
        (entry("Text", CUSTOMER, "hi")._replace(composing=0.99), "▶ PersonP         hi"),
        (entry("Text", CUSTOMER, "hi")._replace(composing=1.0), "▶ PersonP         hi (typed 1 s)"),
        (entry("Text", Participant("External", "Eve"), "hi"), "■ Eve             hi"),
        (entry("Text", Participant("Agent", "", "A7"), "hi"), "◆ A7              hi"),
        (entry("Text", Participant("Agent"), "hi"), "◆ unknown         hi"),
        (entry("Text", Participant("Agent", "A very long nickname"), "hi"), "◆ A very…ckname   hi"),
        (entry("Text", Participant("Agent", "a\x1b[2J"), "\x9b2J"), "◆ a\\u{1B}[2J      \\u{9B}2J"),
        (entry("PushUrl", AGENT, "no url"), "◆ Agent1          no url"),
        (
            entry("PushUrl", AGENT, "look", url="http://x/"),
            "◆ Agent1          link: http://x/\n                            look",
        ),
    ],
)
def test_what_an_entry_looks_like(one: Entry, seen: str) -> None:
    assert body(one) == seen


# --- marks


def marked(one: Entry, word: str) -> str:
    """The entry without date, time and name, every `word` of its wording marked."""
    marks = [found.span() for found in re.finditer(word, searched_text(one))]
    assert marks
    text = TranscriptLines(Paper(), zone=PACIFIC)(one, marks)
    return text.partition("\n")[2][28:].rstrip("\n")


def test_a_marked_word_is_bold_underlined_and_coloured() -> None:
    end, bold, dim, found = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;4;38;5;162m"
    person, agent = f"\x1b[38;5;31m▶ PersonP{end}", f"\x1b[38;5;130m◆ Agent1{end}"
    lines = TranscriptLines(Paper(color=True), zone=PACIFIC)
    lines(CHAT[0])
    assert lines(CHAT[2], [(7, 17), (46, 52)]) == (
        f"{dim}13:16:55{end}  {person}         "
        f"Hello, {found}the router{end} has been blinking red since {found}this{end}\n"
        f"                            {found}m{end}orning.{dim} (typed 12 s){end}\n"
    )
    assert lines(CHAT[4], [(0, 5)]) == (
        f"{dim}13:17:05{end}  {agent}          {bold}[agents only] {end}{found}Shall{end} I take this one?\n"
    )
    assert lines(CHAT[6], [(8, 14)]) == (
        f"{dim}13:17:31{end}  {person}       {dim}·{end} "
        f'{dim}gave up a draft after 14 s: "I would {end}{found}rather{end}{dim} cancel"{end}\n'
    )


def test_without_colour_signs_stand_around_a_marked_word() -> None:
    lines = TranscriptLines(Paper(), zone=PACIFIC)
    lines(CHAT[0])
    assert lines(CHAT[2], [(7, 17), (46, 52)]) == (
        "13:16:55  ▶ PersonP         Hello, ⟦the router⟧ has been blinking red since\n"
        "                            ⟦this m⟧orning. (typed 12 s)\n"
    )


def test_signs_can_be_ascii() -> None:
    lines = TranscriptLines(Paper(40, ascii=True), zone=PACIFIC)
    lines(CHAT[0])
    assert lines(CHAT[2], [(7, 17)]) == (
        "13:16:55 > PersonP   Hello, [[the\n"
        "  router]] has been blinking red since\n"
        "  this morning. (typed 12 s)\n"
    )


@pytest.mark.parametrize(
    ("one", "word", "seen"),
    [
        (entry("Text", AGENT, "a b a"), "a", "⟦a⟧ b ⟦a⟧"),
        (entry("Text", AGENT, "all"), "all", "⟦all⟧"),
        (entry("Text", AGENT, "我的路由器"), "路由", "我的⟦路由⟧器"),
        (entry("Text", AGENT, "a\x1b\u202eb"), "\x1b", "a⟦\\u{1B}⟧\\u{202E}b"),
        (entry("Text", AGENT, "a\ud800b"), "\ud800b", "a⟦\\u{D800}b⟧"),
        (entry("Notice", AGENT, notice="be kind\n"), "kind\n", "notice: be ⟦kind\\n⟧"),
        (entry("Something", AGENT, "new things"), "things", "[Something] new ⟦things⟧"),
        (entry("PushUrl", AGENT, url="http://x/y"), "x", "link: http://⟦x⟧/y"),
        (entry("TypingStarted", AGENT, "hello"), "hell", 'typing: "⟦hell⟧o"'),
        (entry("Text", AGENT, attachment={"name": "my bill.pdf"}), "bill", " [file my ⟦bill⟧.pdf]"),
        (entry("Text", AGENT, "hm", attachment={"name": "a.jpg"}), "hm", "⟦hm⟧ [file a.jpg]"),
        (entry("Text", AGENT, "hi", late=True), "hi", "[late] ⟦hi⟧"),
        (draft("given-up", "abc"), "b", 'gave up a draft: "a⟦b⟧c"'),
        (draft("typing", "ab\tc"), "b\t", 'is typing: "a⟦b\\t⟧c"'),
        (draft("given-up", "abc", None, True), "a", 'was typing, not sent: "⟦a⟧bc"'),
    ],
)  # fmt: skip
def test_whatever_an_entry_says_can_be_marked(one: Entry, word: str, seen: str) -> None:
    assert marked(one, word) == seen


@pytest.mark.parametrize(
    ("text", "word", "seen"),
    [
        ("one\ntwo", "e\nt", ["on⟦e", "t⟧wo"]),
        ("one\r\ntwo", "e\r\nt", ["on⟦e", "t⟧wo"]),
        ("one\r\ntwo", "o.*", ["⟦one⟧", "tw⟦o⟧"]),
        ("one\r\ntwo", "\ntwo", ["one⟦", "two⟧"]),
        ("one\r\ntwo", "\r", ["one", "two"]),
        ("one\rtwo", "\r", ["one⟦\\r⟧two"]),
        ("one\n", "one\n", ["⟦one⟧"]),
        ("one\n\n", "\n", ["one"]),
        ("one\n \ntwo", "[^x]+", ["⟦one", " ", "two⟧"]),
    ],
)
def test_marks_go_on_beyond_the_end_of_a_line(text: str, word: str, seen: list[str]) -> None:
    shown = marked(entry("Text", AGENT, text), word)
    assert shown == ("\n" + " " * 28).join(seen)


def test_a_mark_on_a_link_is_not_on_the_words_beside_it_and_not_the_other_way_round() -> None:
    both = entry("PushUrl", AGENT, "look here", url="http://look/")
    assert marked(both, "look") == "link: http://look/\n" + " " * 28 + "⟦look⟧ here"


def test_a_mark_on_what_is_not_shown_changes_nothing() -> None:
    joined = entry("ParticipantJoined", AGENT, "words")
    assert TranscriptLines(Paper(), zone=PACIFIC)(joined, [(0, 5)]) == TranscriptLines(Paper(), zone=PACIFIC)(
        joined
    )


def test_a_line_stands_for_entries_left_out() -> None:
    assert TranscriptLines(Paper(), zone=PACIFIC).gap() == "--\n"
    assert TranscriptLines(Paper(color=True), zone=PACIFIC).gap() == "\x1b[2m--\x1b[0m\n"


def test_no_message_can_pass_for_something_that_happened() -> None:
    assert body(entry("Text", CUSTOMER, "· left")) == "▶ PersonP         · left"
    assert body(entry("ParticipantLeft", CUSTOMER)) == "▶ PersonP       · left"


def test_the_offset_is_told_again_when_it_changes() -> None:
    autumn = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)
    entries = [entry("Text", AGENT, "Hi", at=autumn + timedelta(minutes=one)) for one in (0, 1, 2)]
    assert written(entries, Paper(), ZoneInfo("Europe/Berlin")) == (
        "─ Sun 2026-10-25, times are UTC+02:00 ─\n"
        "02:59:00  ◆ Agent1          Hi\n"
        "─ Sun 2026-10-25, times are UTC+01:00 ─\n"
        "02:00:00  ◆ Agent1          Hi\n"
        "02:01:00  ◆ Agent1          Hi\n"
    )


def test_an_offset_that_changes_by_half_an_hour_at_half_past_is_told() -> None:
    spring = datetime(2024, 10, 5, 15, 29, tzinfo=UTC)
    entries = [entry("Text", AGENT, "Hi", at=spring + timedelta(minutes=one)) for one in (0, 1, 2)]
    assert written(entries, Paper(), LORD_HOWE) == (
        "─ Sun 2024-10-06, times are UTC+10:30 ─\n"
        "01:59:00  ◆ Agent1          Hi\n"
        "─ Sun 2024-10-06, times are UTC+11:00 ─\n"
        "02:30:00  ◆ Agent1          Hi\n"
        "02:31:00  ◆ Agent1          Hi\n"
    )


@pytest.mark.parametrize("edge", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
@pytest.mark.parametrize("hours", [-8, 0, 8])
def test_a_time_at_the_edge_of_the_calendar_is_shown(edge: datetime, hours: int) -> None:
    text = written([entry("Text", AGENT, "Hi", at=edge)], Paper(), timezone(timedelta(hours=hours)))
    assert re.search(r"\d\d:\d\d:\d\d  ◆ Agent1          Hi\n$", text)


def test_a_narrower_terminal_is_noticed() -> None:
    paper = Paper()
    lines = TranscriptLines(paper, zone=PACIFIC)
    lines(entry("Text", AGENT, "Hi"))
    paper.width = 40
    assert lines(entry("Text", AGENT, "Hi")) == "13:16:41 ◆ Agent1   Hi\n"


def color_of(lines: TranscriptLines, who: Participant) -> str:
    found = re.findall(r"\x1b\[38;5;(\d+)m", lines(entry("Text", who, "hi")))
    assert len(found) == 1
    return str(found[0])


@pytest.mark.slow
def test_a_crowd_of_strangers_does_not_fill_the_memory_and_keeps_its_colours() -> None:
    lines = TranscriptLines(Paper(color=True), zone=PACIFIC)
    crowd = [Participant("Customer", f"Person{n}") for n in range(5000)]
    first = [color_of(lines, one) for one in crowd]
    assert [color_of(lines, one) for one in crowd] == first
    assert len(lines._labels) <= 4096


# --- for anything a server may send

NASTY = st.text(st.characters(exclude_categories=[]), max_size=30)
TAME = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=80)
WORDS = TAME | NASTY | st.just("你好，我的路由器")
PEOPLE = st.builds(
    Participant,
    st.sampled_from(["Customer", "Agent", None]) | NASTY,
    st.sampled_from(["PersonP", "Agent1", None]) | NASTY,
    st.none() | NASTY,
)
TYPES = st.sampled_from(
    ["Text", "Text", "Text", "PushUrl", "Notice", "ParticipantJoined", "TypingStarted", "New"]
)
MESSAGES = st.builds(
    Message,
    session_id=st.sampled_from(["0000Na9B26EF002G", "0000Na9B26EF003H"]) | NASTY,
    index=st.none() | st.integers(),
    type=TYPES | NASTY,
    sender=st.none() | PEOPLE,
    visibility=st.sampled_from(["All", "All", "Agents", None]) | NASTY,
    at=st.none() | st.datetimes(timezones=st.just(UTC)),
    text=st.none() | WORDS,
    url=st.none() | WORDS,
    notice=st.none() | WORDS,
    attachment=st.none() | st.fixed_dictionaries({"name": WORDS | st.integers()}),
    late=st.booleans(),
)
PLAIN_TEXTS = st.builds(
    Message,
    session_id=st.just("0000Na9B26EF002G"),
    index=st.just(1),
    type=st.just("Text"),
    sender=st.sampled_from([CUSTOMER, AGENT, OTHER]),
    visibility=st.sampled_from(["All", None]),
    at=st.just(START),
    text=TAME,
    attachment=st.sampled_from([None, None, {"name": "a.jpg"}]),
    late=st.sampled_from([False, False, True]),
)
ENTRIES = st.builds(
    Entry,
    MESSAGES | PLAIN_TEXTS,
    st.none() | st.floats(0, 1e6),
    st.sampled_from([None, None, "given-up", "typing"]),
    st.none() | WORDS,
    st.booleans(),
)
Marked = tuple[Entry, list[tuple[int, int]]]
ESCAPES = re.compile(r"\x1b\[[0-9;]+m")
NO_WORDS = re.compile(r"[\s⟦⟧\[\]]")


def bare(text: str) -> str:
    """Without blanks, and line ends shown as such or as `\\r` and `\\n`."""
    return re.sub(r"[\\rn\s]", "", text)


PAPERS = st.builds(Paper, st.integers(0, 130), st.booleans(), st.booleans())


@given(st.lists(ENTRIES, max_size=6), PAPERS, st.booleans())
def test_the_short_cut_writes_what_the_long_way_does(entries: list[Entry], paper: Paper, many: bool) -> None:
    short, long = TranscriptLines(paper, EntryView(many), PACIFIC), Slow(paper, EntryView(many), PACIFIC)
    for one in entries:
        assert short(one) == long(one)


# Where clocks change at half past and at a quarter past an hour of UTC.
CHANGES = st.sampled_from(
    [
        (LORD_HOWE, datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
        (EUCLA, datetime(2006, 12, 2, 17, 15, tzinfo=UTC)),
    ]
)


@given(CHANGES, st.lists(st.integers(-3600, 3600), min_size=2, max_size=6))
def test_the_clock_is_the_zones_own_however_times_jump(
    change: tuple[ZoneInfo, datetime], seconds: list[int]
) -> None:
    zone, at = change
    times = [at + timedelta(seconds=one) for one in seconds]
    lines = TranscriptLines(Paper(), zone=zone)
    shown = [lines(entry("Text", AGENT, "Hi", at=one)).splitlines()[-1] for one in times]
    assert shown == [f"{one.astimezone(zone):%H:%M:%S}  ◆ Agent1          Hi" for one in times]


def test_the_short_cut_is_taken() -> None:
    lines = TranscriptLines(Paper(), zone=PACIFIC)
    plain = entry("Text", AGENT, "x" * 52)
    assert lines._quick(plain, lines._label(AGENT)) == "  ◆ Agent1          " + "x" * 52 + "\n"
    assert lines._quick(entry("Text", AGENT, "x" * 53), lines._label(AGENT)) is None


WORDY = st.lists(st.text("abc.-!\\[", min_size=1, max_size=30), min_size=1, max_size=40).map(" ".join)


@given(WORDY, st.sampled_from([None, 0.5, 3.0, 7265.0]), PAPERS, st.booleans())
def test_long_texts_are_the_same_on_the_short_cut(
    text: str, composing: float | None, paper: Paper, many: bool
) -> None:
    one = entry("Text", CUSTOMER, text)._replace(composing=composing)
    quick = TranscriptLines(paper, EntryView(many), PACIFIC)(one)
    assert quick == Slow(paper, EntryView(many), PACIFIC)(one)


@st.composite
def marked_entries(draw: st.DrawFn, entries: st.SearchStrategy[Entry] = ENTRIES) -> Marked:
    one = draw(entries)
    places = sorted(draw(st.sets(st.integers(0, len(searched_text(one))), max_size=6)))
    return one, [*zip(places[::2], places[1::2], strict=False)]


@given(st.lists(marked_entries(), max_size=6), PAPERS, st.booleans())
def test_marks_in_colour_change_no_word_and_no_line(entries: list[Marked], paper: Paper, many: bool) -> None:
    paper.color = True
    with_marks, without = (
        TranscriptLines(paper, EntryView(many), PACIFIC),
        TranscriptLines(paper, EntryView(many), PACIFIC),
    )
    for one, marks in entries:
        assert ESCAPES.sub("", with_marks(one, marks)) == ESCAPES.sub("", without(one))


@given(st.lists(marked_entries(), max_size=6), PAPERS, st.booleans())
def test_signs_change_no_word(entries: list[Marked], paper: Paper, many: bool) -> None:
    paper.color = False
    with_marks, without = (
        TranscriptLines(paper, EntryView(many), PACIFIC),
        TranscriptLines(paper, EntryView(many), PACIFIC),
    )
    for one, marks in entries:
        assert NO_WORDS.sub("", with_marks(one, marks)) == NO_WORDS.sub("", without(one))


TEXTS = PLAIN_TEXTS | MESSAGES.map(lambda one: replace(one, type="Text", late=False))


@given(marked_entries(TEXTS.map(Entry)), st.integers(20, 130))
def test_all_of_a_mark_and_nothing_else_is_painted(entry_and_marks: Marked, width: int) -> None:
    one, marks = entry_and_marks
    shown = TranscriptLines(Paper(width, color=True), zone=PACIFIC)(one, marks)
    painted = "".join(re.findall(r"\x1b\[1;4;38;5;162m(.*?)\x1b\[0m", shown))
    asked = "".join(searched_text(one)[begin:end] for begin, end in marks)
    assert bare(painted) == bare(clean(asked))


@given(st.lists(marked_entries(), max_size=6), PAPERS, st.booleans())
def test_nothing_but_our_own_codes_and_no_line_too_long(
    entries: list[Marked], paper: Paper, many: bool
) -> None:
    lines = TranscriptLines(paper, EntryView(many), PACIFIC)
    for text in (lines(*one) for one in entries):
        assert text.endswith("\n")
        if not paper.color:
            assert "\x1b" not in text
        for line in re.sub(r"\x1b\[[0-9;]+m", "", text)[:-1].split("\n"):
            assert not {unicodedata.category(one) for one in line} & {"Cc", "Cs", "Zl", "Zp"}
            assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", line)
            if not line.startswith("session "):
                assert cells(line) <= max(paper.width, 20)
