"""Proof that a request comes from WeChat, and AES mode: signatures, encryption, the app id at the tail."""

import base64
import hashlib
import hmac
import os
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FRESH = timedelta(minutes=10)

_BLOCK = 32  # WeChat pads to 32 bytes, not to AES's own 16
_SALT = 16
_HEAD = _SALT + 4


class Garbled(ValueError):
    """What was to be decrypted is nothing that WeChat encrypted with this key."""


class WrongApp(Exception):
    """It was encrypted with our key, but for another account."""


def signature(token: str, *parts: str) -> str:
    """WeChat's signature: SHA-1 over the token and `parts`, sorted."""
    return hashlib.sha1("".join(sorted((token, *parts))).encode("utf-8", "surrogatepass")).hexdigest()


def is_signed(given: str, token: str, *parts: str) -> bool:
    """Whether `given` is the signature of `parts`; takes as long for a near miss as for a far one."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), signature(token, *parts).encode())


def is_fresh(timestamp: str, now: datetime) -> bool:
    """Whether a request's timestamp, in seconds since 1970, lies within ten minutes of `now`."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= FRESH.total_seconds()


class AesKey:
    """One EncodingAESKey of one account."""

    def __init__(self, encoding_key: str, app_id: str) -> None:
        """`encoding_key` is 43 characters of base64. Raises ValueError for anything else."""
        key = base64.b64decode(f"{encoding_key}=", validate=True)
        self._cipher = Cipher(algorithms.AES256(key), modes.CBC(key[:16]))
        self._app_id = app_id.encode()

    def decrypt(self, encrypted: str) -> bytes:
        """The message in base64 `encrypted`; raises Garbled or WrongApp."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except ValueError as error:
            raise Garbled("base64") from error
        if not sealed or len(sealed) % _BLOCK:
            raise Garbled("length")
        decryptor = self._cipher.decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
        pad = padded[-1]
        if not 1 <= pad <= _BLOCK or padded[-pad:] != bytes([pad]) * pad:
            raise Garbled("padding")
        plain = padded[:-pad]
        end = _HEAD + int.from_bytes(plain[_SALT:_HEAD], "big")
        if len(plain) < max(_HEAD, end):
            raise Garbled("length")
        if not hmac.compare_digest(plain[end:], self._app_id):
            raise WrongApp
        return plain[_HEAD:end]

    def encrypt(self, message: bytes) -> str:
        """`message` for this account, in base64."""
        plain = os.urandom(_SALT) + len(message).to_bytes(4, "big") + message + self._app_id
        pad = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher.encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()


def open_with(keys: tuple[AesKey, ...], encrypted: str) -> tuple[bytes, AesKey]:
    """The message and the first of `keys` that opens it; raises Garbled or WrongApp where none does."""
    failure: Garbled | WrongApp = Garbled("no key")
    for key in keys:
        try:
            return key.decrypt(encrypted), key
        except WrongApp as error:
            failure = error
        except Garbled as error:
            failure = failure if isinstance(failure, WrongApp) else error
    raise failure
