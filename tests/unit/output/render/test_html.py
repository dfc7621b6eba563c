"""The page of a conversation: what it says, what no stranger can make of it, and how little it remembers."""

import re
import tracemalloc
from base64 import b64encode
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smscli.model import Participant, Session
from smscli.output.render.html import HtmlPage
from smscli.sanitize import clean
from smscli.transcript.fold import Entry
from tests.support.entries import AGENT, CHAT, CUSTOMER, PACIFIC, START, after, entry

SESSION = Session(
    "0000Na9B26EF002G",
    "Chatting",
    None,
    (CUSTOMER, AGENT),
    (),
    {"AccountNumber": "4711", "vip": True, "tags": ["a", 1]},
    START,
    "called twice",
)
VOID = {"meta", "rect"}
# A page is made of these and no others; none of them runs, loads or leads anywhere.
TAGS = {
    "b", "bdi", "body", "dd", "details", "div", "dl", "dt", "footer", "h1", "h2", "head", "header", "html",
    "main", "mark", "meta", "p", "rect", "section", "span", "style", "summary", "svg", "time", "title",
}  # fmt: skip
ATTRIBUTES = {
    "aria-hidden", "charset", "class", "content", "datetime", "dir", "height", "http-equiv", "lang", "name",
    "open", "preserveaspectratio", "viewbox", "width", "x", "y",
}  # fmt: skip


class Seen(HTMLParser):
    """What a browser makes of a page: its tags, attributes and texts; each tag must be closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "head" not in self.open:
            self.text += data


def page(
    *entries: Entry,
    session: Session | None = None,
    zone: tzinfo = PACIFIC,
    many: bool = False,
    title: str = "chat",
) -> str:
    made = HtmlPage(title, session=session, zone=zone, many=many)
    return made.begin() + "".join(map(made.entry, entries)) + made.end()


def log(*entries: Entry, many: bool = False, zone: tzinfo = PACIFIC) -> list[str]:
    """The conversation's own lines of a page."""
    text = page(*entries, many=many, zone=zone)
    return text.partition('<section class="log">\n')[2].partition("</section>")[0].splitlines()


def alone(one: Entry, *marks: tuple[int, int]) -> str:
    """One entry of a page that is not its first."""
    made = HtmlPage("chat", zone=UTC)
    made.entry(entry("Notice", None))
    return made.entry(one, marks)


def words(page: str) -> list[str]:
    """The lines a reader sees."""
    return [line for line in Seen(page).text.splitlines() if line]


def test_a_conversation() -> None:
    assert log(*CHAT) == [
        '<div class="day"><b>Fri 2013-12-27</b>, times are UTC-08:00</div>',
        '<div class="did"><time datetime="2013-12-27T21:16:41Z">13:16:41</time> <b class="c3">▶ PersonP</b> '
        "joined (Customer)</div>",
        '<div class="did"><time datetime="2013-12-27T21:16:42Z">13:16:42</time> <b class="a0">◆ Agent1</b> '
        "joined (Agent)</div>",
        '<div class="say customer"><p class="head"><b class="c3">▶ PersonP</b> '
        '<time datetime="2013-12-27T21:16:55Z">13:16:55</time> (typed 12 s)</p>'
        '<p class="text" dir="auto">Hello, the router has been blinking red since this morning.</p></div>',
        '<div class="say agent"><p class="head"><b class="a0">◆ Agent1</b> '
        '<time datetime="2013-12-27T21:17:01Z">13:17:01</time></p>'
        '<p class="text" dir="auto">Good morning!</p></div>',
        '<div class="say agent more hidden"><p class="head">'
        '<time datetime="2013-12-27T21:17:05Z">13:17:05</time> '
        '<span class="remark">[agents only]</span></p>'
        '<p class="text" dir="auto">Shall I take this one?</p></div>',
        '<div class="say agent more"><p class="head">'
        '<time datetime="2013-12-27T21:17:11Z">13:17:11</time></p>'
        '<p class="text" dir="auto">link: <span class="url">https://example.com/help</span></p></div>',
        '<div class="say customer unsent"><p class="head"><b class="c3">▶ PersonP</b> '
        '<time datetime="2013-12-27T21:17:31Z">13:17:31</time></p>'
        'gave up a draft after 14 s: "<bdi class="text">I would rather cancel</bdi>"</div>',
        '<div class="did"><time datetime="2013-12-27T21:17:41Z">13:17:41</time> '
        'notice: <bdi class="text">This chat is recorded</bdi></div>',
        '<div class="say customer"><p class="head"><b class="c3">▶ PersonP</b> '
        '<time datetime="2013-12-27T21:17:51Z">13:17:51</time></p><p class="text" dir="auto">one',
        "two",
        "",
        "  three</p></div>",
        '<div class="did"><time>--:--:--</time> transcript saved</div>',
        '<div class="day"><b>Sat 2013-12-28</b></div>',
        '<div class="did"><time datetime="2013-12-28T22:16:41Z">14:16:41</time> <b class="c3">▶ PersonP</b> '
        "left</div>",
    ]  # fmt: skip


