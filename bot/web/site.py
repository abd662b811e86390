"""What the pages know of the installation that serves them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from aiohttp import web

from bot.database import Database
from bot.i18n import DEFAULT_LOCALE, LOCALES, Voice, spoken
from bot.services.city import City


@dataclass(frozen=True, slots=True)
class Map:
    """Raster tiles, if there are any (`{z}`, `{x}`, `{y}` in the address), and their datum."""

    tiles_url: str = ""
    attribution: str = ""
    datum: str = "wgs84"

    @property
    def tiles_source(self) -> str:
        """The origin that the browser may load tiles from, as a content security policy names it."""
        parts = urlsplit(self.tiles_url)
        if not parts.netloc:
            return ""
        return f"{parts.scheme}://{parts.netloc.replace('{s}', '*')}"


@dataclass(frozen=True, slots=True)
class Site:
    """One installation's pages: `voice` gives the words of a locale, `now` the time, aware UTC.

    `signs_for_wechat`: a page that is opened inside WeChat may use WeChat's own script. `telegram` gives the name of
    the bot there, empty where there is none or it is not known yet; `is_on_wechat`: riders find us there too.
    """

    city: City
    database: Database
    now: Callable[[], datetime]
    voice: Callable[[str], Voice]
    map: Map = field(default_factory=Map)
    public_url: str = ""
    is_demo: bool = False
    signs_for_wechat: bool = False
    telegram: Callable[[], str] = str
    is_on_wechat: bool = False

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https:")


SITE = web.AppKey("site", Site)


def locale_of(request: web.Request) -> str:
    """The language of a page: chosen by `?lang` now or before, else the browser's first that we speak."""
    for chosen in (request.query.get("lang"), request.cookies.get("lang")):
        if chosen in LOCALES:
            return chosen
    for tag in request.headers.get("Accept-Language", "").split(","):
        tag = tag.partition(";")[0].strip()
        if tag.lower().startswith(("zh", "en")):
            return spoken(tag)
    return DEFAULT_LOCALE


def is_in_wechat(request: web.Request) -> bool:
    """Whether the page is opened inside WeChat, and may use what WeChat offers there."""
    return request.app[SITE].signs_for_wechat and "MicroMessenger" in request.headers.get("User-Agent", "")


def is_secure(request: web.Request) -> bool:
    """Whether the browser reached us by https, directly or through the public address."""
    return request.secure or request.app[SITE].is_https


def is_own_origin(request: web.Request) -> bool:
    """Whether a form was sent from a page of ours; a browser that names no origin is judged by its token."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    sent = urlsplit(origin)
    public = urlsplit(request.app[SITE].public_url)
    return sent.scheme in ("http", "https") and (
        sent.netloc == request.host or (sent.scheme, sent.netloc) == (public.scheme, public.netloc)
    )
