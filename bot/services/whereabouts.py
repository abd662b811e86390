"""Where a rider says to look: a county, a landmark, or a place by its own name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.services.city import County
from bot.services.lexicon import Found, Words, lexicon
from bot.words import normal

Counties = Mapping[str, County]

_BREAKS = re.compile(r"[^\w·-]+|[在到离去从我你他她它们的了吗呢哪着啊吧呀嘛]|[_]")
_LEADING = "能请帮给想要有找往问咱俺把被跟就还也是这那个最快急于"
_TRAILING = "有能可以里是要想就都还上找近个"
_SAYING = re.compile("[什么怎吗呢没不很太让说给被吃喝想死啥咋]")
_CHATTY = re.compile("[什么怎没不很太都也让说过给被把真好吃喝想爱多少死啥咋今明昨]")
_COUNTY_SUFFIX = "县市区"
_ENGLISH = re.compile(
    r"\b(?:near|around|close to|next to|by)(?: to)? "
    r"(?!me\b|here\b|by\b|my\b|us\b|the rain\b|now\b)(?:the )?([a-z0-9一-鿿][\w一-鿿' -]{1,38}?)"
    r"(?=$|[,.?!，。？！]| with | that | for | open| please| now)"
)
_OUTSIDE = re.compile(r"(?:我?(?:人?在|到|去))?(.+?)[省市]?(?:的|附近|这边|那边|这里)?[。.!?,]*")
_AWAY_FROM = re.compile(r"离([^\s，。,我]{2,12}?)(?:比较|最|很|不)?[近远]")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a text says about where. `rest` counts the characters that nothing explains.

    The names have the city or county before them if it was said there: 运城东站.
    """

    county: str = ""
    near: str = ""
    named: str = ""
    rest: int = 0


def whereabouts(said: str, wishes: Sequence[Found], details: Sequence[Found], counties: Counties) -> Whereabouts:
    """Where `said` wants to look, given the words of wishing and the details found in it."""
    county = _county(said, counties)
    known = [*wishes, *details, *([county] if county else [])]
    segments = _segments(said, known)
    named = _named(said, wishes, segments, county)
    near = "" if named else _near(said, wishes, segments, counties)
    code = _codes(tuple(counties.values()))[county.word] if county else ""
    rest = sum(len(segment.word) for segment in segments if segment.word != near and segment.word not in named)
    return Whereabouts(code, _in_full(said, near, counties), _in_full(said, named, counties), rest)


def county_names(counties: Counties) -> tuple[str, ...]:
    """Every way to write a county's name."""
    return tuple(_codes(tuple(counties.values())))


def without_region(name: str, counties: Counties) -> tuple[str, str]:
    """`name` without the city or county before it, and that county's code; as it is where nothing else is left."""
    front = next((found for found in _region_words(tuple(counties.values())).find(name) if found.start == 0), None)
    if front is None or len(name) - front.end < 2:
        return name, ""
    return name[front.end :].strip(), _codes(tuple(counties.values())).get(front.word, "")


def elsewhere(text: str) -> str:
    """The other city or province that `text` names, where it says nothing else."""
    match = _OUTSIDE.fullmatch(normal(text[:40]))
    return match[1] if match and match[1] in lexicon().around["elsewhere"].all else ""


@lru_cache(maxsize=8)
def _codes(counties: tuple[County, ...]) -> dict[str, str]:
    """County codes by full, short and other names; 绛县 and 夏县 have no short one."""
    codes = {
        normal(name): county.code for county in counties for name in (*county.aliases, county.name_en, county.name)
    }
    for county in counties:
        if len(county.name) > 2 and county.name[-1] in _COUNTY_SUFFIX:
            codes.setdefault(county.name[:-1], county.code)
    return codes


@lru_cache(maxsize=8)
def _county_words(counties: tuple[County, ...]) -> Words:
    return Words(_codes(counties))


@lru_cache(maxsize=8)
def _region_words(counties: tuple[County, ...]) -> Words:
    return Words((*_codes(counties), *lexicon().around["region"].all))


def _in_full(said: str, name: str, counties: Counties) -> str:
    """`name` with the city or county that `said` has right before it."""
    start = said.find(name)
    before = (found for found in _region_words(tuple(counties.values())).find(said[:start]) if found.end == start)
    return next((f"{found.word}{name}" for found in before), name) if name else ""


