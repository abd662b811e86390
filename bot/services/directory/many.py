"""The spatial index for up to millions of places: numpy and scipy, which take a second to import."""

import heapq
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy
from numpy import bool_
from numpy.typing import NDArray

from bot.geo import earth_centred
from bot.services.directory.groves import Filter, Grove, Point, Points
from bot.services.directory.listing import Listing
from bot.services.hours import Hours

_MOST_PLANS = 1_000
_MOST_AMENITIES = 64
_MOST_KINDS = 32
_WORTH_ONE_TREE = 0.2  # of all places: from here on one tree with a filter beats a tree for every kind


class Many:
    """Surveyed listings by number; `schedules` are all the hours there are, `schedule_numbers` tells their texts."""

    def __init__(
        self,
        listings: Iterable[tuple[int, Listing]],
        schedules: Sequence[Hours],
        schedule_numbers: dict[str, int],
    ) -> None:
        self._schedules = schedules
        self._kind_bits: dict[str, int] = {}
        self._amenity_bits: dict[str, int] = {}
        points = self._points(listings, schedule_numbers)
        self._groves = {kind: Grove(points.only(points.kinds == 1 << bit)) for kind, bit in self._kind_bits.items()}
        self._everywhere = Grove(points)
        self._plans: dict[tuple[frozenset[str], frozenset[str]], tuple[list[Grove], Filter]] = {}
        self._open_at: tuple[datetime | None, NDArray[bool_] | None] = (None, None)

    def nearest(
        self,
        point: Point,
        kinds: frozenset[str],
        amenities: frozenset[str],
        limit: int,
        open_at: datetime | None,
    ) -> Iterator[tuple[float, int]]:
        """Straight metres and numbers, nearest first; `limit` is how many will be asked for at a guess.

        With `open_at` only places whose hours say that they are open then.
        """
        key = kinds, amenities
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._planned(*key)
        groves, fits = plan
        if open_at is not None:
            fits = replace(fits, is_open=self._open(open_at))
        streams = [grove.nearest(point, fits, limit) for grove in groves]
        return streams[0] if len(streams) == 1 else heapq.merge(*streams)

    def _planned(self, kinds: frozenset[str], amenities: frozenset[str]) -> tuple[list[Grove], Filter]:
        """Where to look, and for what; nowhere, if nothing can fit."""
        if not amenities <= self._amenity_bits.keys():
            return [], Filter()
        offered = sum(1 << self._amenity_bits[amenity] for amenity in amenities)
        if not kinds:
            return [self._everywhere], Filter(amenities=offered)
        groves = [self._groves[kind] for kind in kinds if kind in self._groves]
        share = sum(map(len, groves)) / len(self._everywhere)
        if len(groves) > 1 and share >= _WORTH_ONE_TREE:
            bits = sum(1 << self._kind_bits[kind] for kind in kinds if kind in self._kind_bits)
            return [self._everywhere], Filter(kinds=bits, share=share, amenities=offered)
        return groves, Filter(amenities=offered)

    def _open(self, at: datetime) -> NDArray[bool_]:
        """Which of the schedules are open; one moment is asked for again and again."""
        when, known = self._open_at
        if known is None or when != at:
            known = numpy.fromiter((hours.at(at).state == "open" for hours in self._schedules), dtype=bool)
            self._open_at = (at, known)
        return known

    def _points(self, listings: Iterable[tuple[int, Listing]], schedule_numbers: dict[str, int]) -> Points:
        """The columns, which grow by a few bytes for each place."""
        places, amenities = array("d"), array("Q")
        numbers, hours, kinds = array("i"), array("i"), array("I")
        for number, listing in listings:
            if listing.lat is None or listing.lng is None:
                continue
            places.extend(earth_centred(listing.lat, listing.lng))
            numbers.append(number)
            kinds.append(1 << _bit(self._kind_bits, listing.kind, _MOST_KINDS))
            offered = (1 << _bit(self._amenity_bits, name, _MOST_AMENITIES) for name in listing.amenities)
            amenities.append(sum(offered))
            hours.append(schedule_numbers[listing.hours])
        return Points(
            numpy.frombuffer(places, dtype=numpy.float64).reshape(-1, 3),
            numpy.frombuffer(numbers, dtype=numpy.int32),
            numpy.frombuffer(kinds, dtype=numpy.uint32),
            numpy.frombuffer(amenities, dtype=numpy.uint64),
            numpy.frombuffer(hours, dtype=numpy.int32),
        )


def _bit(bits: dict[str, int], name: str, most: int) -> int:
    bit = bits.setdefault(name, len(bits))
    if bit >= most:
        raise ValueError(f"more than {most} different kinds or amenities")
    return bit
