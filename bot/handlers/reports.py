"""What riders found at the door: locked, or not as we say. Three people are enough to warn the others."""

from dataclasses import field, replace
from typing import cast

from bot.conversation import Asked, AskLocation, Choose, Dialog, Done, Next, Router, Turn
from bot.conversation.questions import NotUnderstood
from bot.database import Database
from bot.errors import Problem
from bot.handlers import finding, nearest, searches
from bot.handlers.menu import MENU, share
from bot.i18n import Text, _
from bot.messages import Button, Location
from bot.services import places
from bot.services.directory import Directory
from bot.services.finding import find
from bot.services.places import What
from bot.services.wishes import Wish

router = Router()

MOST_CHOICES = 5
LOCKED: What = "locked"
WRONG: What = "wrong"
OTHER = "other"


class UnknownPlace(Problem):
    text = _("I know no place of that name. Send your location, or type its name another way.")


@router.on_press("l")
async def locked(turn: Turn) -> None:
    await _pressed(turn, LOCKED)


@router.on_press("w")
async def wrong(turn: Turn) -> None:
    await _pressed(turn, WRONG)


@router.on("/report", "report", "反映", "反映问题", "上报", "举报")
@router.on_press("report")
class Report(Dialog, name="report"):
    what: str = ""
    found: list[int] = field(default_factory=list)

    async def ask_what(self, turn: Turn) -> Asked:
        choices: dict[str, Text] = {
            LOCKED: _("Door locked"),
            WRONG: _("Facts wrong"),
            OTHER: _("Something else"),
        }
        return Choose(_("What happened?"), choices)

    async def take_what(self, turn: Turn, what: str) -> Next:
        if what == OTHER:
            turn.say(
                _("For anything else please call 12345, the city's line for requests. I cannot pass it on yet."),
                (Button(turn.word(_("☎ Call {number}", number="12345")), url="tel:12345"),),
            )
            return Done()
        self.what = what
        return self.ask_where

    async def ask_where(self, turn: Turn) -> Asked:
        which = _("Which place is it? Type its name, or send your location if you stand there.")
        return AskLocation(which, or_words=True)

    async def take_where(self, turn: Turn, where: Location | str) -> Next:
        self.found = _near(turn, where) if isinstance(where, Location) else _called(turn, where)
        if not self.found:
            is_other = isinstance(where, str) and finding.asks_for_a_feature(turn, where)
            raise NotUnderstood if is_other else UnknownPlace
        return self.ask_which

    async def ask_which(self, turn: Turn) -> Asked:
        directory = turn.use(Directory)
        listed = {place_id: directory.by_id(place_id) for place_id in self.found}
        options = {place_id: place.name for place_id, place in listed.items() if place}
        if not options:
            return self.ask_where
        return Choose(_("Which of these is it?"), options)

    async def take_which(self, turn: Turn, place_id: int) -> Next:
        return Done(await _keep(turn, place_id, cast(What, self.what)))


async def _pressed(turn: Turn, what: What) -> None:
    """A report from a card; where the card came from a list, other places that are open follow."""
    number, _dot, back = turn.argument.partition(".")
    place = searches.place(turn, number)
    search = searches.sought(turn, back) if back else None
    thanks = await _keep(turn, place.id, what)
    if what == WRONG or not search:
        turn.say(thanks, share(turn), (Button(turn.word(MENU), "menu"),))
    else:
        turn.say(thanks)
        others = replace(search, wish=replace(search.wish, open_now=True), page=0)
        nearest.show(turn, others, without=place.id)


async def _keep(turn: Turn, place_id: int, what: What) -> Text:
    """Save the report; returns thanks for it."""
    kept = await places.report(
        turn.db, turn.person.rider_id, place_id=place_id, what=what, now=turn.now, database=turn.use(Database)
    )
    if kept.is_doubtful:
        return _("Thank you. Several people have said so: the place is now marked “to be checked”.")
    if kept.is_repeated:
        return _("Thank you. You had told me already; I have noted that it is still so.")
    return _("Thank you, noted, without where you are. When three people say so, the place is marked “to be checked”.")


def _near(turn: Turn, where: Location) -> list[int]:
    findings = find(
        turn.use(Directory), Wish(), where.lat, where.lng, vehicle=turn.person.vehicle, now=turn.now, limit=MOST_CHOICES
    )
    near = sorted(findings.found, key=lambda one: one.distance_m)
    return [one.listing.id for one in near]


def _called(turn: Turn, name: str) -> list[int]:
    return [place.id for place, _score in turn.use(Directory).named(name, limit=MOST_CHOICES)]
