"""Whose address counts: the nearest that no trusted proxy wrote."""

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.web.proxies import client_address


class _Peer:
    """The other end of a connection, as a request sees it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self.address, 1) if name == "peername" else default


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "nonsense"),
    ],
)
def test_forwarded_addresses_count_as_far_as_trusted_proxies_wrote_them(peer: str, forwarded: str, client: str) -> None:
    request = make_mocked_request("GET", "/", {"X-Forwarded-For": forwarded}, transport=_Peer(peer))
    assert client_address("10.0.0.0/8")(request) == client
