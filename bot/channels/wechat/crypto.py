"""Proof that a request comes from WeChat, and AES mode: signatures, encryption, the app id at the tail."""

import base64
import hashlib
import hmac
import os
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FRESH = timedelta(minutes=10)
_FRESH_SECONDS = FRESH.total_seconds()

_BLOCK = 32  # WeChat pads to 32 bytes, not to AES's own 16
_SALT = 16
_HEAD = _SALT + 4


class Garbled(ValueError):
    """What was to be decrypted is nothing that WeChat encrypted with this key."""


class WrongApp(Exception):
    """It was encrypted with our key, but for another account."""


def signature(token: bytes, *parts: bytes) -> bytes:
    """WeChat's signature: SHA-1 over the token and `parts`, sorted."""
    return hashlib.sha1(b"".join(sorted((token, *parts)))).hexdigest().encode()


def is_signed(given: bytes, token: bytes, *parts: bytes) -> bool:
    """Whether `given` is the signature of `parts`; takes as long for a near miss as for a far one."""
    return hmac.compare_digest(given, signature(token, *parts))


def is_fresh(timestamp: bytes, now: datetime) -> bool:
    """Whether a request's timestamp, in seconds since 1970, lies within ten minutes of `now`."""
    return timestamp.isdigit() and len(timestamp) <= 12 and abs(now.timestamp() - int(timestamp)) <= _FRESH_SECONDS


class AesKey:
    """One EncodingAESKey of one account.

    A message begins with a block of noise, which nobody reads. That is all that the initial vector of CBC mode has an
    effect on, so one cipher each way goes on from message to message: making one costs more than a message.
    """

    def __init__(self, encoding_key: str, app_id: str) -> None:
        """`encoding_key` is 43 characters of base64. Raises ValueError for anything else."""
        key = base64.b64decode(f"{encoding_key}=", validate=True)
        cipher = Cipher(algorithms.AES256(key), modes.CBC(key[:16]))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self._app_id = app_id.encode()

    def decrypt(self, encrypted: bytes) -> bytes:
        """The message in base64 `encrypted`; raises Garbled or WrongApp."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except ValueError as error:
            raise Garbled("base64") from error
        if not sealed or len(sealed) % _BLOCK:
            raise Garbled("length")
        padded = self._decryptor.update(sealed)
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

    def encrypt(self, message: bytes) -> bytes:
        """`message` for this account, in base64."""
        plain = os.urandom(_SALT) + len(message).to_bytes(4, "big") + message + self._app_id
        pad = _BLOCK - len(plain) % _BLOCK
        return base64.b64encode(self._encryptor.update(plain + bytes([pad]) * pad))


def open_with(keys: tuple[AesKey, ...], encrypted: bytes) -> tuple[bytes, AesKey]:
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
