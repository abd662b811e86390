"""A notice written in a chat, step by step: whom, what, a picture, when; shown as riders will read it, handed in."""

from dataclasses import replace
from typing import ClassVar

from bot.conversation import Ask, Asked, AskPhoto, Choose, Dialog, Done, Next, Router, Turn
from bot.errors import Problem
from bot.handlers.broadcasts import ALL, county_question, member_at, number
from bot.i18n import Text, _
from bot.messages import Outgoing, Photo
from bot.services import moments, notices, offerings, riders
from bot.services.authority import Member
from bot.services.broadcasts import composing, states, steering
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.broadcasts.particulars import particulars
from bot.services.desk import Desk
from bot.services.notices import Words

router = Router()

NOW, NONE = "now", "none"
# As many as fit on a screen; the soonest come first.
MOST_OFFERINGS = 12


class NoSuchTime(Problem):
    text = _("When is that? Type for instance “tomorrow 7:30” or “2026-12-01 07:30”.")


class NoPicture(Problem):
    text = _(
        "I cannot take that picture here. Send a photo of at most 1 MB on Telegram or the web page, add it in the "
        "console, or go on without one."
    )


@router.on_press("bcnew")
class Compose(Dialog, name="broadcast"):
    """Who, what, when; then as riders will read it, and handed in. `bcnew.N` is for who has not answered notice N."""

    unanswered: int = 0
    vehicle: str = ""
    locale: str = ""
    county: str = ""
    category: str = ""
    urgency: str = ""
    title: str = ""
    body: str = ""
    broadcast_id: int = 0

    topic: str = ""
    booked: str = ""
    button: str = ""

    _EVERYBODY: ClassVar[Text] = _("Everybody")
    _READERS: ClassVar[dict[str, Text]] = {
        "zh_CN": _("Who reads simplified Chinese"),
        "zh_TW": _("Who reads traditional Chinese"),
        "en": _("Who reads English"),
    }

    async def begin(self, turn: Turn) -> Asked:
        self.unanswered = number(turn.argument)
        return self.ask_vehicle if await member_at(turn, "notice.write") else Done()

    async def ask_vehicle(self, turn: Turn) -> Asked:
        others = {"topic": _("Who wants to hear of one kind"), "booked": _("Who booked one offering")}
        known = {**riders.VEHICLE_NAMES, **self._READERS, **others}
        return Choose(_("Whom does it concern?"), {ALL: self._EVERYBODY, **known})

    async def take_vehicle(self, turn: Turn, whom: str) -> Next:
        self.locale = whom if whom in self._READERS else ""
        self.vehicle = whom if whom in riders.VEHICLE_NAMES else ""
        self.topic = self.booked = ""
        match whom:
            case "topic":
                return self.ask_topic
            case "booked":
                return self.ask_booked
        return self.ask_county

    async def ask_topic(self, turn: Turn) -> Asked:
        return Choose(_("Of what kind?"), notices.CATEGORIES)

    async def take_topic(self, turn: Turn, topic: str) -> Next:
        self.topic = topic
        return self.ask_county

    async def ask_booked(self, turn: Turn) -> Asked:
        return await _offering_question(turn, self.ask_vehicle)

    async def take_booked(self, turn: Turn, code: str) -> Next:
        self.booked = code
        return self.ask_county

    async def ask_county(self, turn: Turn) -> Asked:
        return await county_question(turn, "notice.write")

    async def take_county(self, turn: Turn, county: str) -> Next:
        self.county = "" if county == ALL else county
        return self.ask_category

    async def ask_category(self, turn: Turn) -> Asked:
        return Choose(_("What kind of notice is it?"), notices.CATEGORIES)

    async def take_category(self, turn: Turn, category: str) -> Next:
        self.category = category
        return self.ask_urgency

    async def ask_urgency(self, turn: Turn) -> Asked:
        return Choose(
            _("How urgent is it? Red goes out at any hour, past what people muted: only for danger."),
            {key: notices.URGENCIES[key] for key in ("normal", "important", "red")},
        )

    async def take_urgency(self, turn: Turn, urgency: str) -> Next:
        self.urgency = urgency
        return self.ask_title

    async def ask_title(self, turn: Turn) -> Asked:
        return Ask(_("The title, one short line in Chinese."))

    async def take_title(self, turn: Turn, title: str) -> Next:
        notices.checked_texts({"zh_CN": Words(title, "")})
        self.title = title
        return self.ask_body

    async def ask_body(self, turn: Turn) -> Asked:
        return Ask(_("The text in Chinese. The first 120 characters are what people see at a glance."))

    async def take_body(self, turn: Turn, body: str) -> Next:
        notices.checked_texts({"zh_CN": Words(self.title, body)})
        self.body = body
        return self.ask_picture

    async def ask_picture(self, turn: Turn) -> Asked:
        return AskPhoto(_("Send a picture for it if you have one."), {NONE: _("Without a picture")})

    async def take_picture(self, turn: Turn, answer: Photo | str | None) -> Next:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        if answer is None or (isinstance(answer, Photo) and not answer.is_bare):
            raise NoPicture
        picture = notices.Picture(answer.file) if isinstance(answer, Photo) else None
        await self._keep(turn, member, picture)
        return self.ask_when

    async def ask_when(self, turn: Turn) -> Asked:
        return Choose(
            _("When? Choose, or type a time such as “周五 7:30”."),
            {NOW: _("Once approved"), "明天 7:30": _("Tomorrow 7:30"), "今天 20:30": _("Today 20:30")},
            or_words=True,
        )

    async def take_when(self, turn: Turn, when: str) -> Next:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        starts_at = None if when == NOW else moments.read(when, turn.now, turn.voice.zone)
        if when != NOW and (starts_at is None or starts_at < turn.now):
            raise NoSuchTime
        await composing.set_time(turn.db, member, self.broadcast_id, starts_at=starts_at, now=turn.now)
        # What is asked next shows it.
        await composing.note_preview(turn.db, self.broadcast_id, now=turn.now)
        return self.ask_sure

    async def ask_sure(self, turn: Turn) -> Asked:
        newsroom = turn.use(Newsroom)
        found = await composing.findings(turn.db, self.broadcast_id, newsroom=newsroom, now=turn.now)
        reaches = await composing.forecast(turn.db, self.broadcast_id, newsroom=newsroom, now=turn.now)
        words = await composing.shown(turn.db, self.broadcast_id, voice=turn.voice)
        broadcast, notice = await states.found(turn.db, self.broadcast_id)
        if words.photo and turn.can.photo:
            turn.said.append(Outgoing("", photo=words.photo))
        lines = [
            turn.word(
                _(
                    "As riders will read it:\n\n{words}\n\nNow: {now}, at their next contact: {later}, muted: {muted}.",
                    words=words.text,
                    now=sum(reaches.pushable.values()),
                    later=sum(reaches.at_next_contact.values()),
                    muted=reaches.muted,
                )
            ),
            *await particulars(turn.db, broadcast, notice, newsroom=newsroom, voice=turn.voice),
            *(turn.word(one.words) for one in reaches.masses),
            *(f"✕ {turn.word(text)}" for text in found.blockers),
            *(f"⚠ {turn.word(text)}" for text in found.warnings),
        ]
        options: dict[str, Text] = {"again": _("✎ Other words")}
        if len(notice.buttons) < notices.MOST_BUTTONS:
            options["button"] = _("＋ A button below it")
        if not found.blockers:
            options = {"yes": _("✓ Hand in for approval")} | options
        return Choose("\n".join(lines), options)

    async def take_sure(self, turn: Turn, answer: str) -> Next:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        if answer != "yes":
            return self.ask_button if answer == "button" else self.ask_title
        await composing.submit(turn.db, member, self.broadcast_id, newsroom=turn.use(Newsroom), now=turn.now)
        return Done(_("Handed in. A second person looks at it; you hear of it here."))

    async def ask_button(self, turn: Turn) -> Asked:
        return Choose(_("What does the button do?"), notices.BUTTONS)

    async def take_button(self, turn: Turn, kind: str) -> Next:
        self.button = kind
        return await self._add_button(turn, "") if kind in notices.ANSWERS else self.ask_target

    async def ask_target(self, turn: Turn) -> Asked:
        match self.button:
            case "offering":
                return await _offering_question(turn, self.ask_button)
            case "page":
                return Choose(_("Which page?"), {page: page for page in sorted(turn.use(Newsroom).pages)})
            case "place":
                return Ask(_("The code of the place, as it stands on its page in the console."))
        return Ask(_("The address, beginning with https://"))

    async def take_target(self, turn: Turn, target: str) -> Next:
        return await self._add_button(turn, target)

    async def abandon(self, turn: Turn) -> None:
        member = await member_at(turn, "notice.write")
        if member and self.broadcast_id:
            await steering.cancel(turn.db, member, self.broadcast_id, now=turn.now)

    async def _add_button(self, turn: Turn, target: str) -> Next:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        button = notices.NoticeButton(self.button, target)
        await composing.add_button(
            turn.db, member, self.broadcast_id, button, newsroom=turn.use(Newsroom), now=turn.now
        )
        return self.ask_sure

    async def _keep(self, turn: Turn, member: Member, picture: notices.Picture | None) -> None:
        """Make the draft of what was said so far; one that there is already is changed."""
        draft = composing.Draft(
            self.category,
            {"zh_CN": Words(self.title, self.body)},
            Audience(
                vehicles=(self.vehicle,) if self.vehicle else (),
                counties=(self.county,) if self.county else (),
                locales=(self.locale,) if self.locale else (),
                topic=self.topic,
                booked=self.booked,
                unanswered=self.unanswered,
            ),
            urgency=self.urgency,
            picture=picture,
            late="ask",
        )
        if self.broadcast_id:
            _broadcast, notice = await states.found(turn.db, self.broadcast_id)
            draft = replace(draft, buttons=[notices.NoticeButton(**button) for button in notice.buttons])
            await composing.edit(turn.db, member, self.broadcast_id, draft, now=turn.now)
        else:
            self.broadcast_id = await composing.compose(turn.db, member, draft, now=turn.now)


async def _offering_question(turn: Turn, otherwise: Next) -> Asked:
    """Which offering; where there is none, the question before."""
    found = await offerings.published(turn.db, desk=turn.use(Desk), now=turn.now)
    if not found:
        turn.say(_("There is nothing that can be booked now."))
        return otherwise
    return Choose(_("Which offering?"), {one.offering.code: one.offering.title for one in found[:MOST_OFFERINGS]})
