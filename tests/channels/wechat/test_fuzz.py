"""Whatever is posted: refused or answered, never a failure, and nothing logged."""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Iterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.channels.wechat.crypto import AesKey
from tests.channels.wechat.conftest import World
from tests.channels.wechat.phone import AES_KEY, TOKEN, Phone, signature_of
from tests.channels.wechat.test_decode import NAMES, payload

bodies = st.binary(max_size=300) | st.sampled_from(NAMES).map(payload)
# A payload with one piece cut out or put in, which is where parsers break.
mangled = st.builds(
    lambda body, at, length, piece: body[:at] + piece + body[at + length :],
    st.sampled_from(NAMES).map(payload),
    st.integers(0, 600),
    st.integers(0, 40),
    st.binary(max_size=12) | st.sampled_from([b"]]>", b"<![CDATA[", b"<!DOCTYPE x>", b"&#0;", b"&lt;", b"<xml>"]),
)


def in_a_world(mode: str, test: Callable[[World, Phone], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World(mode)
        with capture_logs() as logs:
            try:
                await test(world, (await world.starts()).phone)
            finally:
                await world.stops()
        assert logs == []

    asyncio.run(run())


@settings(max_examples=25, deadline=None)
@given(st.lists(bodies | mangled, max_size=8))
def test_plain_bodies(sent: list[bytes]) -> None:
    async def deliver(world: World, phone: Phone) -> None:
        for body in (*sent, *sent):
            assert (await phone.posts(body, phone.signed())).status in (200, 400)
        assert len(world.mind.heard) == len({heard.key for heard in world.mind.heard})

    in_a_world("plain", deliver)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            bodies | mangled, st.sampled_from(["sealed", "raw", "cut", "noise", "padding", "longer", "shorter", "app"])
        ),
        max_size=8,
    )
)
def test_encrypted_bodies(sent: list[tuple[bytes, str]]) -> None:
    async def deliver(world: World, phone: Phone) -> None:
        for body, how in sent:
            posted, query = _sealed(phone, body, how)
            status = (await phone.posts(posted, query)).status
            assert status in {"sealed": (200, 400), "app": (403,)}.get(how, (400, 403)), how

    in_a_world("aes", deliver)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["plain", "aes"]),
    st.lists(
        st.dictionaries(
            st.sampled_from(["signature", "timestamp", "nonce", "encrypt_type", "msg_signature", "echostr"]),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        ),
        max_size=5,
    ),
)
def test_any_query(mode: str, queries: list[dict[str, str]]) -> None:
    async def deliver(world: World, phone: Phone) -> None:
        for query in queries:
            body, good = phone.sealed(phone.text("附近"))
            good |= query
            assert (await phone.posts(body, good)).status in (200, 403)
            assert (await phone.verifies("1", **query)).status in (200, 400, 403)

    in_a_world(mode, deliver)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["plain", "aes"]), st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=20))
def test_any_order_and_any_number_of_deliveries(mode: str, order: list[tuple[int, bool]]) -> None:
    async def deliver(world: World, phone: Phone) -> None:
        other = (await world.starts()).phone
        letters = [phone.text(text) for text in ("附近", "1", "更多")]
        letters += [phone.event("CLICK", EventKey="/menu"), phone.location(35.0, 111.0)]
        requests = [phone.sealed(letter) for letter in letters]
        answers: dict[int, set[str]] = {}
        for n, is_other in order:
            response = await (other if is_other else phone).posts(*requests[n])
            assert response.status == 200
            answers.setdefault(n, set()).add(phone.opened(response))
        assert len(world.mind.heard) == len(answers), "each was heard once"
        assert all(len(said) == 1 for said in answers.values()), "and answered alike"

    in_a_world(mode, deliver)


def _sealed(phone: Phone, body: bytes, how: str) -> tuple[bytes, dict[str, str]]:
    """`body` encrypted and signed as WeChat does it, or something that only looks so."""
    query = phone.signed() | {"encrypt_type": "aes"}
    match how:
        case "raw":
            encrypted = body.decode(errors="ignore").replace("<", "").replace("&", "")
        case "noise":
            encrypted = base64.b64encode(body).decode()
        case "padding":
            encrypted = _encrypted(_whole(body, phone.app_id) + bytes(32))
        case "longer" | "shorter":
            # An app id that ends elsewhere is another one.
            length = (len(body) + (40 if how == "longer" else -1)) % 2**32
            encrypted = _encrypted(_padded(_whole(body, phone.app_id, length)))
        case "app":
            encrypted = _encrypted(_padded(_whole(body, "wx0000000000000000")))
        case _:
            encrypted = AesKey(AES_KEY, phone.app_id).encrypt(body).decode()
            encrypted = encrypted[:-24] if how == "cut" else encrypted
    query["msg_signature"] = signature_of(TOKEN, query["timestamp"], query["nonce"], encrypted)
    return f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode(), query


def _whole(body: bytes, app_id: str, length: int | None = None) -> bytes:
    return bytes(16) + (len(body) if length is None else length).to_bytes(4, "big") + body + app_id.encode()


def _padded(plain: bytes) -> bytes:
    pad = 32 - len(plain) % 32
    return plain + bytes([pad]) * pad


def _encrypted(plain: bytes) -> str:
    key = base64.b64decode(f"{AES_KEY}=")
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).encryptor()
    whole = plain[: len(plain) // 32 * 32]
    return base64.b64encode(encryptor.update(whole) + encryptor.finalize()).decode()


@pytest.fixture(autouse=True)
def nothing_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.WARNING)
    yield
    assert caplog.records == []
