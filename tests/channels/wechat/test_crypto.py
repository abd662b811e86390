"""AES mode against another library, and against whatever is not what it seems."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto

from bot.channels.wechat.crypto import AesKey, Garbled, WrongApp, is_fresh, is_signed, open_with, signature
from tests.channels.wechat.conftest import NOW
from tests.channels.wechat.phone import AES_KEY, APP_ID, OTHER_KEY, TOKEN

KEY = AesKey(AES_KEY, APP_ID)


def sealed(plain: bytes) -> bytes:
    """`plain`, padding and all, as it is."""
    key = base64.b64decode(f"{AES_KEY}=")
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize())


@given(st.text(max_size=200))
def test_another_library_reads_what_we_write(text: str) -> None:
    encrypted = KEY.encrypt(text.encode())
    signed = signature(TOKEN.encode(), b"1409735669", b"1320562132", encrypted)
    envelope = {"Encrypt": encrypted.decode()}
    other = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
    assert other.decrypt_message(envelope, signed.decode(), "1409735669", "1320562132") == text
    assert KEY.decrypt(encrypted) == text.encode()


def test_the_same_text_never_looks_the_same() -> None:
    assert KEY.encrypt(b"x") != KEY.encrypt(b"x")


def test_what_was_garbled_leaves_no_trace() -> None:
    for wrong in (sealed(b"\0" * 32), b"", AesKey(OTHER_KEY, APP_ID).encrypt(b"y")):
        with pytest.raises(Garbled):
            KEY.decrypt(wrong)
        assert KEY.decrypt(AesKey(AES_KEY, APP_ID).encrypt(b"x")) == b"x"


@pytest.mark.parametrize(
    "plain",
    [
        b"\0" * 32,  # padding of nothing
        b"\0" * 31 + b"\x21",  # of more than a block
        b"\0" * 30 + b"\1\2",  # of two kinds
        b"\x20" * 32,  # of everything
        b"s" * 16 + b"\0\0\0\x7f" + b"\x0c" * 12,  # a length beyond the end
        b"s" * 16 + b"\xff" * 4 + b"\x0c" * 12,
        b"s" * 16 + b"\x10" * 16,  # too short for a length
    ],
)
def test_what_is_not_padded_or_measured_right(plain: bytes) -> None:
    with pytest.raises(Garbled):
        KEY.decrypt(sealed(plain))


@pytest.mark.parametrize("encrypted", ["", "x", "====", "QUJD", "密", "A" * 43 + "=", "QUJD" * 8 + "\n"])
def test_what_is_no_ciphertext(encrypted: str) -> None:
    with pytest.raises(Garbled):
        KEY.decrypt(encrypted.encode())


@given(st.binary(min_size=1, max_size=20).map(lambda noise: base64.b64encode((noise * 32)[:64])))
def test_noise_is_refused(encrypted: bytes) -> None:
    with pytest.raises((Garbled, WrongApp)):
        KEY.decrypt(encrypted)


@pytest.mark.parametrize("app_id", ["wx0000000000000000", APP_ID + "x", APP_ID[:-1], ""])
def test_another_account_is_refused(app_id: str) -> None:
    with pytest.raises(WrongApp):
        KEY.decrypt(AesKey(AES_KEY, app_id).encrypt(b"<xml/>"))


def test_the_key_that_opens_it_is_named() -> None:
    previous = AesKey(OTHER_KEY, APP_ID)
    assert open_with((KEY, previous), previous.encrypt(b"x")) == (b"x", previous)
    with pytest.raises(Garbled):
        open_with((KEY,), previous.encrypt(b"x"))
    with pytest.raises(WrongApp):
        open_with((KEY, previous), AesKey(AES_KEY, "wx1").encrypt(b"x"))


@pytest.mark.parametrize("key", ["", "short", AES_KEY + "A", "密" * 43, "!" * 43])
def test_a_wrong_key_is_refused_at_the_start(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (base64 and AES each have words of their own)
        AesKey(key, APP_ID)


def test_signatures() -> None:
    # From the platform's own example code.
    assert signature(b"token", b"1", b"2") == signature(b"token", b"2", b"1")
    right = signature(b"token", b"1", b"2")
    assert is_signed(right, b"token", b"1", b"2")
    for wrong in (b"", "密码".encode(), right[:-1], signature(b"token", b"1", b"3")):
        assert not is_signed(wrong, b"token", b"1", b"2")


@pytest.mark.parametrize("seconds", [-600, 0, 600])
def test_ten_minutes_are_fresh(seconds: int) -> None:
    assert is_fresh(b"%d" % (NOW + timedelta(seconds=seconds)).timestamp(), NOW)


@pytest.mark.parametrize("timestamp", ["", "-1", "1e9", "١", "9" * 13, "0x10", str(int(NOW.timestamp()) - 601)])
def test_nothing_else_is(timestamp: str) -> None:
    assert not is_fresh(timestamp.encode(), NOW)
