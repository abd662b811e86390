"""Codes of an authenticator app, as RFC 6238 gives them."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.services import totp

# RFC 6238, appendix B, SHA-1: its codes have eight digits, ours are the last six of them.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
NOW = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "expected"), VECTORS)
def test_the_vectors_of_the_standard(seconds: int, expected: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.code(SECRET, totp.step_at(at)) == expected[-6:]
    assert totp.matching_step(SECRET, expected[-6:], at) == seconds // 30


def test_a_clock_may_be_half_a_minute_off_and_no_more() -> None:
    typed, step = totp.code(SECRET, totp.step_at(NOW)), totp.step_at(NOW)
    for seconds, fits in ((-31, False), (-30, True), (0, True), (29, True), (59, True), (60, False)):
        found = totp.matching_step(SECRET, typed, NOW + timedelta(seconds=seconds))
        assert found == (step if fits else None), seconds


@pytest.mark.parametrize("typed", ["", "12345", "１２３４５６", "000000000", "\0", "no code"])
def test_what_is_no_code_fits_nothing(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, NOW) is None


def test_an_app_may_show_blanks_and_reads_the_secret_from_the_picture() -> None:
    secret = totp.new_secret()
    typed = totp.code(secret, totp.step_at(NOW))
    assert totp.matching_step(secret, f" {typed[:3]} {typed[3:]} ", NOW) is not None
    parts = urlsplit(totp.enrolment_url(secret, "li na@x", "Nuanxin"))
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Nuanxin%3Ali%20na%40x")
    assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["Nuanxin"], "digits": ["6"], "period": ["30"]}
    assert len({totp.new_secret() for _n in range(50)}) == 50
