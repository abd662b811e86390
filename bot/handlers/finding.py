"""Finding by a rider's own words: what they look for, and where, if they say so; else they are asked."""

from dataclasses import replace

from bot.conversation import Asked, AskLocation, Dialog, Done, Next, Route, Router, Turn
from bot.conversation.questions import NotUnderstood
from bot.handlers import nearest, searches
from bot.handlers.meanings import meant
from bot.handlers.menu import share
from bot.handlers.places import show_card
from bot.handlers.searches import Search, packed, unpacked
from bot.i18n import Text, _
from bot.messages import Button, Location, typed_location
from bot.services import wishes
from bot.services.city import City, County
from bot.services.directory import Directory, Listing
from bot.services.lexicon import lexicon
from bot.services.whereabouts import elsewhere, without_region
from bot.services.wishes import Wish

router = Router()

MOST_CHOICES = 5
_LONGEST_NAME = 40
_MOST_ALIKE = 50
_CLEARLY_BETTER = 6.0  # of 100 points for how well a name fits


def read(text: str, turn: Turn) -> Route | None:
    """The route for words that ask for a place, or tell a position; None where they do neither."""
    if typed_location(text):
        return Route(by_degrees, reads=True)
    wish = _wish(turn, text)
    if wish is None:
        return None
    return Route(by_words, reads=True) if _origins(turn, wish) else Route(Find, reads=False)


router.reader = read


def by_degrees(turn: Turn) -> None:
    """A position that was typed is answered like one that was shared."""
    location = typed_location(turn.heard.text)
    assert location is not None
    _show_at(turn, location, Wish(), first_contact=turn.person.is_new)


def by_words(turn: Turn) -> None:
    """Words that say where: a county, a landmark, a place's own name."""
    wish = _wish(turn, turn.heard.text)
    assert wish is not None
    _answer(turn, wish)


@router.reads_press("o")
def around(turn: Turn) -> None:
    """The list around the place that was chosen among several: `o.place.wish`."""
    number, _dot, code = turn.argument.partition(".")
    place = searches.place(turn, number)
    try:
        wish, _elsewhere = unpacked(code)
    except ValueError as error:
        raise searches.OldButton from error
    _show_around(turn, place, wish)


@router.on("/find")
@router.on_press("find")
class Find(Dialog, name="find"):
    """A wish that waits for a location or for the name of a place, road or county."""

    wish: str = ""
    missed: str = ""
    first_contact: bool = False

    async def begin(self, turn: Turn) -> Asked:
        wish = _carried(turn) or _wish(turn, turn.argument or turn.heard.text) or Wish()
        self.wish, self.missed = packed(_aim(wish)), _place_in(wish)
        self.first_contact = turn.person.is_new
        return self.ask_where

    async def ask_where(self, turn: Turn) -> Asked:
        missed, self.missed = self.missed, ""  # said once: after an aside the plain question is repeated
        return AskLocation(_missed(turn, missed) if missed else _WHERE, or_words=True)

    async def take_where(self, turn: Turn, where: Location | str) -> Next:
        kept, _elsewhere = unpacked(self.wish)
        if isinstance(where, Location):
            _show_at(turn, where, kept, first_contact=self.first_contact)
            return Done()
        wish = _answer_to_where(turn, where, kept)
        if wish is None:
            raise NotUnderstood
        if _origins(turn, wish):
            _answer(turn, wish)
            return Done()
        if asks_for_a_feature(turn, where):
            raise NotUnderstood
        self.wish, self.missed = packed(_aim(wish)), _place_in(wish)
        return self.ask_where


def asks_for_a_feature(turn: Turn, words: str) -> bool:
    """Whether `words` that are no place's name surely ask for something that this program does."""
    return _wish(turn, words) is None and meant(words).sure


_WHERE = _("Where are you? Send your location, or type a place, a road, a community or a county.")


def _missed(turn: Turn, name: str) -> Text:
    """The question after a place that nobody knows."""
    if elsewhere(name):
        return _(
            "“{name}” is too far for me: I know places in {city} only. Send your location, or type a place, a road, "
            "a community or a county there.",
            name=name,
            city=turn.use(City).called(turn.voice.locale),
        )
    return _("I know no place called “{name}”. Send your location, or type another place, road or county.", name=name)


def _answer_to_where(turn: Turn, words: str, kept: Wish) -> Wish | None:
    """The wish after its owner was asked where: the kept one from there, or another one altogether."""
    said = _wish(turn, words)
    if said and said.named and _aim(replace(said, kinds=frozenset())) == Wish():
        return replace(kept, county=said.county, near=said.named)
    if said and _aim(said) != Wish():
        return said
    if said and (said.county or _place_in(said)):
        return replace(kept, county=said.county, near=_place_in(said))
    if county := turn.use(City).county_named(words):
        return replace(kept, county=county.code)
    if len(words) <= _LONGEST_NAME and not said and any(letter.isalpha() for letter in words):
        return replace(kept, near=words)
    return said


