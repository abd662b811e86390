"""The nearest places: for a location, for another filter or page, for a vehicle just told."""

from dataclasses import replace

from bot.conversation import Router, Turn
from bot.handlers import lists
from bot.handlers.menu import share, vehicles
from bot.handlers.searches import Search, packed, position, sought
from bot.handlers.settings import remember_vehicle
from bot.i18n import Text, _
from bot.services import finding
from bot.services.city import City
from bot.services.directory import Directory
from bot.services.finding import Findings
from bot.services.tallies import Tally
from bot.services.wishes import Wish
from bot.services.wording import Part, part_of_the_world, phrases

router = Router()

FAR_M = 50_000
_ANYTHING = Wish()


@router.reads_event("location")
def here(turn: Turn) -> None:
    """A location, whenever it comes, is answered with the nearest places."""
    assert turn.heard.location is not None
    lat, lng = turn.heard.location.lat, turn.heard.location.lng
    show(turn, Search(_ANYTHING, lat, lng), first_contact=turn.person.is_new)


@router.reads("/nearest", "nearest", "附近", "nearby")
@router.reads_press("near")
def nearest(turn: Turn) -> None:
    turn.say(_("Where are you? Send your location, or type a place, a road, a community or a county."), share(turn))


@router.reads_press("m", "更多", "more")
@router.reads_press("n")
def again(turn: Turn) -> None:
    """The same list with another filter, or its next page."""
    show(turn, sought(turn, turn.argument))


@router.on_press("v")
async def vehicle(turn: Turn) -> None:
    """The vehicle, told at first contact; a list that waits is shown again in its order."""
    chosen, _dot, rest = turn.argument.partition(".")
    search = sought(turn, rest) if rest else None
    await remember_vehicle(turn, chosen)
    if search:
        show(turn, search)
    else:
        turn.say(_("Thank you. Now send your location and I find you a place."), share(turn))


def show(turn: Turn, search: Search, *, origin: str = "", first_contact: bool = False, without: int = 0) -> None:
    """Say the list that answers `search`; `origin` names what it starts from, if that is not the rider.

    `without` is a place to leave out. At `first_contact` the vehicle is asked for as well.
    """
    part = part_of_the_world(search.lat, search.lng)
    if part is Part.NOWHERE:
        turn.say(_("That is no point on the earth. Please send your location again."), share(turn))
        return
    directory, person = turn.use(Directory), turn.person
    findings = finding.find(
        directory,
        search.wish,
        search.lat,
        search.lng,
        vehicle=person.vehicle,
        now=turn.now,
        limit=lists.PAGE,
        offset=search.page * lists.PAGE,
    )
    if without:
        findings = replace(findings, found=tuple(one for one in findings.found if one.listing.id != without))
    if not search.page:
        _count(turn, search, findings)
    asks = vehicles(turn, _carried(turn, search)) if first_contact and not person.vehicle else ()
    title = _title(turn, search, findings, part, origin)
    turn.said.append(lists.message(turn, search, findings, title, asks))


def _title(turn: Turn, search: Search, findings: Findings, part: Part, origin: str) -> str:
    if not findings.found:
        if search.page:
            return turn.word(_("Nothing more to show."))
        what = _what(turn, search.wish) or turn.word(_("Places"))
        return turn.word(_("I found nothing for: {what}. Take a filter off, or try other words.", what=what))
    if not search.page and findings.found[0].distance_m > FAR_M:
        city = turn.use(City).called(turn.voice.locale)
        far = _("Nothing is near. I know places in {city} only; the nearest of them:", city=city)
        abroad = _("That is outside China. I know places in {city} only; the nearest of them:", city=city)
        return turn.word(abroad if part is Part.ABROAD else far)
    return turn.word(_heading(search, findings, what=_what(turn, search.wish), origin=origin))


def _heading(search: Search, findings: Findings, *, what: str, origin: str) -> Text:
    if search.page:
        return _("Further away:")
    if findings.relaxed:
        return _("Nothing near has all of that. The closest to it:")
    if origin:
        return _("From {origin}, {what}:", origin=origin, what=what) if what else _("From {origin}:", origin=origin)
    if search.elsewhere:
        return _("From where you said, {what}:", what=what) if what else _("From where you said:")
    return _("Nearest to you, {what}:", what=what) if what else _("Nearest to you:")


def _what(turn: Turn, wish: Wish) -> str:
    """What was asked for, by its names."""
    if wish is _ANYTHING or wish == _ANYTHING:
        return ""
    words = phrases(turn.voice.locale, turn.voice.zone)
    names = [words.kinds[kind] for kind in sorted(wish.kinds) if kind in words.kinds]
    names += [words.amenities[amenity] for amenity in sorted(wish.amenities) if amenity in words.amenities]
    if wish.charging:
        names.append(turn.word(_("Charge")))
    if wish.parking:
        names.append(turn.word(_("Parking")))
    if wish.voltage:
        names.append(f"{wish.voltage}V")
    if wish.brand:
        names.append(wish.brand)
    if wish.always:
        names.append(turn.word(_("Open round the clock")))
    elif wish.open_now:
        names.append(turn.word(_("Open now")))
    if wish.at:
        names.append(turn.word(_("open at {time}", time=wish.at)))
    return words.separator.join(names)


def _count(turn: Turn, search: Search, findings: Findings) -> None:
    wish = search.wish
    wanted = ""
    if wish is not _ANYTHING:
        wanted = ",".join(sorted((*wish.kinds, *wish.amenities, *(("charging",) if wish.charging else ()))))
    found = bool(findings.found) and not findings.relaxed and findings.found[0].distance_m <= FAR_M
    turn.use(Tally).add(turn.now, wanted, search.lat, search.lng, found=found, rider_id=turn.person.rider_id)


def _carried(turn: Turn, search: Search) -> str:
    return f"{packed(search.wish, search.elsewhere)}.{search.page}.{position(turn, search.lat, search.lng)}"
