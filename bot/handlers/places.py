"""The card of one place: everything known of it, nothing invented."""

from bot.conversation import Router, Turn
from bot.errors import Problem
from bot.handlers import lists, searches
from bot.handlers.menu import MENU, share
from bot.handlers.searches import Search
from bot.i18n import _
from bot.messages import Button, Place
from bot.services.city import City
from bot.services.directory import Directory, Listing
from bot.services.facts import closure, facts, way_to
from bot.services.wording import navigation, phrases

router = Router()

PIN_STATES = {"open": "yes", "closed": "no", "unknown": "unknown"}


@router.reads_press("p")
def chosen(turn: Turn) -> None:
    """A place of a list: `p.number`, with the list that it came from behind it."""
    number, _dot, back = turn.argument.partition(".")
    show_card(turn, searches.place(turn, number), back)


@router.reads("/p")
@router.reads_press("pcode")
def by_code(turn: Turn) -> None:
    """The place of a poster at a door: `/p CODE`."""
    place = turn.use(Directory).by_code(turn.argument)
    if place is None:
        turn.say(_("I know no place with that code. Send your location and I show you what is near."), share(turn))
        return
    show_card(turn, place)


def show_card(turn: Turn, place: Listing, back: str = "") -> None:
    """Say the card of `place`; `back` is the list to return to, as its buttons carry it."""
    search = _search(turn, back)
    today = turn.now.astimezone(turn.use(City).zone).date()
    lines = [
        *_headline(turn, place, search),
        *facts(place, turn.voice, today=today, vehicle=turn.person.vehicle),
    ]
    turn.say("\n".join(lines), *_buttons(turn, place, back if search else ""), places=_pins(turn, place), card=True)


def _headline(turn: Turn, place: Listing, search: Search | None) -> list[str]:
    """Its name, whether it is open now and on arrival, how far it is."""
    words, directory = phrases(turn.voice.locale, turn.voice.zone), turn.use(Directory)
    heading = turn.word(_("{name} ({kind})", name=place.name, kind=words.kinds.get(place.kind, place.kind)))
    is_marked = not place.demo or place.name.startswith(lists.SAMPLE)
    lines = [heading if is_marked else turn.word(_("[sample] {name}", name=heading))]
    opening = words.opening(directory.opening(place, turn.now), turn.now, place.phone)
    closed = closure(place)
    lines.append(turn.word(closed or _("Now: {open}", open=opening)))
    vehicle = turn.person.vehicle
    if search and (way := way_to(directory, place, search.lat, search.lng, vehicle=vehicle, now=turn.now)):
        arrival = words.opening(way.opening, way.arrives_at, place.phone)
        if not closed and arrival != opening:
            lines.append(turn.word(_("When you arrive: {open}", open=arrival)))
        distance, direction = words.distance(way.distance_m), words.direction(way.bearing)
        lines.append(turn.word(_("🧭 {distance}, {direction}", distance=distance, direction=direction)))
    return lines


def _buttons(turn: Turn, place: Listing, back: str) -> tuple[tuple[Button, ...], ...]:
    maps = tuple(Button(turn.word(name), url=url) for name, url in navigation(place))
    call = (Button(turn.word(_("☎ Call")), url=f"tel:{place.phone}"),) if place.phone else ()
    number = searches.number(place.id)
    behind = f".{back}" if back else ""
    reports = (
        Button(turn.word(_("Door locked")), f"l.{number}{behind}"),
        Button(turn.word(_("Facts wrong")), f"w.{number}{behind}"),
    )
    home = (Button(turn.word(_("‹ Back to the list")), f"n.{back}") if back else Button(turn.word(MENU), "menu"),)
    return tuple(row for row in (maps, call, reports, home) if row)


def _pins(turn: Turn, place: Listing) -> tuple[Place, ...]:
    if place.lat is None or place.lng is None:
        return ()
    state = PIN_STATES[turn.use(Directory).opening(place, turn.now).state]
    return (Place(place.code, place.name, place.lat, place.lng, place.address, open=state),)


def _search(turn: Turn, back: str) -> Search | None:
    """The list behind a card; a card is still good where its list is broken or was forged."""
    try:
        return searches.sought(turn, back) if back else None
    except Problem:
        return None
