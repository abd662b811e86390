"""Posting over kept connections, to a server that does what it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.channels.telegram import wire
from bot.channels.telegram.wire import Wire
from bot.clock import Clock

YES = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nye\r\n1\r\ns\r\n0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nyes"


class Server:
    """Answers each question with the next of `answers`, piece by piece; an empty one cuts the connection."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.questions: list[bytes] = []
        self.connections = 0
        self.talks: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.talks.add(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.questions.append(head + await reader.readexactly(length))
                if not (answer := self.answers.pop(0) if self.answers else YES):
                    break
                for n in range(0, len(answer), 7):
                    writer.write(answer[n : n + 7])
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wired(server: Server, connections: int = 1, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    running = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = running.sockets[0].getsockname()[1]
    line = Wire(f"https://localhost:{port}/bot" if tls else f"http://127.0.0.1:{port}/bot", connections)
    yield line
    line.close()
    running.close()
    await asyncio.gather(*server.talks)


async def test_one_connection_serves_one_question_after_the_other() -> None:
    server = Server()
    async with wired(server, 4) as line:
        server.answers = [YES, CHUNKED, YES]
        for _ in range(3):
            assert await line.post("send", b"{}", 5) == (200, b"yes")
        assert server.connections == 1
        assert server.questions[0].startswith(b"POST /bot/send HTTP/1.1\r\nHost: 127.0.0.1:")
        assert server.questions[0].endswith(b"\r\n\r\n{}")


async def test_no_more_connections_than_it_may_have() -> None:
    server = Server()
    async with wired(server, 2) as line:
        await asyncio.gather(*(line.post("send", b"{}", 5) for _ in range(20)))
        assert server.connections <= 2


@pytest.mark.parametrize("answer", [LAST, b""])
async def test_a_connection_that_the_server_closed_is_replaced(answer: bytes) -> None:
    server = Server()
    async with wired(server) as line:
        server.answers = [answer]
        if answer:
            assert await line.post("send", b"{}", 5) == (200, b"yes")
        else:
            with pytest.raises(ConnectionError):
                await line.post("send", b"{}", 5)
        assert await line.post("send", b"{}", 5) == (200, b"yes")
        assert server.connections == 2


async def test_a_connection_that_rested_for_long_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    async with wired(server) as line:
        await line.post("send", b"{}", 5)
        monkeypatch.setattr(wire, "RESTED", -1.0)
        await line.post("send", b"{}", 5)
        assert server.connections == 2


@pytest.mark.parametrize("answer", [b"no HTTP at all\r\n\r\n", YES + b"unasked"])
async def test_what_is_no_answer_costs_the_connection(answer: bytes) -> None:
    server = Server()
    async with wired(server) as line:
        server.answers = [answer]
        with suppress(ConnectionError):
            assert await line.post("send", b"{}", 5) == (200, b"yes")
        await asyncio.gather(*server.talks)
        assert await line.post("send", b"{}", 5) == (200, b"yes")
        assert server.connections == 2


async def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_ANSWER", 2)
    async with wired(Server()) as line:
        with pytest.raises(ConnectionError):
            await line.post("send", b"{}", 5)


async def test_whoever_stops_waiting_leaves_no_answer_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    async with wired(server) as line:
        await line.post("send", b"{}", 5)
        server.answers = [YES.replace(b"yes", b"old")]
        asking = asyncio.create_task(line.post("send", b"{}", 5))
        await asyncio.sleep(0)
        asking.cancel()
        assert await line.post("send", b"{}", 5) == (200, b"yes")


async def test_only_a_server_that_proves_who_it_is_is_told_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(_certificate("localhost"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    server = Server()
    async with wired(server, 1, tls) as line:
        with pytest.raises(OSError, match="certificate"):
            await line.post("send", b"{}", 5)
        assert not server.questions
    usual: Callable[[], ssl.SSLContext] = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda: _trusting(usual(), certificate))
    async with wired(server, 1, tls) as line:
        assert await line.post("send", b"{}", 5) == (200, b"yes")


def _trusting(tls: ssl.SSLContext, certificate: Path) -> ssl.SSLContext:
    tls.load_verify_locations(certificate)
    return tls


def _certificate(host: str) -> bytes:
    """A key and the certificate that it signed for itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = Clock()()
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    kept = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return kept + signed