def _county(said: str, counties: Counties) -> Found | None:
    """The first county named, unless its name begins that of a road or the like (盐湖大道)."""
    ends = lexicon().around["locality"]
    for found in _county_words(tuple(counties.values())).find(said):
        ending = next(iter(ends.find(said[found.end : found.end + 3])), None)
        if not ending or ending.start > 0 or found.word[-1] in _COUNTY_SUFFIX or ending.word == "服务区":
            return found
    return None


def _segments(said: str, known: Sequence[Found]) -> list[Found]:
    """The runs of text that no known word, filler or particle covers."""
    taken = [False] * len(said)
    for found in known:
        taken[found.start : found.end] = [True] * (found.end - found.start)
    around = lexicon().around
    lists = (around["filler"], around["beside"], around["asking"], around["anything"], around["region"])
    names = [found for found in around["locality"].find(said) if len(found.word) > 1]
    loose = [found for words in lists for found in words.find(said) if len(found.word) > 1]
    for found in [found for found in loose if not any(taken[found.start : found.end]) and not _inside(found, names)]:
        taken[found.start : found.end] = [True] * len(found.word)
    for match in _BREAKS.finditer(said):
        taken[match.start() : match.end()] = [True] * len(match[0])
    return [run for run in _runs(said, taken) if run.word]


def _inside(found: Found, names: Sequence[Found]) -> bool:
    return any(name.start <= found.start and found.end <= name.end for name in names)


def _runs(said: str, taken: list[bool]) -> list[Found]:
    runs: list[Found] = []
    start = 0
    for at in range(len(said) + 1):
        if at == len(said) or taken[at]:
            runs.append(_trimmed(said, start, at))
            start = at + 1
    return runs


def _trimmed(said: str, start: int, end: int) -> Found:
    while start < end and said[start] in _LEADING:
        start += 1
    while end > start and said[end - 1] in _TRAILING:
        end -= 1
    word = said[start:end]
    return Found(start, end, "" if word in lexicon().around["filler"].all else word)


def _named(said: str, wishes: Sequence[Found], segments: Sequence[Found], county: Found | None) -> str:
    """The name of a place that ends in a word for its kind, such as 青丰司机之家."""
    around, meanings = lexicon().around, lexicon().meanings
    for wish in wishes:
        if meanings[wish.word][0] != "kinds" or not _is_noun(wish.word):
            continue
        stem = next((s for s in segments if s.end == wish.start and len(s.word) > 1), None)
        if stem and not (_SAYING if _is_locality(stem.word) else _CHATTY).search(stem.word):
            return said[stem.start : wish.end]
        if county and county.end == wish.start and wish.word in around["locality"].all:
            return said[county.start : wish.end]
    return ""


def _is_noun(word: str) -> bool:
    return word[-1] in "站家场柜堂坊店馆房心区所机"


def _near(said: str, wishes: Sequence[Found], segments: Sequence[Found], counties: Counties) -> str:
    if match := _AWAY_FROM.search(said):
        return match[1]
    if (match := _ENGLISH.search(said)) and not _county(match[1].strip(), counties):
        return match[1].strip()
    return next((s.word for s in segments if _is_landmark(said, s, wishes)), "")


def _is_landmark(said: str, segment: Found, wishes: Sequence[Found]) -> bool:
    word = segment.word
    if len(word) < 2 or word in lexicon().around["no_locality"].all or _SAYING.search(word):
        return False
    if _is_locality(word):
        return True
    after = said[segment.end :].removeprefix("的")
    if any(after.startswith(beside) for beside in lexicon().around["beside"].all):
        return True
    if not wishes or len(said) > 14 or _CHATTY.search(word) or not re.fullmatch("[一-鿿]{2,8}", word):
        return False
    is_told = segment.start > 0 and said[segment.start - 1] in "在到"
    is_first = not re.search("[一-鿿]", said[: segment.start])
    return is_told or (is_first and any(wish.start == segment.end for wish in wishes))


def _is_locality(word: str) -> bool:
    """Whether `word` ends like the name of a road, an estate or a landmark, and is more than that ending."""
    around = lexicon().around
    return word not in around["no_locality"].all and any(word.endswith(end) for end in around["locality"].all)
