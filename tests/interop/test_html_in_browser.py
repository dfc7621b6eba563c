"""The page of a conversation in a real browser: it looks as meant, runs nothing and asks for nothing."""

import os
import re
import shutil
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from smscli.model import Participant, Session
from smscli.output.render.html import HtmlPage
from smscli.transcript.fold import Entry
from tests.support.entries import AGENT, CHAT, CUSTOMER, START, after, entry

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="needs chromium"),
]

# Some of these keep the browser from asking for its own sake, which would be no business of the page.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--force-device-scale-factor=1",
)  # fmt: skip
DARK = ["--blink-settings=preferredColorScheme=0"]

Browse = Callable[..., bytes]
Pixel = tuple[int, int, int]


class Site:
    """Serves pages on loopback, and remembers every path that was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                body = site.pages.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """What the browser prints when it is handed these arguments."""

    def call(*arguments: str) -> bytes:
        command = [str(BROWSER), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    return call


def attacks(url: str) -> list[str]:
    """Each asks the site for something, or changes the page's title, where it is taken for more than text."""
    return [
        f"<script>document.title='owned';fetch('{url}/script')</script>",
        f"<script src='{url}/script.js'></script>",
        f"<img src='{url}/image' onerror=\"document.title='owned'\">",
        f"<svg onload=\"document.title='owned'\"><image href='{url}/svg'/></svg>",
        f"</style><style>body{{background:url({url}/style)}}</style>",
        f"<link rel=stylesheet href='{url}/sheet'><link rel=preload as=image href='{url}/preload'>",
        f"<iframe src='{url}/frame'></iframe><object data='{url}/object'></object>",
        f"<meta http-equiv=refresh content='0;url={url}/refresh'>",
        f"<video src='{url}/video' autoplay></video><audio src='{url}/audio' autoplay></audio>",
        f"<form action='{url}/form'><input autofocus onfocus=\"document.title='owned'\"></form>",
        f"{url}/bare javascript:document.title='owned'",
    ]


def page(texts: list[str]) -> str:
    """A conversation in which these are said, and stand wherever a stranger or a server can put them."""
    text = " ".join(texts)
    people = (Participant("Customer", text, "1"), Participant(text, text, "2"))
    session = Session(text, text, text, people, (text,), {text: text}, START, text)
    made = HtmlPage(f"SMS session {text}", session=session, facts=[(text, text)], zone=UTC, many=True)
    said = [
        entry(type, sender, text, url=text, notice=text, visibility=text, attachment={"name": text})
        for type in ("Text", "PushUrl", "Notice", text)
        for sender in people
    ]
    return made.begin() + "".join(map(made.entry, said)) + made.end(warning=text)


def test_hostile_text_runs_nothing_and_no_request_leaves_the_page(site: Site, browse: Browse) -> None:
    hostile = page(attacks(site.url))
    site.pages["/page"] = hostile.encode()
    seen = browse("--virtual-time-budget=2000", "--dump-dom", f"{site.url}/page").decode()
    assert site.asked == ["/page"]
    assert "<title>SMS session &lt;script&gt;document.title='owned'" in seen
    assert seen.count("<script") == seen.count("<img") == seen.count("<a ") == 0


def test_the_policy_alone_would_hold(site: Site, browse: Browse) -> None:
    """Were a text ever taken for more: of the attacks only one is left, and that is to go elsewhere."""
    begin, bubble, rest = page(["hello"]).partition('<p class="text" dir="auto">')
    harm = [attack for attack in attacks(site.url) if "refresh" not in attack]
    site.pages["/page"] = (begin + bubble + "".join(harm) + rest).encode()
    seen = browse("--virtual-time-budget=2000", "--dump-dom", f"{site.url}/page").decode()
    assert site.asked == ["/page"]
    assert "<title>SMS session hello</title>" in seen
    assert "<script>document.title" in seen


def test_the_attacks_are_attacks(site: Site, browse: Browse) -> None:
    site.pages["/page"] = ("<!DOCTYPE html><title>safe</title>" + "".join(attacks(site.url))).encode()
    site.pages["/refresh"] = b"<!DOCTYPE html><title>elsewhere</title>"
    browse("--virtual-time-budget=2000", "--dump-dom", f"{site.url}/page")
    asked = {"/script", "/script.js", "/image", "/style", "/sheet", "/frame", "/refresh"}
    assert asked <= set(site.asked)