def test_the_head_tells_whose_conversation_it_is() -> None:
    made = HtmlPage("SMS session 1", session=SESSION, facts=[("server", "gws.example.com")], zone=PACIFIC)
    assert words(made.begin() + made.end()) == [
        "SMS session 1",
        "stateChatting",
        "▶ customerPersonP",
        "◆ agentAgent1",
        "received2013-12-27 13:16:41 UTC-08:00",
        "commentcalled twice",
        "servergws.example.com",
        "user data (3)",
        "AccountNumber4711",
        "vipyes",
        'tags["a", 1]',
        "nothing to show",
    ]


def test_much_user_data_is_folded_away() -> None:
    few, many = ({f"key{number}": "x" for number in range(count)} for count in (12, 10_000))
    assert "<details open><summary>user data (12)</summary>" in page(session=Session("1", user_data=few))
    full = page(session=Session("1", user_data=many))
    assert "<details><summary>user data (10000)</summary>" in full
    assert full.count("<dt>key") == 10_000


def test_a_conversation_without_a_session_or_a_word_is_a_page_too() -> None:
    seen = Seen(page())
    assert seen.open == []
    assert words(page()) == ["chat", "nothing to show"]


def test_the_timeline_stands_at_the_foot() -> None:
    made = HtmlPage("chat", zone=UTC)
    for one in (entry("Text", CUSTOMER, "Hello"), after(60, entry("Text", AGENT, "Hi"))):
        made.entry(one)
    foot = made.end(now=START + timedelta(seconds=120))
    assert foot == (
        "</section>\n<footer>\n<h2>timeline</h2>\n"
        '<div class="lane c0"><span>▶ customer</span>'
        '<svg viewBox="0 0 240 20" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="wait" x="0" y="16" width="121" height="4"/>'
        '<rect class="bar" x="0" y="0" width="1" height="20"/></svg></div>\n'
        '<div class="lane a0"><span>◆ agent</span>'
        '<svg viewBox="0 0 240 20" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar" x="120" y="0" width="1" height="20"/></svg></div>\n'
        '<p class="ends"><span>2013-12-27 21:16:41 UTC</span><span>2 min</span>'
        "<span>2013-12-27 21:18:41 UTC</span></p>\n"
        '<p class="key">'
        '<svg viewBox="0 0 1 1" aria-hidden="true"><rect class="bar" width="1" height="1"/></svg>said '
        '<svg viewBox="0 0 1 1" aria-hidden="true"><rect class="typed" width="1" height="1"/></svg>typed '
        '<svg viewBox="0 0 1 1" aria-hidden="true"><rect class="wait" width="1" height="1"/></svg>'
        "the customer waits</p>\n"
        "</footer>\n</main>\n</body>\n</html>\n"
    )


def test_a_page_that_is_not_all_says_so() -> None:
    made = HtmlPage("chat", zone=UTC)
    made.entry(entry("Text", CUSTOMER, "Hello"))
    assert '<footer>\n<p class="remark">cut &lt;short&gt;</p>\n<h2>' in made.end(warning="cut <short>")


def test_only_its_own_style_sheet_is_let_in() -> None:
    text = page()
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert re.findall('<meta http-equiv="Content-Security-Policy" content="(.*)">', text) == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "url(" not in style and "@import" not in style


@pytest.mark.parametrize(
    ("one", "seen"),
    [
        (entry("Text", CUSTOMER, ""), "(no text)"),
        (entry("Text", AGENT, attachment={"name": "photo.png"}), "[file photo.png]"),
        (entry("Text", AGENT, "look", attachment={"name": "a.png"}), "look[file a.png]"),
        (entry("PushUrl", AGENT, "see", url="https://example.com"), "link: https://example.comsee"),
        (entry("Whatever", None, "odd"), "[Whatever] odd"),
        (entry("TypingStarted", CUSTOMER, "hel"), 'typing: "hel"'),
        (entry("TypingStarted", CUSTOMER)._replace(draft="typing"), "is typing"),
        (entry("TypingStarted", CUSTOMER)._replace(draft="cut"), "typing (the window ends here)"),
        (
            entry("TypingStarted", CUSTOMER)._replace(draft="given-up", at_end=True, draft_text="so"),
            'was typing, not sent: "so"',
        ),
        (entry("SystemCommand", AGENT, attachment={"name": "a.pdf"}), "[SystemCommand] [file a.pdf]"),
    ],
)
def test_what_an_entry_says(one: Entry, seen: str) -> None:
    text = Seen(alone(one)).text
    assert text.rstrip("\n").endswith(seen)


def test_whoever_sees_it_and_whether_it_was_late_is_said_in_words() -> None:
    late = entry("Text", AGENT, "x", visibility="Supervisors", late=True)
    assert words(alone(late)) == ["◆ Agent1 21:16:41 [visibility Supervisors] [late]x"]


