"""The address of the person behind a request, past the proxies that are trusted."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

from aiohttp import web


def client_address(trusted: str) -> Callable[[web.Request], str]:
    """A function that tells a request's client; `trusted` lists addresses or networks, separated by commas.

    Forwarded addresses count only as far as trusted proxies wrote them, read from the nearest on.
    """
    networks = [ip_network(part.strip(), strict=False) for part in trusted.split(",") if part.strip()]

    def is_trusted(address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in networks)
        except ValueError:
            return False

    def client(request: web.Request) -> str:
        address = request.remote or ""
        header = request.headers.get("X-Forwarded-For", "")
        forwarded = [part.strip() for part in header.split(",") if part.strip()]
        while forwarded and is_trusted(address):
            address = forwarded.pop()
        return address

    return client
