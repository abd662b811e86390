"""Booking something: what, when, a few questions, yes. A seat is kept while the rider answers."""

from dataclasses import replace
from functools import partial

from bot.conversation import Ask, Asked, AskLocation, Choose, Dialog, Done, Next, Router, Turn
from bot.conversation.questions import NotUnderstood
from bot.errors import Problem
from bot.handlers import answers, finding, offers, policies, rights, seats
from bot.handlers.menu import MENU
from bot.i18n import Text, _
from bot.messages import Button, Location
from bot.services import bookings, consents, offerings, riders, sessions, waitlist
from bot.services.bookings import Details
from bot.services.city import City
from bot.services.desk import Desk
from bot.services.offerings import CATEGORY_NAMES, Intake, Offering
from bot.services.sessions import Session
from bot.services.subjects import category_in

router = Router()

PAGE = 5
MORE, NEAREST, SKIP, AS_BEFORE = "more", "nearest", "skip", "as-before"
_OPTIONAL = frozenset({"name", "note"})
_DIGITS = frozenset({"phone", "number"})


@router.on("/book", "book", "预约", "預約", "报名", "報名")
@router.on_press("book")
@router.on_press("bkagain")
class Book(Dialog, name="book"):
    """From the wish to the booking. `said` holds the answers so far, encrypted; `near` hides a position."""

    category: str = ""
    offering: int = 0
    session: int = 0
    hold: int = 0
    waits: bool = False
    bare: bool = False
    skip: int = 0
    number: int = 0
    near: str = ""
    said: str = ""

    async def begin(self, turn: Turn) -> Asked:
        wanted = turn.argument or turn.heard.text
        if wanted.isascii() and wanted.isdecimal() and turn.argument:
            self.offering = int(wanted[:18])
            return self.ask_session
        self.category = wanted if wanted in CATEGORY_NAMES else category_in(wanted)
        return self.ask_category

    async def abandon(self, turn: Turn) -> None:
        if self.hold:
            await bookings.let_go(
                turn.db, turn.person.rider_id, booking_id=self.hold, now=turn.now, desk=turn.use(Desk)
            )

    def goes_back(self, step: str) -> bool:
        if step != "question" or not self.number:
            return False
        self.number -= 1
        return True

    async def ask_category(self, turn: Turn) -> Asked:
        offered = await seats.offered(turn)
        there = [category for category in CATEGORY_NAMES if any(one.category == category for one in offered)]
        if not there:
            turn.say(
                _("There is nothing to book just now. Please look in again: new dates come every week."),
                (Button(turn.word(MENU), "menu"),),
            )
            return Done()
        if self.category and self.category not in there:
            turn.say(_("Of that there is nothing just now. This can be booked:"))
            self.category = ""
        if self.category or len(there) == 1:
            self.category = self.category or there[0]
            return self.ask_offering
        return Choose(_("What would you like to book? All of it is free."), {one: CATEGORY_NAMES[one] for one in there})

    async def take_category(self, turn: Turn, category: str) -> Next:
        self.category = category
        return self.ask_offering

    async def ask_offering(self, turn: Turn) -> Asked:
        offered = [one for one in await seats.offered(turn) if one.category == self.category]
        if not offered:
            self.category = ""
            return self.ask_category
        if len(offered) == 1:
            self._choose(offered[0].id)
            return self.ask_session
        options: dict[object, Text | str] = {one.id: offers.title(turn, one) for one in offered}
        return Choose(_("Which one?"), options)

    async def take_offering(self, turn: Turn, offering: int) -> Next:
        self._choose(offering)
        return self.ask_session

    async def ask_session(self, turn: Turn) -> Asked:
        await self.abandon(turn)  # whoever looks for another time sees the one they just had as free
        self.hold = 0
        try:
            offering = await self._offering(turn)
        except Problem as gone:
            return self._gone(turn, gone.text)
        found = await self._coming(turn)
        if not found and self.skip:
            self.skip = 0
            found = await self._coming(turn)
        if not found:
            return self._gone(turn, _("There is no date left for it just now."))
        if offering.category == "legal" and not self.skip and not self.near:
            turn.say(rights.URGENT, (rights.call(turn, "12348"),))
        options: dict[object, Text | str] = {one.id: offers.time_label(turn, one) for one in found[:PAGE]}
        if len(found) > PAGE:
            options[MORE] = _("More ›")
        if not self.near and len({(one.lat, one.lng) for one in found if one.lat is not None}) > 1:
            options[NEAREST] = _("📍 Nearest first")
        introduced = offers.introduced(turn, offering)
        return Choose(_("{offer}\nWhen does it suit you?", offer=introduced), options)

    async def take_session(self, turn: Turn, chosen: int | str) -> Next:
        match chosen:
            case "more":
                self.skip += PAGE
                return self.ask_session
            case "nearest":
                return self.ask_near
        self.session = int(chosen)
        return await self._take_seat(turn)

    async def ask_near(self, turn: Turn) -> Asked:
        return AskLocation(_("Send your location: the nearest dates come first. It is forgotten afterwards."))

    async def take_near(self, turn: Turn, here: Location) -> Next:
        self.near, self.skip = seats.hidden(turn, here), 0
        return self.ask_session

    async def ask_vehicle(self, turn: Turn) -> Asked:
        return Choose(_("This is for certain drivers. What do you drive?"), dict(riders.VEHICLE_NAMES))

    async def take_vehicle(self, turn: Turn, vehicle: str) -> Next:
        await riders.choose_vehicle(turn.db, turn.person.rider_id, vehicle)
        turn.person = replace(turn.person, vehicle=vehicle)
        return await self._take_seat(turn)

    async def ask_county(self, turn: Turn) -> Asked:
        counties = turn.use(City).counties.values()
        options = {county.code: county.called(turn.voice.locale) for county in counties}
        return Choose(_("This is for certain counties. Where do you work?"), options)

    async def take_county(self, turn: Turn, county: str) -> Next:
        await riders.choose_county(turn.db, turn.person.rider_id, county)
        turn.person = replace(turn.person, county=county)
        return await self._take_seat(turn)

    async def ask_waiting(self, turn: Turn) -> Asked:
        session = await sessions.one(turn.db, self.session)
        waiting = await sessions.count_waiting(turn.db, self.session)
        line = _(
            "{when} is full. {waiting} wait. Shall I put you on the list? You would be number {position}.",
            when=session.starts_at,
            waiting=waiting,
            position=waiting + 1,
        )
        if not waiting:
            line = _("{when} is full. Shall I put you on the list? You would be the first.", when=session.starts_at)
        return Choose(line, {True: _("✓ Yes, I wait"), False: _("Another time")})

    async def take_waiting(self, turn: Turn, yes: bool) -> Next:
        self.waits = yes
        return await self._go_on(turn) if yes else self.ask_session

    async def ask_consent(self, turn: Turn) -> Asked:
        return Choose(consents.WORDS, {True: _("✓ I agree"), False: _("No, I do not")})

    async def take_consent(self, turn: Turn, yes: bool) -> Next:
        if yes:
            await consents.give(turn.db, turn.person.rider_id, consents.BOOKING, now=turn.now)
            return await self._go_on(turn)
        offering = await self._offering(turn)
        if not offering.asks("phone"):
            self.bare = True
            return await self._go_on(turn)
        await self.abandon(turn)
        contact = offering.contact or "12345"
        return Done(_("That is fine, nothing was kept. To come without it, please ask: {contact}", contact=contact))

    async def ask_question(self, turn: Turn) -> Asked:
        try:
            questions = self._questions(await self._offering(turn))
        except Problem as gone:
            return self._gone(turn, gone.text)
        if not questions:
            return self.ask_confirm
        self.number = min(self.number, len(questions) - 1)
        question = questions[self.number]
        label, options = question.label(turn.voice.locale), question.options(turn.voice.locale)
        if options:
            return Choose(label, options)
        shortcuts: dict[str, Text | str] = {}
        if before := await answers.before(turn, question):
            shortcuts[AS_BEFORE] = answers.masked(before)
        if question.kind in _OPTIONAL:
            shortcuts[SKIP] = _("Skip")
        return Choose(label, shortcuts, or_words=True) if shortcuts else Ask(label)

    async def take_question(self, turn: Turn, answer: str) -> Next:
        questions = self._questions(await self._offering(turn))
        question = questions[min(self.number, len(questions) - 1)]
        if answer == AS_BEFORE:
            answer = await answers.before(turn, question)
        is_skipped = answer == SKIP and question.kind in _OPTIONAL
        said = "" if is_skipped else _read(turn, question, answer)
        self.said = answers.kept(turn, self.said, question.key, said)
        if question.kind == "topic" and answer == "wages":
            turn.say(policies.words(turn, "wages"), (rights.call(turn, "12333"), rights.call(turn, "12345")))
        self.number += 1
        return self.ask_question if self.number < len(questions) else self.ask_confirm

    async def ask_confirm(self, turn: Turn) -> Asked:
        try:
            offering = await self._offering(turn)
            session = await seats.session(turn, self.session)
        except Problem as gone:
            return self._gone(turn, gone.text)
        details = self._details(turn, offering)
        lines = [offers.title(turn, offering), *offers.facts(turn, session, offering)]
        if details.name or details.phone:
            masked = (answers.masked(details.name), answers.masked(details.phone))
            lines.append("👤 " + " ".join(part for part in masked if part))
        if offering.approval:
            lines.append(turn.word(_("The staff look at each request and answer here.")))
        facts = "\n".join(lines)
        yes = _("✓ Put me on the list") if self.waits else _("✓ Yes, book it")
        return Choose(_("{facts}\nIs that right?", facts=facts), {True: yes, False: _("Another time")})

    async def take_confirm(self, turn: Turn, yes: bool) -> Next:
        if not yes:
            return self.ask_session
        try:
            if self.waits:
                details = self._details(turn, await self._offering(turn))
                booking = await seats.wait(turn, self.session, details)
            else:
                booking = await seats.book(turn, self.hold, self.session, partial(self._details, turn))
        except offerings.NoSuchOffering as gone:
            await self.abandon(turn)
            return self._gone(turn, gone.text)
        except bookings.ConsentNeeded:
            return self.ask_consent
        except bookings.SessionFull as full:
            turn.say(_("Your place was kept for five minutes and has gone to somebody else meanwhile. I am sorry."))
            return self.ask_waiting if full.waitlist else self.ask_session
        except (bookings.SessionGone, waitlist.NoWaitlist) as gone:
            turn.say(gone.text)
            return self.ask_session
        except bookings.AlreadyBooked as already:
            return await _shown(turn, already)
        except (bookings.LimitReached, bookings.NotEligible, bookings.Paused) as no:
            await self.abandon(turn)
            return _over(turn, no)
        offers.show(turn, booking, _OUTCOMES[booking.state])
        return Done()

    async def _take_seat(self, turn: Turn) -> Next:
        """Hold the chosen session, and go on with whatever is to be asked; where that cannot be, say why."""
        self.waits = False
        try:
            self.hold = await seats.hold(turn, self.session)
        except bookings.VehicleNeeded:
            return self.ask_vehicle
        except bookings.CountyNeeded:
            return self.ask_county
        except bookings.SessionFull as full:
            if not full.waitlist:
                raise
            return self.ask_waiting
        except bookings.AlreadyBooked as already:
            return await _shown(turn, already)
        except (bookings.LimitReached, bookings.NotEligible, bookings.Paused) as no:
            return _over(turn, no)
        return await self._go_on(turn)

    async def _go_on(self, turn: Turn) -> Next:
        """Consent first, then the questions, then the last word."""
        offering = await self._offering(turn)
        if offering.asks_personal and not (self.bare or await _has_agreed(turn)):
            return self.ask_consent
        return self.ask_question if self.number < len(self._questions(offering)) else self.ask_confirm

    async def _offering(self, turn: Turn) -> Offering:
        return await seats.offering(turn, self.offering)

    async def _coming(self, turn: Turn) -> list[Session]:
        return await seats.coming(turn, self.offering, near=self.near, skip=self.skip, limit=PAGE + 1)

    def _choose(self, offering: int) -> None:
        if offering != self.offering:
            self.said, self.number, self.skip, self.bare = "", 0, 0, False
        self.offering = offering

    def _gone(self, turn: Turn, why: Text) -> Next:
        turn.say(why)
        self._choose(0)
        self.category = ""
        return self.ask_category

    def _questions(self, offering: Offering) -> list[Intake]:
        left_out = _OPTIONAL if self.bare else frozenset()
        return [question for question in offering.questions if question.kind not in left_out]

    def _details(self, turn: Turn, offering: Offering) -> Details:
        return answers.details(turn, self.said, self._questions(offering))


_OUTCOMES: dict[str, Text] = {
    "booked": _("✅ Booked!"),
    "pending": _("✅ Your request is with the staff."),
    "waiting": _("✅ You are on the waiting list."),
}


def _read(turn: Turn, question: Intake, answer: str) -> str:
    """The answer, tidied. Where digits are asked for, words that ask for something else are no wrong answer."""
    try:
        return question.read(answer)
    except Problem:
        if question.kind in _DIGITS and finding.asks_for_a_feature(turn, answer):
            raise NotUnderstood from None
        raise


async def _has_agreed(turn: Turn) -> bool:
    return await consents.given(turn.db, turn.person.rider_id, consents.BOOKING)


async def _shown(turn: Turn, already: bookings.AlreadyBooked) -> Done:
    """The booking that this rider has already."""
    found = await bookings.one(turn.db, turn.person.rider_id, booking_id=already.booking_id, now=turn.now)
    offers.show(turn, found, _("You have this one already."))
    return Done()


def _over(turn: Turn, problem: Problem) -> Done:
    turn.say(problem.text, (Button(turn.word(_("My bookings")), "bookings"), Button(turn.word(MENU), "menu")))
    return Done()
