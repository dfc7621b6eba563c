"""JSON values from bytes, strictly, and what is wrong with a body that is none."""

import json

from smscli.errors import WireError

# Brackets up to which no stack is too small, and levels that are kept for writing.
_SURELY_SHALLOW = 200
_KEPT_LEVELS = 200


class TruncatedJson(WireError):
    """A JSON document that ends too early; a gzip body cut before its end looks the same."""


def decode(body: bytes) -> object:
    """The JSON value in `body`, strict UTF-8. Raises WireError where it is not JSON."""
    if not body or body.isspace():
        raise WireError("the server's response is empty")
    try:
        # Some proxies add a byte order mark.
        text = body.decode("utf-8-sig")
        is_deep = body.count(b"[") + body.count(b"{") > _SURELY_SHALLOW
        return _nested(text) if is_deep else _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"<":
            raise WireError(
                "the server's response is a web page, not JSON",
                hint="is a login page or a proxy in the way? see `smscli doctor`",
            ) from error
        if _is_truncated(error):
            raise TruncatedJson(f"the server's response is cut short (after {len(body)} bytes)") from error
        raise WireError(f"the server's response {_syntax_fault(error)}") from error


def _nested(text: str) -> object:
    """The value of a text, as if it were nested more deeply: what is read by a thread with hardly anything on
    its stack is written by another one that has more. From Python 3.12 on only levels count, not calls."""
    try:
        value = _DECODER.decode("[" * _KEPT_LEVELS + text + "]" * _KEPT_LEVELS)
        for _ in range(_KEPT_LEVELS):
            (value,) = value
        return value
    except ValueError:
        # What is wrong with it, and where.
        return _DECODER.decode(text)


def _is_truncated(error: Exception) -> bool:
    if isinstance(error, json.JSONDecodeError):
        return error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
    return isinstance(error, UnicodeDecodeError) and error.reason == "unexpected end of data"


def _syntax_fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text (byte {error.start + 1})"
    if not isinstance(error, json.JSONDecodeError):
        return "has a number that is too large or not a number"
    return f"is not JSON (line {error.lineno}, column {error.colno})"


def _refuse_constant(literal: str) -> float:
    raise ValueError(f"{literal} is not a number")


def _finite(literal: str) -> float:
    number = float(literal)
    return number if abs(number) != float("inf") else _refuse_constant(literal)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