@pytest.mark.parametrize(
    ("flags", "colours"),
    [
        ([], {"paper": (0xF4, 0xF5, 0xF7), "customer": (0xE3, 0xEF, 0xFC), "agent": (0xFD, 0xF0, 0xDF)}),
        (DARK, {"paper": (0x14, 0x17, 0x1A), "customer": (0x16, 0x32, 0x4F), "agent": (0x45, 0x30, 0x1A)}),
    ],
    ids=["light", "dark"],
)
@pytest.mark.parametrize("width", [800, 500])
def test_customers_stand_on_the_left_and_agents_on_the_right(
    flags: list[str], colours: dict[str, Pixel], width: int, browse: Browse, tmp_path: Path
) -> None:
    rows = screenshot(browse, tmp_path, flags, width)
    assert rows[2][2] == colours["paper"]
    customer, agent = middles(rows, colours["customer"]), middles(rows, colours["agent"])
    assert customer and max(customer) < width / 2
    assert agent and min(agent) > width / 2


def test_a_long_word_and_a_long_name_stay_on_the_page(browse: Browse, tmp_path: Path) -> None:
    """Whatever is written, the page is as wide as the window: nothing is to be scrolled aside."""
    word = "x" * 3000
    made = HtmlPage(word, session=Session(word, user_data={word: word}, comment=word), zone=UTC, many=True)
    long = entry("Text", Participant("Agent", word), word, session_id=word, visibility=word)
    text = made.begin() + made.entry(long) + made.entry(entry("Notice", None, notice=word)) + made.end()
    # Without the policy, so that the page can be measured.
    script = "<script>document.title=document.documentElement.scrollWidth-innerWidth</script></body>"
    (tmp_path / "chat.html").write_text(
        text.replace("Content-Security-Policy", "nothing").replace("</body>", script), encoding="utf-8"
    )
    seen = browse("--window-size=500,900", "--dump-dom", f"{tmp_path.as_uri()}/chat.html").decode()
    assert "<title>0</title>" in seen


def test_all_of_a_long_conversation_is_printed(browse: Browse, tmp_path: Path) -> None:
    """What a screen would leave undrawn until it is scrolled to stands on paper too."""
    write(tmp_path, [after(number, entry("Text", CUSTOMER, "Hello")) for number in range(300)])
    printed = tmp_path / "chat.pdf"
    browse("--no-pdf-header-footer", f"--print-to-pdf={printed}", f"{tmp_path.as_uri()}/chat.html")
    # Each piece of text is shown by an operator of its own: for each bubble its time and its words.
    assert len(re.findall(rb"\bT[jJ]\b", drawn(printed.read_bytes()))) >= 600


def drawn(pdf: bytes) -> bytes:
    """What is drawn on the pages of a PDF."""
    streams = re.findall(rb"FlateDecode[^>]*>>\s*stream\r?\n(.*?)\nendstream", pdf, re.DOTALL)
    return b"\n".join(map(zlib.decompress, streams))


def write(folder: Path, log: list[Entry]) -> None:
    session = Session("0000Na9B26EF002G", "Chatting", participants=(CUSTOMER, AGENT), received=START)
    made = HtmlPage("SMS session 0000Na9B26EF002G", session=session, zone=UTC)
    text = made.begin() + "".join(map(made.entry, log)) + made.end()
    (folder / "chat.html").write_text(text, encoding="utf-8")


def screenshot(browse: Browse, folder: Path, flags: list[str], width: int) -> list[list[Pixel]]:
    write(folder, [*CHAT[:-2], after(80, entry("Text", AGENT, "Then let us look at it together."))])
    picture = folder / "chat.png"
    size = f"--window-size={width},900"
    browse(*flags, size, f"--screenshot={picture}", f"{folder.as_uri()}/chat.html")
    return pixels(picture.read_bytes())


def middles(rows: list[list[Pixel]], color: Pixel) -> list[float]:
    """The middle of each line of pixels that has a bubble of that colour."""
    wide = ([place for place, pixel in enumerate(row) if pixel == color] for row in rows)
    return [(places[0] + places[-1]) / 2 for places in wide if len(places) > 50]


def pixels(png: bytes) -> list[list[Pixel]]:
    """A PNG of eight bits a channel, line by line (PNG specification, section 9)."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[kind]
    place, packed = 8, b""
    while place < len(png):
        length, name = struct.unpack(">I4s", png[place : place + 8])
        packed += png[place + 8 : place + 8 + length] if name == b"IDAT" else b""
        place += length + 12
    data, stride, above = zlib.decompress(packed), width * size, bytearray(width * size)
    rows = []
    for number in range(height):
        begin = number * (stride + 1)
        above = unfiltered(data[begin], data[begin + 1 : begin + 1 + stride], above, size)
        rows.append([(above[x], above[x + 1], above[x + 2]) for x in range(0, stride, size)])
    return rows


def unfiltered(filter: int, line: bytes, above: bytearray, size: int) -> bytearray:
    row = bytearray(line)
    for place in range(len(row)):
        left = row[place - size] if place >= size else 0
        corner = above[place - size] if place >= size else 0
        guess = (0, left, above[place], (left + above[place]) // 2, paeth(left, above[place], corner))[filter]
        row[place] = (row[place] + guess) & 0xFF
    return row


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))
