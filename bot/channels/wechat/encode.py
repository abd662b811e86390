"""What is said, as the one reply that a request can carry: a text of at most 2048 bytes, or one article."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from bot.channels.wechat import xml
from bot.messages import Capabilities, MassQuota, Outgoing

LONGEST = 2048  # bytes of UTF-8 in a text; more is refused with 45002
LONGEST_TITLE = 64
LONGEST_DESCRIPTION = 120
# How long after somebody's last message the platform lets us write of our own accord.
WINDOW = timedelta(hours=48)

_PASSIVE = Capabilities(buttons=False, text_limit=600, asks_location=False, photo=False, pushes=False)
_VERIFIED = Capabilities(buttons=False, text_limit=600, asks_location=False, reply_window=WINDOW)
# Only verified accounts may push messages and upload pictures.
ACCOUNTS = {
    "subscription": _PASSIVE,
    "subscription-verified": replace(_VERIFIED, mass=MassQuota(1, "day")),
    "service": _PASSIVE,
    "service-verified": replace(_VERIFIED, mass=MassQuota(4, "month", kept=1)),
}

_LINK = re.compile(r"(?P<label>\S.*?)[ :：]+(?P<url>https?://[^\s\"<>]+)")
# Of several map programs, Tencent's is the one that opens inside WeChat; the links of three would fill the reply.
_TENCENT_MAP = "https://apis.map.qq.com/"
_OTHER_MAPS = ("https://uri.amap.com/", "https://api.map.baidu.com/")
_ANCHOR = re.compile(r'<a href="(?P<url>[^"]+)">(?P<label>[^<]*)</a>')
_TAG = re.compile(r"<(?=[A-Za-z/!])")
_OPTION = re.compile(r"\d{1,2} ")
_CHINESE = re.compile("[\u3400-\u9fff]")
# Frequent characters that only traditional Chinese has.
_TRADITIONAL = re.compile("[個這來時點為後開關請說還對會無過當經間號電傳選擇預約應從將與誰讓邊區縣營業證門]")


@dataclass(frozen=True, slots=True)
class Words:
    """What the channel says of its own accord, in one language.

    `more` ends a reply of which something is left over, `working` stands for an answer that is not ready
    in time, `failed` for one that there is none of.
    """

    more: str
    working: str
    failed: str


@dataclass(frozen=True, slots=True)
class Article:
    """A tile that opens a page."""

    title: str
    description: str
    url: str


class Page(NamedTuple):
    """What one reply can say, an empty text if that is nothing, and what is left over for the next one."""

    said: str | Article
    rest: str = ""


def encode(message: Outgoing) -> str:
    """The text that says `message`: links can be tapped, and nothing that was only quoted becomes one."""
    text = message.text.rstrip()
    if "<" not in text and "://" not in text:
        return text
    lines = text.split("\n")
    if _TENCENT_MAP in text:
        lines = [line for line in lines if not any(f" {address}" in line for address in _OTHER_MAPS)]
    return "\n".join(_line(line) for line in lines)


def page(texts: Sequence[str], words: Mapping[str, Words]) -> Page:
    """What one reply can say of `texts`; `words` are by locale."""
    whole = "\n\n".join([text for text in texts if text.strip()])
    if article := _article(whole):
        return Page(article)
    if _length(whole) <= LONGEST:
        return Page(whole)
    footer = f"\n\n{words[locale_of(whole)].more}"
    first, rest = _cut(whole, LONGEST - _length(footer))
    return Page(f"{first}{footer}", rest)


def reply(to: str, sender: str, at: int, said: str | Article) -> bytes:
    """The XML that says it; `at` in seconds since 1970. `success` if there is nothing to say."""
    if isinstance(said, Article):
        item = {"Title": said.title, "Description": said.description, "PicUrl": "", "Url": said.url}
        return xml.news_reply(to, sender, at, item)
    return xml.text_reply(to, sender, at, said) if said else b"success"


def locale_of(sample: str) -> str:
    """The language of the channel's own words beside `sample`; simplified Chinese when in doubt."""
    if _CHINESE.search(sample):
        return "zh_TW" if _TRADITIONAL.search(sample) else "zh_CN"
    return "en" if re.search("[A-Za-z]{2}", sample) else "zh_CN"


def _line(line: str) -> str:
    match = _LINK.fullmatch(line)
    if match is None:
        return _TAG.sub("＜", line)
    label = match["label"].replace("<", "＜").replace(">", "＞")
    return f'<a href="{match["url"]}">{label}</a>'


def _article(text: str) -> Article | None:
    """A short text that ends in its only link and offers no choice is better shown as a tile."""
    head, _newline, last = text.rpartition("\n")
    if "://" in head or not (link := _ANCHOR.fullmatch(last)):
        return None
    lines = [line for line in head.split("\n") if line]
    if not lines or any(_OPTION.match(line) for line in lines):
        return None
    title, description = lines[0], "\n".join(lines[1:]) or link["label"]
    if len(title) > LONGEST_TITLE or len(description) > LONGEST_DESCRIPTION:
        return None
    return Article(title, description, link["url"])


def _cut(text: str, limit: int) -> tuple[str, str]:
    """`text` in two, the first of at most `limit` bytes: before an option or a blank line if one is near, else
    at a line's end, else within a line that is too long.
    """
    lines, size, fits = text.split("\n"), -1, 0
    for line in lines:
        size += _length(line) + 1
        if size > limit:
            break
        fits += 1
    if not fits:
        first = text.encode()[:limit].decode(errors="ignore")
        return first, text[len(first) :]
    starts = (n for n in range(fits, fits * 2 // 3, -1) if not lines[n] or _OPTION.match(lines[n]))
    at = next(starts, fits)
    return "\n".join(lines[:at]), "\n".join(lines[at:]).lstrip("\n")


def _length(text: str) -> int:
    return len(text.encode())