def test_marks_are_marked_in_a_text_a_link_and_a_draft() -> None:
    assert "a &lt;<mark>b&gt;\nc</mark> d" in alone(entry("Text", CUSTOMER, "a <b>\r\nc d"), (3, 8))
    assert "<mark>https</mark>://" in alone(entry("PushUrl", AGENT, url="https://x"), (0, 5))
    draft = entry("TypingStarted", CUSTOMER)._replace(draft="given-up", draft_text="hello")
    assert 'draft: "<bdi class="text">he<mark>ll</mark>o</bdi>"' in alone(draft, (2, 4))
    file = entry("Text", AGENT, attachment={"name": "photo.png"})
    assert "[file <mark>photo</mark>.png]" in alone(file, (0, 5))


def test_a_name_stands_once_until_something_comes_between() -> None:
    hello = entry("Text", CUSTOMER, "Hello")
    made = HtmlPage("chat", zone=UTC)
    shown = [
        "PersonP" in made.entry(one)
        for between in (entry("Notice", None), entry("Text", AGENT, "Hi"), entry("Text", None, "Beep"))
        for one in (hello, hello, between)
    ]
    assert shown == [True, False, False] * 3
    tomorrow = after(86400, hello)
    assert ["PersonP" in made.entry(one) for one in (hello, tomorrow, tomorrow)] == [True, True, False]
    made.gap()
    assert "PersonP" in made.entry(tomorrow)


def test_many_sessions_are_told_apart() -> None:
    other = entry("Text", CUSTOMER, "two", session_id="<2>")
    lines = log(entry("Text", CUSTOMER, "one"), other, other, many=True, zone=UTC)
    assert [line for line in lines if "session" in line] == [
        '<div class="session"><b>session 0000Na9B26EF002G</b></div>',
        '<div class="session"><b>session &lt;2&gt;</b></div>',
    ]
    assert [line.count("PersonP") for line in lines if "say" in line] == [1, 1, 0]


def test_another_distance_from_utc_is_told() -> None:
    from zoneinfo import ZoneInfo

    night = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    log_ = [entry("Notice", None, at=night), entry("Notice", None, at=night + timedelta(minutes=2))]
    assert [line for line in log(*log_, zone=ZoneInfo("Europe/Berlin")) if "day" in line] == [
        '<div class="day"><b>Sun 2026-03-29</b>, times are UTC+01:00</div>',
        '<div class="day"><b>Sun 2026-03-29</b>, times are UTC+02:00</div>',
    ]


def test_each_person_keeps_one_colour_and_agents_have_others() -> None:
    people = [
        Participant(role, f"{role}{number}") for number in range(5) for role in ("Agent", "Customer", None)
    ]
    made = HtmlPage("chat", zone=UTC)
    first = [re.findall('<b class="(..)">', made.entry(entry("Text", one, "x"))) for one in people]
    again = [re.findall('<b class="(..)">', made.entry(entry("Text", one, "x"))) for one in people]
    assert first == again
    assert [one for (one,) in first] == [
        *("a3", "c2", "o0", "a0", "c3", "o1", "a1", "c0", "o2", "a2", "c1", "o3", "a3", "c2", "o0")
    ]


def hostile(text: str) -> str:
    person = Participant(text, text, text)
    customer = Participant("Customer", text, "1", text)
    session = Session(
        text, text, text, (customer,), (text,), {text: text, "nested": {text: [text]}}, START, text
    )
    made = HtmlPage(text, session=session, facts=[(text, text)], zone=UTC, many=True)
    entries = [
        entry(type, sender, text, visibility=text, attachment={"name": text}, session_id=text, **more)
        for type in ("Text", "PushUrl", "Notice", "ParticipantJoined", "TypingStarted", text)
        for sender in (person, customer, None)
        for more in ({}, {"url": text}, {"notice": text})
    ]
    drafts = [one._replace(draft="given-up", draft_text=text) for one in entries[:3]]
    shown = "".join(made.entry(one, [(0, len(text) // 2 + 1)]) for one in (*entries, *drafts))
    return made.begin() + shown + made.end(now=START, warning=text)


NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title></style></head><body onload=alert(1)>",
    '"><a href="javascript:alert(1)">x</a>',
    "<!-- ]]> --><iframe src=//example.com>",
    "&lt;script&gt; &#x3C;script>",
    "\x00<\x00s\x00cript>\x1b]8;;http://example.com\x07",
    "\ud800<\udfff\u202e\u2028\u2029\ufeff</bdi>",
]


@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_stays_text(text: str) -> None:
    made = hostile(text)
    seen = Seen(made)
    assert seen.open == []
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert clean(text) in seen.text
    made.encode("utf-8")


@given(st.text(st.characters(), max_size=30) | st.text("<>&\"'/ =!-scriptonload\r\n\x00\x1b", max_size=30))
def test_any_text_stays_text(text: str) -> None:
    made = hostile(text)
    seen = Seen(made)
    assert (seen.open, seen.tags - TAGS, seen.attributes - ATTRIBUTES) == ([], set(), set())
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", made) is None


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log() -> None:
    made = HtmlPage("chat", zone=UTC)

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            made.entry(
                after(number, entry("Text", Participant("Customer", f"P{number}", str(number)), "Hello"))
            )

    add(0, 2_000)
    tracemalloc.start()
    add(2_000, 12_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 400_000
