"""Which proxy leads to a server, by the environment's variables; never one for loopback."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from smscli.errors import ConfigError


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY or HTTP_PROXY names for a server, unless NO_PROXY or loopback spares it.

    Raises ConfigError for a proxy that is no http or https address.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    name = f"{parts.scheme.upper()}_PROXY"
    proxy = environ.get(name) or environ.get(name.lower())
    spared = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not proxy or is_loopback(host) or _is_spared(host, parts.port or _PORTS[parts.scheme], spared):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        given = urlsplit(proxy)
        is_address = given.scheme in _PORTS and given.hostname and given.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(f"the proxy that {name} names is no http:// or https:// address")
    _check_sendable(name, unquote(given.netloc.rpartition("@")[0]))
    return proxy


def _check_sendable(name: str, credentials: str) -> None:
    try:
        credentials.encode("latin-1")
    except UnicodeEncodeError:
        # Its own words would hold them.
        raise ConfigError(f"the proxy that {name} names has a sign-in beyond Latin-1") from None


_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, by name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_spared(host: str, port: int, spared: str) -> bool:
    """Whether NO_PROXY has the host: `*`, a name and all below it, an address, a network; `:PORT` narrows."""
    for entry in spared.lower().replace(",", " ").split():
        name, _, its_port = entry.rpartition(":")
        if not its_port.isdecimal() or (":" in name and not name.endswith("]")):
            name, its_port = entry, ""
        if its_port and int(its_port) != port:
            continue
        name = name.strip("[]").removeprefix("*.").lstrip(".")
        if name == "*" or host == name or host.endswith(f".{name}") or _in_network(host, name):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
