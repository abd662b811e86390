"""What the script of the console's maps draws: everything in the datum of the tiles."""

from typing import Any

from aiohttp import web

from bot.services.maps import drawn, landmarks
from bot.web.site import SITE, locale_of

DATUM_NAMES = {"wgs84": "WGS-84", "gcj02": "GCJ-02", "bd09": "BD-09"}


def ground(request: web.Request) -> dict[str, Any]:
    """Tiles, if there are any, and the county seats."""
    site = request.app[SITE]
    return {
        "tiles": site.map.tiles_url,
        "attribution": site.map.attribution,
        "datum": DATUM_NAMES[site.map.datum],
        "landmarks": [
            {"name": mark.name, "lat": round(mark.lat, 6), "lng": round(mark.lng, 6)}
            for mark in landmarks(site.city, site.map.datum, locale_of(request))
        ],
    }


def point(request: web.Request, lat: float, lng: float) -> dict[str, float]:
    """A point in WGS-84 as it is drawn."""
    there = drawn(lat, lng, request.app[SITE].map.datum)
    return {"lat": there[0], "lng": there[1]}
