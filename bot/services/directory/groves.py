"""The spatial index: points on the earth with what they are and offer, asked for the nearest that fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import bool_, float64, int32, uint32, uint64
    from numpy.typing import NDArray

Point = tuple[float, float, float]

_MOST_FROM_TREE = 1500  # beyond so many neighbours, looking at everything that could fit is quicker
_RARE = 4000  # points of one amenity that are scanned faster than their neighbours are sifted
_AMENITY_BITS = 64


@dataclass(frozen=True, slots=True)
class Filter:
    """What a point must be: any of `kinds` (0: any at all), all of `amenities`, as bits; open, where asked.

    `share` is how many of all points have one of the kinds; `is_open` tells it for every distinct text of
    opening hours.
    """

    kinds: int = 0
    share: float = 1.0
    amenities: int = 0
    is_open: "NDArray[bool_] | None" = None


@dataclass(frozen=True, slots=True)
class Points:
    """Points in rows: metres from the centre of the earth; the listing's number, its kind, amenities, hours."""

    places: "NDArray[float64]"
    listings: "NDArray[int32]"
    kinds: "NDArray[uint32]"
    amenities: "NDArray[uint64]"
    hours: "NDArray[int32]"

    def __len__(self) -> int:
        return len(self.listings)

    def only(self, rows: Any) -> "Points":
        """These rows alone, copied so that they lie side by side."""
        return Points(self.places[rows], self.listings[rows], self.kinds[rows], self.amenities[rows], self.hours[rows])


class Grove:
    """A set of points under one tree, and beside it the points of every rare amenity."""

    def __init__(self, points: Points) -> None:
        import numpy
        from scipy.spatial import cKDTree

        self._numpy = numpy
        self._points = points
        # Splitting in the middle of a cell builds several times faster than at the median, and asks alike.
        self._tree: Any = cKDTree(points.places, balanced_tree=False)
        self._counts: list[int] = []
        self._rare: dict[int, Points] = {}
        for bit in range(_AMENITY_BITS):
            offered = (points.amenities & numpy.uint64(1 << bit)) != 0
            self._counts.append(int(numpy.count_nonzero(offered)))
            if 0 < self._counts[bit] <= _RARE:
                self._rare[bit] = points.only(offered)

    def __len__(self) -> int:
        return len(self._points)

    def nearest(self, point: Point, fits: Filter, limit: int) -> Iterator[tuple[float, int]]:
        """Straight metres and listing numbers of what fits, nearest first, for as long as somebody asks.

        `limit` is how many will be asked for at a guess.
        """
        batches = self._batches(point, fits, limit)
        first = next(batches)
        yield from first
        given = {number for _distance, number in first}
        for found in batches:
            for one in found:
                if one[1] not in given:
                    given.add(one[1])
                    yield one

    def _batches(self, point: Point, fits: Filter, limit: int) -> Iterator[list[tuple[float, int]]]:
        """Ever longer lists of the nearest, each complete as far as it goes; the last holds everything."""
        size, points = len(self), self._points
        rarest = self._rarest(fits.amenities)
        wanted = _MOST_FROM_TREE + 1 if rarest in self._rare else self._neighbours_for(fits, limit)
        while wanted <= _MOST_FROM_TREE:
            wanted = min(wanted, size)
            distances, at = self._tree.query(point, range(1, wanted + 1) if wanted == 1 else wanted)
            edge = float(distances[-1])
            if (mask := self._mask(points, fits, at)) is not None:
                distances, at = distances[mask], at[mask]
            found = list(zip(distances.tolist(), points.listings[at].tolist(), strict=True))
            if wanted == size:
                yield found
                return
            # The farthest may have equals that this question left out; they come together with the next.
            while found and found[-1][0] == edge:
                found.pop()
            yield found
            wanted *= 4
        yield from self._from_all(self._rare.get(rarest, points), point, fits)

    def _rarest(self, amenities: int) -> int:
        """The bit of the amenity that the fewest points offer; -1 for none."""
        bits = [bit for bit in range(amenities.bit_length()) if amenities >> bit & 1]
        return min(bits, key=self._counts.__getitem__, default=-1)

    def _neighbours_for(self, fits: Filter, limit: int) -> int:
        """How many neighbours hold `limit` that fit, if what fits is spread evenly; more than allowed if rare."""
        expected, size = (limit + 1) / fits.share, len(self)
        for bit in range(fits.amenities.bit_length()):
            if fits.amenities >> bit & 1:
                expected *= size / max(self._counts[bit], 1)
        return int(expected if expected <= limit + 1 else expected * 1.4 + 8)

    def _mask(self, points: Points, fits: Filter, at: Any) -> "NDArray[bool_] | None":
        """Which of the rows `at` fit, or None if nothing is asked."""
        numpy, mask = self._numpy, None
        if fits.amenities:
            bits = numpy.uint64(fits.amenities)
            mask = (points.amenities[at] & bits) == bits
        if fits.kinds:
            kinds = (points.kinds[at] & numpy.uint32(fits.kinds)) != 0
            mask = kinds if mask is None else mask & kinds
        if fits.is_open is not None:
            is_open = fits.is_open[points.hours[at]]
            mask = is_open if mask is None else mask & is_open
        return mask

    def _from_all(self, points: Points, point: Point, fits: Filter) -> Iterator[list[tuple[float, int]]]:
        """The same lists from every one of `points`, without the tree."""
        numpy = self._numpy
        places, numbers = points.places, points.listings
        mask = self._mask(points, fits, slice(None))
        if mask is not None and not mask.all():
            places, numbers = places[mask], numbers[mask]
        offsets = places - numpy.array(point)
        distances = numpy.sqrt(numpy.einsum("ij,ij->i", offsets, offsets))
        wanted = 32
        while wanted < len(numbers):
            edge = numpy.partition(distances, wanted)[wanted]
            nearer = numpy.flatnonzero(distances < edge)
            yield sorted(zip(distances[nearer].tolist(), numbers[nearer].tolist(), strict=True))
            wanted *= 16
        yield sorted(zip(distances.tolist(), numbers.tolist(), strict=True))
