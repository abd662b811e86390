"""Keys derived from the one secret: what we sign, encrypt and recognise again."""

import base64
import hashlib
import hmac
import os
from functools import cached_property, lru_cache
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

_POSITION = Struct(">ii8s")
_HIDDEN = 22  # characters of base64 for 16 bytes


class BrokenSeal(Exception):
    """What came back was not made by us, or not for this purpose or person."""


class Seals:
    """One instance holds the keys of one installation, each derived for its own purpose."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._keys: dict[str, bytes] = {}

    def key(self, purpose: str, length: int = 32) -> bytes:
        """A key for `purpose`, one of a few names, alone (HMAC-SHA256 of the secret, at most 32 bytes)."""
        if (key := self._keys.get(purpose)) is None:
            key = self._keys[purpose] = hmac.digest(self._secret, purpose.encode(), hashlib.sha256)
        return key[:length]

    def signature(self, purpose: str, subject: str, length: int = 16) -> str:
        """URL-safe text that only this installation can make of `subject`."""
        digest = hmac.digest(self.key(purpose), subject.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:length]).decode().rstrip("=")

    def sign(self, purpose: str, subject: str) -> str:
        """`subject` and its signature in one token; see `signed`."""
        return f"{subject}.{self.signature(purpose, subject)}"

    def signed(self, purpose: str, token: str) -> str:
        """The subject of a token made by `sign`; raises BrokenSeal."""
        subject, _dot, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self.signature(purpose, subject).encode()):
            raise BrokenSeal(purpose)
        return subject

    def hide(self, lat: float, lng: float, owner: str) -> str:
        """A position as 22 URL-safe characters that only `owner`'s messages can bring back.

        Rounded to 4 decimals of a degree, about 10 metres. Position and owner fill one block, which is enciphered as
        a whole: who has no key can neither read it nor change a part of it (Bellare and Rogaway 2000,
        "Encode-then-encipher encryption").
        """
        plain = _POSITION.pack(round(lat * 10_000), round(lng * 10_000), _mark(owner))
        return base64.urlsafe_b64encode(self._hiding.update(plain))[:_HIDDEN].decode()

    def seek(self, hidden: str, owner: str) -> tuple[float, float]:
        """The position that `hide` hid, as (lat, lng); raises BrokenSeal."""
        try:
            block = base64.urlsafe_b64decode(f"{hidden}==".encode())
        except ValueError as error:
            raise BrokenSeal("position") from error
        if len(hidden) != _HIDDEN or len(block) != _POSITION.size:
            raise BrokenSeal("position")
        lat, lng, mark = _POSITION.unpack(self._seeking.update(block))
        if not hmac.compare_digest(mark, _mark(owner)):
            raise BrokenSeal("position")
        return lat / 10_000, lng / 10_000

    def encrypt(self, plain: str, purpose: str) -> bytes:
        """`plain` for keeping in the database: a random nonce, then AES-256-GCM."""
        nonce = os.urandom(12)
        return nonce + AESGCM(self.key(purpose)).encrypt(nonce, plain.encode(), purpose.encode())

    def decrypt(self, kept: bytes, purpose: str) -> str:
        """What `encrypt` kept; raises BrokenSeal."""
        try:
            return AESGCM(self.key(purpose)).decrypt(kept[:12], kept[12:], purpose.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise BrokenSeal(purpose) from error

    # These two contexts are kept: each block stands alone, and to begin one costs more than the block.
    @cached_property
    def _hiding(self) -> CipherContext:
        return Cipher(AES(self.key("position")), ECB()).encryptor()

    @cached_property
    def _seeking(self) -> CipherContext:
        return Cipher(AES(self.key("position")), ECB()).decryptor()


@lru_cache(20_000)
def _mark(owner: str) -> bytes:
    """What stands for an owner beside a position."""
    return hashlib.blake2b(owner.encode(), digest_size=8).digest()
