"""The JSON interface to places, for other programs."""

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web

from bot.services import open_data
from bot.services.directory import Directory
from bot.services.open_data import Question
from bot.services.vocabulary import AMENITIES, KINDS

MOST_PLACES = 100
_FEWEST_YEAR, _LAST_YEAR = 2000, 2100
_DEGREES = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class BadParameter(Exception):
    """A parameter that cannot be used, and why."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message


def routes(directory: Directory, clock: Callable[[], datetime], zone: ZoneInfo) -> list[web.RouteDef]:
    """The addresses under `/api/v1/`; `zone` is that of times without an offset."""
    places = _Places(directory, clock, zone)
    return [
        web.get("/api/v1/places/nearest", places.nearest),
        web.get("/api/v1/places.geojson", places.geojson),
    ]


class _Places:
    def __init__(self, directory: Directory, clock: Callable[[], datetime], zone: ZoneInfo) -> None:
        self._directory = directory
        self._clock = clock
        self._zone = zone
        self._collection: tuple[int | None, bytes] = (None, b"")

    async def nearest(self, request: web.Request) -> web.Response:
        try:
            question = self._question(request)
        except BadParameter as error:
            wrong = {"error": {"parameter": error.parameter, "message": error.message}}
            return _json(wrong, status=400)
        return _json({"places": open_data.nearest(self._directory, question)})

    async def geojson(self, _request: web.Request) -> web.Response:
        """All published places; written once for each version of the directory, away from the loop."""
        version, body = self._collection
        if version is None or version != self._directory.version:
            version = self._directory.version
            body = await asyncio.to_thread(self._written)
            self._collection = (version, body)
        return web.Response(body=body, content_type="application/geo+json", charset="utf-8")

    def _written(self) -> bytes:
        features = list(open_data.features(self._directory))
        return orjson.dumps({"type": "FeatureCollection", "features": features})

    def _question(self, request: web.Request) -> Question:
        datum = _one_of(request.query.get("datum", "wgs84"), open_data.DATUMS, "datum")
        lat, lng = _degrees(request, "lat", 90), _degrees(request, "lng", 180)
        if not open_data.is_on_earth(lat, lng, datum):
            raise BadParameter("lng", "the point leaves the earth when converted from this datum")
        opened = request.query.get("open")
        return Question(
            lat,
            lng,
            at=self._clock() if opened in (None, "now") else self._moment(opened),
            datum=datum,
            kinds=[_one_of(kind, KINDS, "kind") for kind in request.query.getall("kind", [])],
            amenities=[_one_of(name, AMENITIES, "amenity") for name in request.query.getall("amenity", [])],
            open_only=opened is not None,
            limit=_limit(request.query.get("limit", "10")),
        )

    def _moment(self, text: str) -> datetime:
        try:
            at = _iso(text)
        except ValueError:
            raise BadParameter("open", "must be `now` or a time such as 2026-01-09T21:30") from None
        if not _FEWEST_YEAR <= at.year < _LAST_YEAR:
            raise BadParameter("open", f"must lie between {_FEWEST_YEAR} and {_LAST_YEAR}")
        return at if at.tzinfo else at.replace(tzinfo=self._zone)


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json", charset="utf-8")


def _degrees(request: web.Request, name: str, most: int) -> float:
    text = request.query.get(name)
    if text is None:
        raise BadParameter(name, "is missing")
    degrees = float(text) if _DEGREES.fullmatch(text.strip()) else math.nan
    if not abs(degrees) <= most:
        raise BadParameter(name, f"must be degrees from -{most} to {most}")
    return degrees


def _one_of(text: str, known: Sequence[str], parameter: str) -> str:
    if text not in known:
        raise BadParameter(parameter, f"must be one of {', '.join(known)}")
    return text


def _limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else 0
    if not 1 <= limit <= MOST_PLACES:
        raise BadParameter("limit", f"must be a whole number from 1 to {MOST_PLACES}")
    return limit


def _iso(text: str) -> datetime:
    """An ISO time; the plus of an offset arrives as a space from those who forget to encode it."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        head, space, offset = text.rpartition(" ")
        if not space:
            raise
        return datetime.fromisoformat(f"{head}+{offset}")
