"""The address of a stream, as `--to` and `--source` take it."""

import re
from typing import NamedTuple

from smscli.errors import UsageError

EXAMPLE = "nats://HOST[:PORT][,HOST...]/STREAM"
_SCHEMES = ("nats://", "tls://")
_PORT = 4222
_STREAM = re.compile("[A-Za-z0-9_-]{1,255}")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#\[\]@,\\]+)(?::([0-9]{1,5}))?")
_DURATION = re.compile("(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?")
_UNITS = (86400, 3600, 60, 1)
_MOST_REPLICAS = 5


class StreamAddress(NamedTuple):
    """`servers` are `host:port`, an IPv6 host in brackets; `max_age` is in seconds, None without a limit.

    `replicas` and `max_age` count only when the stream is created.
    """

    servers: tuple[str, ...]
    tls: bool
    stream: str
    replicas: int = 1
    max_age: float | None = None

    @property
    def host(self) -> str:
        """The servers, for messages; a default port is left out."""
        return ",".join(one.removesuffix(f":{_PORT}") for one in self.servers)

    @property
    def url(self) -> str:
        """The address without its query, for messages."""
        return f"{'tls' if self.tls else 'nats'}://{self.host}/{self.stream}"


def is_stream(text: str) -> bool:
    """Whether a source or target is a stream, by its scheme."""
    return text.lower().startswith(_SCHEMES)


def parse_address(text: str) -> StreamAddress:
    """The address of `nats://HOST[:PORT][,HOST...]/STREAM[?replicas=N&max_age=30d]`, or with `tls://`.

    UsageError, which never repeats an address with user and password in it.
    """
    if "@" in text:
        raise UsageError(
            "a user name or password in the address of a stream is not allowed",
            hint="use a credentials file: --nats-creds FILE",
        )
    if not is_stream(text):
        raise UsageError(f"{text!r} is not the address of a stream", hint=f"write {EXAMPLE}")
    scheme, _, rest = text.partition("://")
    place, _, query = rest.partition("?")
    hosts, _, stream = place.partition("/")
    servers = tuple(_server(one, text) for one in hosts.split(","))
    if not stream:
        raise UsageError(f"{text!r} names no stream", hint=f"write {EXAMPLE}")
    if not _STREAM.fullmatch(stream):
        raise UsageError(
            f"the stream name {stream!r} is not valid", hint="use letters, digits, _ and -, 255 at most"
        )
    return StreamAddress(servers, scheme.lower() == "tls", stream, *_options(query))


def _server(text: str, address: str) -> str:
    found = _SERVER.fullmatch(text)
    port = int(found[2] or _PORT) if found else 0
    if not found or not 0 < port < 65536 or not _is_host(found[1]):
        raise UsageError(f"the host or port {text!r} in {address!r} is not valid", hint=f"write {EXAMPLE}")
    return f"{found[1].lower()}:{port}"


def _is_host(name: str) -> bool:
    if not name.startswith("["):
        return name.isprintable() and name.lower() != "none"
    from ipaddress import IPv6Address

    try:
        IPv6Address(name[1:-1])
    except ValueError:
        return False
    return True


def _options(query: str) -> tuple[int, float | None]:
    """Replicas and maximum age."""
    replicas, max_age = 1, None
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key == "replicas":
            replicas = _replicas(value)
        elif key == "max_age":
            max_age = _seconds(value)
        else:
            raise UsageError(
                f"the address of a stream has no option {key!r}", hint="options: replicas=N, max_age=30d"
            )
    return replicas, max_age


def _replicas(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 3 and 0 < int(value) <= _MOST_REPLICAS):
        raise UsageError(f"replicas takes a number from 1 to {_MOST_REPLICAS}, not {value!r}")
    return int(value)


def _seconds(value: str) -> float:
    found = _DURATION.fullmatch(value)
    numbers = found.groups() if found else ()
    seconds = sum(int(number or 0) * unit for number, unit in zip(numbers, _UNITS, strict=False))
    if not seconds:
        raise UsageError(f"max_age takes a duration such as 12h or 30d, not {value!r}")
    return float(seconds)
