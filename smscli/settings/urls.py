"""Server URLs: normalized to one base URL, and to the origin that secrets belong to."""

import re
from urllib.parse import urlsplit

from smscli.errors import UsageError

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def normalize_url(url: str) -> str:
    """The base URL of a server: `gws.example.com/` becomes `https://gws.example.com/api/v2`.

    A non-ASCII host is written in its `xn--` form, a default port is left out. UsageError, which never
    repeats a URL with user name, password or query in it.
    """
    text = url.strip()
    _refuse_unsafe(text)
    if "://" not in text:
        if ":/" in text or text.startswith("/"):
            raise UsageError("the URL has no host", hint=f"write https://{text.split(':/')[-1].lstrip('/')}")
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError as error:
        raise UsageError(f"the host or port of {text} is not valid") from error
    if parts.scheme not in _PORTS:
        raise UsageError(f"{text} is neither http nor https", hint="write https://HOST or http://HOST:PORT")
    if port == 0:
        raise UsageError(f"the host or port of {text} is not valid")
    path = parts.path.rstrip("/").removesuffix("/api/v2")
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{place}{path}/api/v2"


def origin_of(url: str) -> str:
    """`https://gws.example.com:443`: scheme, host in lower case, and always the port. UsageError."""
    parts = urlsplit(normalize_url(url))
    place = parts.netloc if parts.port else f"{parts.netloc}:{_PORTS[parts.scheme]}"
    return f"{parts.scheme}://{place}"


def _refuse_unsafe(url: str) -> None:
    """Refuse a URL that may contain a secret, before any message that repeats it."""
    # Anywhere in the URL: with a slash in the password the `@` is not in the host part.
    if "@" in url:
        raise UsageError(
            "a user name or password in the URL is not allowed",
            hint="give the user with --user; smscli auth login asks for the password",
        )
    if "?" in url or "#" in url:
        raise UsageError("the URL has a query or a fragment", hint="write https://HOST/PATH")
    if not url.isprintable() or " " in url or "\\" in url:
        raise UsageError("the URL has a blank, a backslash or a control character in it")


def _host(name: str) -> str:
    """The host in ASCII and lower case. ValueError."""
    if ":" in name:
        from ipaddress import IPv6Address

        return f"[{IPv6Address(name)}]"
    if not name.isascii():
        import idna

        name = idna.encode(name, uts46=True).decode()
    host = name.lower().removesuffix(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError("not a host name")
    return host
