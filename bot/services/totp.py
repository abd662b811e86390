"""One-time codes of an authenticator app (RFC 6238: HMAC-SHA-1, six digits, a new one every 30 seconds)."""

import base64
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20  # as long as what the hash gives (RFC 4226, 4)
DRIFT_STEPS = 1  # how far a phone's clock may be off, either way


def new_secret() -> str:
    """A secret in base32, as an app takes it when no picture can be read."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def step_at(now: datetime) -> int:
    """The number of the 30 seconds that `now` is in."""
    return int(now.timestamp()) // STEP_SECONDS


def code(secret: str, step: int) -> str:
    """The six digits that belong to `step`."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(secret: str, typed: str, now: datetime) -> int | None:
    """The time step whose code was typed, if it is one of about now; blanks in between do not matter."""
    digits = "".join(typed.split()).encode()
    current = step_at(now)
    steps = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    fitting = [step for step in steps if hmac.compare_digest(code(secret, step).encode(), digits)]
    return fitting[-1] if fitting else None


def enrolment_url(secret: str, login: str, issuer: str) -> str:
    """What the picture says that an app reads; `issuer` and `login` name the account in its list."""
    asked = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{issuer}:{login}')}?{asked}"
