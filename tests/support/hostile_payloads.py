"""The kinds of hostile text that a stranger or a server may send."""

from collections.abc import Mapping

_SEQUENCES = (
    "\x1b[2J\x1b[1;31mred\x1b[?1049h\x1b[6n\x1b[8m\x1b[10;1Hup\x1bc\x1b(0",
    "\x1b]0;title\x07\x1b]8;;http://evil.example\x07link\x1b]8;;\x1b\\\x1b]52;c;T1dORUQ=\x07\x1b]1337;File=:\x07",
    "\x1bPq#0;2;0;0;0\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\",
    "\x9b2J\x9b31m\x9d52;c;T1dORUQ=\x9c\x90q\x9c\x9fapc\x9c\r\x1b[J\b\b\b",
)
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u2060\u2061\u2062\u2063\u2064\u2065\u206a"
    "\u206f\u3164\ufeff\uffa0\ufff0\ufff8\ufff9\ufffa\ufffb\U0001bca0\U0001bca3\U0001d173\U0001d17a"
    "\U000e0000\U000e0001\U000e0020\U000e0041\U000e007f\U000e00ff\U000e01f0\U000e0fff"
)
# What people write: emoji, flags, Khmer, Persian, a variant of an ideograph, Mongolian, accents, Arabic.
_WRITTEN = (
    "👩\u200d🚒 ❤\ufe0f 🇩🇪 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f ខ្ញុំ\u200bទៅ "
    "می\u200cخواهم 辻\U000e0100 ᠠ\u180bᠡ e\u0301ñ مرحبا 你好 ½²"
)
_MARKUP = (
    "[bold red]x[/bold red][/] [link=http://evil.example]y[/link] [/nothing] :smile: \\[z] [#fff on red] "
    "<b>&amp;&#27;</b></title></style><script>alert(1)</script><img src=x onerror=alert(1)> ' \" --> ]]>"
)
OWNED = "OWNED"
"""The file that appears when a shell runs a payload."""

_SHELL = (
    "$(touch OWNED) `touch OWNED` ${IFS} ; touch OWNED | touch OWNED & && || >OWNED <x * ? ~ ! # % {a,b} ' \""
    " \\ \\u{1B} \\t \\x1b \\033[2J %s %n {0} -rf --help"
)

PAYLOADS: Mapping[str, str] = {
    "C0": "".join(map(chr, range(0x20))) + "\x7f",
    "C1": "".join(map(chr, range(0x7F, 0xA0))),
    "sequences": "".join(_SEQUENCES),
    "bidi": "".join(f"a{mark}b" for mark in _BIDI),
    "hidden": "".join(f"a{character}b" for character in _INVISIBLE),
    "written": _WRITTEN,
    "surrogates": "\ud800a\udbffb\udc00c\udfffd\udc00\ud800",
    "markup": _MARKUP,
    "shell": _SHELL,
    "lines": "one\ntwo\r\nthree\rfour\tfive,six\\seven\n\n\teight\x0bnine\x0cten\x85eleven\u2028twelve",
}

_MIB = 2**20
_PIECE = "żółw [b]\x1b[31m\u200b\U000e0041 " + "x" * 4000 + "e" + "\u0301" * 200
LONG: Mapping[str, str] = {
    "letters": "x" * _MIB,
    "words, characters and controls": _PIECE * (_MIB // len(_PIECE)),
}
"""Texts of a mebibyte."""
