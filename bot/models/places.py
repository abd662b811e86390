"""Places to stop, and what people say of them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId


class Place(Base):
    """One place of the directory; the columns are those of the places file.

    `lat`, `lng` are WGS-84 degrees or None where nobody has surveyed the place; `source_lat`, `source_lng`,
    `datum` keep the pair as it was given. Amenities carry a verification date each in `amenity_verified`
    (amenity → ISO date) and a seasonal closure in `amenity_closed` (amenity → `MM-DD/MM-DD`). `prices` is a
    list of {item, fen, unit}: money is an integer, in fen. `weather_hours` replace `hours` until `weather_until`,
    while a weather warning is in force for which the place stays open longer.
    """

    __tablename__ = "places"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str]
    updated_at: Mapped[datetime]
    county: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    lat: Mapped[float | None] = mapped_column(default=None)
    lng: Mapped[float | None] = mapped_column(default=None)
    source_lat: Mapped[float | None] = mapped_column(default=None)
    source_lng: Mapped[float | None] = mapped_column(default=None)
    datum: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    hours: Mapped[str] = mapped_column(default="")
    amenities: Mapped[list[str]] = mapped_column(default_factory=list)
    amenity_verified: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    amenity_closed: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    entry: Mapped[str] = mapped_column(default="")
    prices: Mapped[list[Any]] = mapped_column(default_factory=list)
    prices_at: Mapped[date | None] = mapped_column(default=None)
    piles: Mapped[int | None] = mapped_column(default=None)
    connectors: Mapped[int | None] = mapped_column(default=None)
    swap_brands: Mapped[list[str]] = mapped_column(default_factory=list)
    voltages: Mapped[list[str]] = mapped_column(default_factory=list)
    parking_spaces: Mapped[int | None] = mapped_column(default=None)
    max_vehicle_m: Mapped[float | None] = mapped_column(default=None)
    max_vehicle_h_m: Mapped[float | None] = mapped_column(default=None)
    max_vehicle_t: Mapped[float | None] = mapped_column(default=None)
    hazmat: Mapped[bool | None] = mapped_column(default=None)
    road: Mapped[str] = mapped_column(default="")
    direction: Mapped[str] = mapped_column(default="")
    operator: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="")
    verified_at: Mapped[date | None] = mapped_column(default=None)
    demo: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="published")
    closed_until: Mapped[date | None] = mapped_column(default=None)
    weather_hours: Mapped[str] = mapped_column(default="")
    weather_until: Mapped[datetime | None] = mapped_column(default=None)
    closed_reason: Mapped[str] = mapped_column(default="")
    doubtful_since: Mapped[datetime | None] = mapped_column(default=None)


class PlaceReport(Base):
    """Somebody stood before a locked door; who, but never where from. Erased with the person.

    `settled_at` is when it was looked into; from then on it no longer puts the place in doubt.
    """

    __tablename__ = "place_reports"
    __table_args__ = (Index(None, "place_id", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    place_id: Mapped[int] = mapped_column(ForeignKey(Place.id, ondelete="CASCADE"))
    rider_id: Mapped[int | None] = mapped_column(ForeignKey("riders.id", ondelete="SET NULL"), index=True)
    what: Mapped[str]
    at: Mapped[datetime]
    settled_at: Mapped[datetime | None] = mapped_column(default=None)


class PlaceChange(Base):
    """The directory's version: one row, raised by every change to a place."""

    __tablename__ = "place_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=0)


class SearchCount(Base):
    """How often something was looked for, without who: by hour, kind, square kilometre, and whether found.

    Of those who found nothing each sets one of 31 bits in `people`, which one depends on a key, the person and the
    square: no fewer people looked there than bits are set, and nobody can be told from a bit that many share.
    """

    __tablename__ = "search_counts"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    wanted: Mapped[str] = mapped_column(primary_key=True)
    square: Mapped[str] = mapped_column(primary_key=True)
    found: Mapped[bool] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    people: Mapped[int] = mapped_column(default=0, server_default="0")


class PlacePicture(Base):
    """The picture of a place: a JPEG drawn anew, without metadata."""

    __tablename__ = "place_pictures"

    place_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Place.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    data: Mapped[bytes]
    at: Mapped[datetime]
