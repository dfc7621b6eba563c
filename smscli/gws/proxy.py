"""The proxy for a server, from the environment variables; never one for loopback."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from requests.utils import should_bypass_proxies

from smscli.errors import ConfigError


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy of HTTPS_PROXY or HTTP_PROXY for a server; None for loopback and for hosts in NO_PROXY.

    Raises ConfigError for a proxy that is not an http or https address.
    """
    parts = urlsplit(base_url)
    name = f"{parts.scheme.upper()}_PROXY"
    proxy = environ.get(name) or environ.get(name.lower())
    no_proxy = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not proxy or is_loopback(parts.hostname or ""):
        return None
    # requests does not know the spelling `*.example.com`.
    if should_bypass_proxies(base_url, no_proxy.lower().replace("*.", ".")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        address = urlsplit(proxy)
        is_address = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(f"the proxy that {name} names is not an http:// or https:// address")
    return proxy


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
