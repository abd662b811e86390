"""A weather level from a chat: kind, colour, how long and where; then one approval for the notice and the hours."""

from datetime import timedelta

from bot.conversation import Asked, Choose, Dialog, Done, Next, Router, Turn
from bot.database import Database
from bot.handlers.broadcasts import ALL, county_question, member_at, number
from bot.i18n import _
from bot.services import weather
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import City

router = Router()

HOURS = (6, 12, 24, 48, 72)


@router.on("/weather", "天气预警", "天氣預警")
@router.on_press("wx")
class Level(Dialog, name="weather"):
    kind: str = ""
    level: str = ""
    hours: int = 0

    async def begin(self, turn: Turn) -> Asked:
        return self.ask_kind if await member_at(turn, "weather.propose") else Done()

    async def ask_kind(self, turn: Turn) -> Asked:
        return Choose(_("Which weather has the weather service warned of?"), weather.KINDS)

    async def take_kind(self, turn: Turn, kind: str) -> Next:
        self.kind = kind
        return self.ask_level

    async def ask_level(self, turn: Turn) -> Asked:
        return Choose(_("Which colour?"), weather.LEVELS)

    async def take_level(self, turn: Turn, level: str) -> Next:
        self.level = level
        return self.ask_hours

    async def ask_hours(self, turn: Turn) -> Asked:
        return Choose(_("For how long from now?"), {hours: _("{hours} hours", hours=hours) for hours in HOURS})

    async def take_hours(self, turn: Turn, hours: int) -> Next:
        self.hours = hours
        return self.ask_county

    async def ask_county(self, turn: Turn) -> Asked:
        return await county_question(turn, "weather.propose")

    async def take_county(self, turn: Turn, county: str) -> Next:
        member = await member_at(turn, "weather.propose")
        if member is None:
            return Done()
        warning_id = await weather.propose(
            turn.db,
            member,
            kind=self.kind,
            level=self.level,
            starts_at=turn.now,
            ends_at=turn.now + timedelta(hours=self.hours),
            counties=() if county == ALL else (county,),
            places_in=turn.use(City).counties,
            words=turn.use(weather.Prepared),
            newsroom=turn.use(Newsroom),
            now=turn.now,
        )
        await _say(turn, warning_id)
        return Done()


@router.on_press("wxok")
async def approve(turn: Turn) -> None:
    """Both at once: the notice goes, the places stay open longer."""
    member = await member_at(turn, "weather.approve")
    if member is None:
        return
    is_in_force = await weather.approve(
        turn.db,
        member,
        number(turn.argument),
        newsroom=turn.use(Newsroom),
        database=turn.use(Database),
        now=turn.now,
    )
    if is_in_force:
        await _say(turn, number(turn.argument))
    else:
        turn.say(_("You stand for these words now. They were never reviewed: a second person has to approve them."))


@router.on_press("wxno")
async def dismiss(turn: Turn) -> None:
    member = await member_at(turn, "weather.propose")
    if member is None:
        return
    await weather.dismiss(turn.db, member, number(turn.argument), now=turn.now)
    turn.say(_("Dropped: nothing is sent, no hours change."))


@router.on_press("wxend")
async def lift(turn: Turn) -> None:
    member = await member_at(turn, "weather.approve")
    if member is None:
        return
    await weather.lift(turn.db, member, number(turn.argument), database=turn.use(Database), now=turn.now)
    turn.say(_("Ended: the hours are as usual again."))


async def _say(turn: Turn, warning_id: int) -> None:
    proposal = await weather.proposal(turn.db, warning_id)
    turn.said.append(weather.letter(proposal, turn.voice, turn.use(City).counties, turn.use(weather.Prepared)))