def _wish(turn: Turn, words: str) -> Wish | None:
    city = turn.use(City)
    wish = wishes.read(words, counties=city.counties)
    if wish is None and (far := elsewhere(words)) and not city.name.startswith(far):
        return Wish(near=far)
    return wish


def _carried(turn: Turn) -> Wish | None:
    """The wish of a button, `find.wish`; None for anything that is not ours."""
    try:
        return unpacked(turn.argument)[0] if turn.argument else None
    except ValueError:
        return None


def _aim(wish: Wish) -> Wish:
    """What is looked for, without where."""
    return replace(wish, county="", near="", named="")


def _place_in(wish: Wish) -> str:
    return (wish.named or wish.near)[:_LONGEST_NAME]


def _origins(turn: Turn, wish: Wish) -> list[Listing | County]:
    """What the wish may start from or mean: places of the name that it mentions, else its county."""
    name = _place_in(wish)
    if scored := _named(turn, name, wish) if name else []:
        is_clear = len(scored) == 1 or scored[0][1] - scored[1][1] >= _CLEARLY_BETTER
        return [place for place, _score in scored[: 1 if is_clear else MOST_CHOICES]]
    county = turn.use(City).counties.get(wish.county)
    return [county] if county else []


def _named(turn: Turn, name: str, wish: Wish) -> list[tuple[Listing, float]]:
    """Places of this name, in the county if one was said; 府东街食堂 is also the canteen of another name there.

    运城东站 may be called 东站 alone, and the other way round.
    """
    directory = turn.use(Directory)
    bare, county = without_region(name, turn.use(City).counties)
    county = wish.county or county
    scored = max((_spelt(directory, spelling, county) for spelling in (name, bare)), key=_best)
    if scored or not wish.kinds:
        return scored
    name = bare
    for word in lexicon().spoken.find(name):
        name = name.replace(word.word, "")
    alike = directory.named(name, county=county, limit=_MOST_ALIKE)
    return [(place, score) for place, score in alike if place.kind in wish.kinds][:MOST_CHOICES]


def _spelt(directory: Directory, name: str, county: str) -> list[tuple[Listing, float]]:
    return directory.named(name, county=county, limit=MOST_CHOICES) or directory.named(name, limit=MOST_CHOICES)


def _best(scored: list[tuple[Listing, float]]) -> float:
    return scored[0][1] if scored else 0.0


def _answer(turn: Turn, wish: Wish) -> None:
    """Show what the wish means; at most five to choose from where that is not clear."""
    origins = _origins(turn, wish)
    first = origins[0]
    if isinstance(first, County):
        origin = turn.word(_("the centre of {county}", county=first.called(turn.voice.locale)))
        nearest.show(turn, Search(_aim(wish), first.lat, first.lng, elsewhere=True), origin=origin)
        return
    found = [place for place in origins if isinstance(place, Listing)]
    if len(found) > 1:
        _let_choose(turn, found, wish)
    elif wish.named:
        show_card(turn, first)
    else:
        _show_around(turn, first, _aim(wish))


def _let_choose(turn: Turn, found: list[Listing], wish: Wish) -> None:
    code = packed(_aim(wish))
    rows = []
    for place in found:
        number = searches.number(place.id)
        rows.append((Button(place.name, f"p.{number}" if wish.named else f"o.{number}.{code}"),))
    turn.say(_("Which one do you mean?"), *rows, share(turn))


def _show_at(turn: Turn, location: Location, wish: Wish, *, first_contact: bool) -> None:
    """The list around a location; of one that was typed it is said how it was understood."""
    is_typed = turn.heard.location is None
    at = _("{lat}, {lng} (taken as WGS-84)", lat=f"{location.lat:.8g}", lng=f"{location.lng:.8g}")
    nearest.show(
        turn,
        Search(wish, location.lat, location.lng, elsewhere=is_typed),
        origin=turn.word(at) if is_typed else "",
        first_contact=first_contact,
    )


def _show_around(turn: Turn, place: Listing, wish: Wish) -> None:
    if place.lat is None or place.lng is None:
        turn.say(_("Nobody has surveyed where {name} is. Send your location instead.", name=place.name), share(turn))
        return
    nearest.show(turn, Search(wish, place.lat, place.lng, elsewhere=True), origin=place.name)
