"""The proxy for a server, from the environment variables; never one for loopback."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from smscli.errors import ConfigError


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy of HTTPS_PROXY or HTTP_PROXY for a server; None for loopback and for hosts in NO_PROXY.

    Raises ConfigError for a proxy that is not an http or https address.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    name = f"{parts.scheme.upper()}_PROXY"
    proxy = environ.get(name) or environ.get(name.lower())
    no_proxy = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not proxy or is_loopback(host) or _is_bypassed(host, parts.port or _PORTS[parts.scheme], no_proxy):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        address = urlsplit(proxy)
        is_address = address.scheme in _PORTS and address.hostname and address.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(f"the proxy that {name} names is not an http:// or https:// address")
    _check_sendable(name, unquote(address.netloc.rpartition("@")[0]))
    return proxy


def _check_sendable(name: str, credentials: str) -> None:
    try:
        credentials.encode("latin-1")
    except UnicodeEncodeError:
        # The exception's own message would quote them.
        raise ConfigError(f"the proxy that {name} names has a user or password beyond Latin-1") from None


_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY has the host: `*`, a domain with its subdomains, an address or network, each `:PORT`.

    requests itself knows neither `*.example.com` nor networks of IPv6.
    """
    for entry in no_proxy.lower().replace(",", " ").split():
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
