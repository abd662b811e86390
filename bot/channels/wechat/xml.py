"""WeChat's XML: read without entities, written so that no text can leave its CDATA."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

LARGEST = 64 * 1024
DEEPEST = 3

# A document type could only stand between the declaration and the root; read as UTF-8, these bytes mean what they say.
_START = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^<>]*\?>\s*)?<xml>")
_SEALED = re.compile(rb"<Encrypt>\s*(?:<!\[CDATA\[)?([A-Za-z0-9+/=]+)(?:\]\]>)?\s*</Encrypt>")
# A text message as it nearly always comes: these elements in this order, of characters that mean themselves.
_SPACES = r"[ \t\n]*+"
_ODD = r"\]\x00-\x08\x0b-\x1f\ufffe\uffff"
_QUOTED = rf"<!\[CDATA\[([^{_ODD}]*+(?:\](?!\]>)[^{_ODD}]*+)*+)\]\]>"
_WHOLE = "([0-9]++)"
_TEXT = {
    "ToUserName": _QUOTED,
    "FromUserName": _QUOTED,
    "CreateTime": _WHOLE,
    "MsgType": _QUOTED,
    "Content": _QUOTED,
    "MsgId": _WHOLE,
}
_LEAVES = "".join(f"{_SPACES}<{name}>{content}</{name}>" for name, content in _TEXT.items())
_USUAL = re.compile(f"<xml>{_LEAVES}{_SPACES}</xml>{_SPACES}")
# Whatever XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Malformed(ValueError):
    """What came is not the XML that the platform documents."""


def read(body: bytes) -> dict[str, str]:
    """The texts of all leaves by name, `Outer.Inner` for inner ones, the first of each; raises Malformed.

    Nothing may stand before the root element, so there can be no document type and no entity that it declares.
    """
    if len(body) > LARGEST:
        raise Malformed("size")
    try:
        usual = _USUAL.fullmatch(body.decode())
    except ValueError as error:
        raise Malformed("encoding") from error
    return dict(zip(_TEXT, usual.groups(), strict=True)) if usual else _tree(body)


def _tree(body: bytes) -> dict[str, str]:
    if not _START.match(body):
        raise Malformed("structure")
    try:
        root = ElementTree.fromstring(body, ElementTree.XMLParser(encoding="utf-8"))
    except (ElementTree.ParseError, ValueError) as error:
        raise Malformed("xml") from error
    fields: dict[str, str] = {}
    _collect(root, "", fields, DEEPEST)
    return fields


def sealed(body: bytes) -> bytes:
    """The base64 in the envelope of an encrypted message; raises Malformed.

    Nothing else in an envelope is signed, so nothing else is read.
    """
    if len(body) > LARGEST:
        raise Malformed("size")
    found = _SEALED.search(body) if _START.match(body) else None
    if found is None:
        raise Malformed("envelope")
    return found[1]


def cdata(text: str) -> str:
    """`text` as character data that stays what it is, whatever it contains."""
    clean = _UNWRITABLE.sub("", text).replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{clean}]]>"


def text_reply(to: str, sender: str, at: int, content: str) -> bytes:
    """A text from the account `sender` to the person `to`, two plain names; `at` in seconds since 1970."""
    return _reply(to, sender, at, "text", f"<Content>{cdata(content)}</Content>")


def news_reply(to: str, sender: str, at: int, article: Mapping[str, str]) -> bytes:
    """One article: `Title`, `Description`, `PicUrl`, `Url`."""
    item = "".join(f"<{name}>{cdata(value)}</{name}>" for name, value in article.items())
    return _reply(to, sender, at, "news", f"<ArticleCount>1</ArticleCount><Articles><item>{item}</item></Articles>")


def encrypted_reply(encrypted: bytes, signature: bytes, timestamp: bytes, nonce: bytes) -> bytes:
    """The envelope of an encrypted reply."""
    return (
        b"<xml><Encrypt><![CDATA[%b]]></Encrypt><MsgSignature><![CDATA[%b]]></MsgSignature>"
        b"<TimeStamp>%b</TimeStamp><Nonce><![CDATA[%b]]></Nonce></xml>"
    ) % (encrypted, signature, timestamp, nonce)


def _reply(to: str, sender: str, at: int, kind: str, inner: str) -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{inner}</xml>"
    ).encode()


def _collect(element: ElementTree.Element, outer: str, fields: dict[str, str], depth: int) -> None:
    for inner in element:
        name = f"{outer}{inner.tag}"
        if not len(inner):
            fields.setdefault(name, inner.text or "")
        elif depth > 1:
            _collect(inner, f"{name}.", fields, depth - 1)
