"""Notices by staff, from a chat: written step by step, shown as riders will read them, handed in, approved, steered."""

from typing import ClassVar

from bot.conversation import Ask, Asked, Choose, Dialog, Done, Next, Router, Turn
from bot.errors import Problem
from bot.handlers import menu
from bot.i18n import Text, _
from bot.messages import Button
from bot.services import authority, linking, moments, notices, riders, weather
from bot.services.authority import Member
from bot.services.broadcasts import composing, report, states, steering
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import City
from bot.services.notices import Words

router = Router()

ALL, NOW = "all", "now"
LISTED = 6


class NoSuchTime(Problem):
    text = _("When is that? Type for instance “tomorrow 7:30” or “2026-12-01 07:30”.")


async def member_at(turn: Turn, action: str) -> Member | None:
    """The staff member at this chat if they may do `action`; others hear nothing of there being staff."""
    chat = await linking.staff_at(turn.db, turn.person.contact_id)
    member = Member(chat.staff_id, chat.login, chat.role, chat.counties) if chat else None
    if member and authority.may(member, action):
        return member
    await (menu.stale if turn.heard.pressed else menu.unknown)(turn)
    return None


def number(text: str) -> int:
    """A number in a token from outside; 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else 0


@router.reads("/broadcast", "群发", "群發")
@router.reads_press("bcs")
async def desk(turn: Turn) -> None:
    """What is under way, and the way to write a new one."""
    member = await member_at(turn, "notice.read")
    if member is None:
        return
    found = await report.listed(turn.db, limit=LISTED)
    rows = [
        (Button(f"{one.title or one.id} · {turn.word(states.STATES[one.state])}", f"bc.{one.id}"),) for one in found
    ]
    new = [Button(turn.word(_("✎ New notice")), "bcnew")] if authority.may(member, "notice.write") else []
    weather = [Button(turn.word(_("❄ Weather level")), "wx")] if authority.may(member, "weather.propose") else []
    turn.say(_("Notices. The newest are below; tap one to see how it stands."), *rows, (*new, *weather))


@router.reads_press("bc")
async def progress(turn: Turn) -> None:
    """How one stands, with what can be done to it."""
    member = await member_at(turn, "notice.read")
    if member is None:
        return
    broadcast_id = number(turn.argument)
    await states.allowed(turn.db, member, "notice.read", broadcast_id)
    told = await report.report(turn.db, broadcast_id)
    said = _(
        "{title}: {state}\nSent {sent}, queued {queued}, waiting for contact {waiting}, for Sunday {digest}\n"
        "Failed {failed}, stopped {stopped}, muted {muted}\nRead {read}, received {received}, help {help}",
        title=told.title,
        state=states.STATES[told.state],
        sent=told.sent,
        queued=told.queued,
        waiting=told.waiting,
        digest=told.digest,
        failed=told.failed,
        stopped=told.stopped,
        muted=told.muted,
        read=told.read,
        received=told.received,
        help=told.help,
    )
    reason = f"\n{told.pause_reason}" if told.pause_reason else ""
    turn.say(turn.word(said) + reason, *_levers(turn, member, told.state, broadcast_id, told.failed))


def _levers(turn: Turn, member: Member, state: str, broadcast_id: int, failed: int) -> list[tuple[Button, ...]]:
    rows: list[tuple[Button, ...]] = []
    if authority.may(member, "notice.steer"):
        row = [
            Button(turn.word(label), f"bcdo.{broadcast_id}.{what}")
            for what, label, wanted in (
                ("pause", _("⏸ Pause"), ("sending",)),
                ("resume", _("▶ Go on"), ("paused",)),
                ("cancel", _("✕ Cancel"), (*states.BEFORE_SENDING, "sending", "paused")),
                ("retry", _("↻ Try the failed again"), ("sending", "finished") if failed else ()),
            )
            if state in wanted
        ]
        rows.append(tuple(row))
        if state in ("sending", "paused", "finished"):
            rows.append((Button(turn.word(_("⚠ Withdraw it")), f"bctake.{broadcast_id}"),))
    rows.append((Button(turn.word(_("↻ Look again")), f"bc.{broadcast_id}"), Button(turn.word(_("All")), "bcs")))
    return [row for row in rows if row]


@router.on_press("bcdo")
async def steer(turn: Turn) -> None:
    member = await member_at(turn, "notice.steer")
    if member is None:
        return
    token, _dot, what = turn.argument.partition(".")
    broadcast_id = number(token)
    match what:
        case "pause":
            await steering.pause(turn.db, member, broadcast_id, member.login, now=turn.now)
        case "resume":
            await steering.resume(turn.db, member, broadcast_id, now=turn.now)
        case "cancel":
            await steering.cancel(turn.db, member, broadcast_id, now=turn.now)
        case "retry":
            await steering.retry_failed(turn.db, member, broadcast_id, now=turn.now)
        case _:
            await menu.stale(turn)
            return
    turn.argument = token
    await progress(turn)


@router.on_press("bcok")
async def approve(turn: Turn) -> None:
    """The second person lets it go: `bcok.BROADCAST.VERSION`."""
    member = await member_at(turn, "notice.approve")
    if member is None:
        return
    token, _dot, version = turn.argument.partition(".")
    newsroom = turn.use(Newsroom)
    if (warning_id := await weather.of_broadcast(turn.db, number(token))) is not None:
        # Its hours are approved with it.
        turn.follows = f"wxok.{warning_id}"
        return
    await composing.approve(turn.db, member, number(token), newsroom=newsroom, now=turn.now, version=number(version))
    turn.say(
        _("Approved. It goes out at its time."), (Button(turn.word(_("📊 How it stands")), f"bc.{number(token)}"),)
    )


@router.on_press("bcno")
class SendBack(Dialog, name="send_back"):
    broadcast_id: int = 0

    async def begin(self, turn: Turn) -> Asked:
        if await member_at(turn, "notice.approve") is None:
            return Done()
        self.broadcast_id = number(turn.argument)
        return self.ask_why

    async def ask_why(self, turn: Turn) -> Asked:
        return Ask(_("What should be changed? The author reads it."))

    async def take_why(self, turn: Turn, why: str) -> Next:
        member = await member_at(turn, "notice.approve")
        if member is None:
            return Done()
        await composing.send_back(turn.db, member, self.broadcast_id, why, newsroom=turn.use(Newsroom), now=turn.now)
        return Done(_("Returned to its author."))


@router.on_press("bctake")
class Withdraw(Dialog, name="withdraw"):
    broadcast_id: int = 0

    async def begin(self, turn: Turn) -> Asked:
        if await member_at(turn, "notice.steer") is None:
            return Done()
        self.broadcast_id = number(turn.argument)
        return self.ask_why

    async def ask_why(self, turn: Turn) -> Asked:
        return Ask(_("Why is it withdrawn? Everybody who got it reads this, and the old message is changed."))

    async def take_why(self, turn: Turn, why: str) -> Next:
        member = await member_at(turn, "notice.steer")
        if member is None:
            return Done()
        newsroom = turn.use(Newsroom)
        await steering.withdraw(turn.db, member, self.broadcast_id, why=why, newsroom=newsroom, now=turn.now)
        return Done(_("Withdrawn. Who got it is being told."))


@router.on_press("bcnew")
class Compose(Dialog, name="broadcast"):
    """Who, what, when; then as riders will read it, and handed in."""

    vehicle: str = ""
    county: str = ""
    category: str = ""
    urgency: str = ""
    title: str = ""
    body: str = ""
    broadcast_id: int = 0

    _EVERYBODY: ClassVar[Text] = _("Everybody")

    async def begin(self, turn: Turn) -> Asked:
        return self.ask_vehicle if await member_at(turn, "notice.write") else Done()

    async def ask_vehicle(self, turn: Turn) -> Asked:
        return Choose(_("Whom does it concern?"), {ALL: self._EVERYBODY, **riders.VEHICLE_NAMES})

    async def take_vehicle(self, turn: Turn, vehicle: str) -> Next:
        self.vehicle = "" if vehicle == ALL else vehicle
        return self.ask_county

    async def ask_county(self, turn: Turn) -> Asked:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        bound = member.counties if member.role == "county" else ()
        counties = turn.use(City).counties.values()
        options: dict[str, Text | str] = {
            county.code: county.called(turn.voice.locale) for county in counties if not bound or county.code in bound
        }
        return Choose(_("Where?"), options if bound else {ALL: _("The whole city"), **options})

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
        draft = composing.Draft(
            self.category,
            {"zh_CN": Words(self.title, self.body)},
            Audience(vehicles=(self.vehicle,) if self.vehicle else (), counties=(self.county,) if self.county else ()),
            urgency=self.urgency,
            late="ask",
            starts_at=starts_at,
        )
        self.broadcast_id = await composing.compose(turn.db, member, draft, now=turn.now)
        return self.ask_sure

    async def ask_sure(self, turn: Turn) -> Asked:
        newsroom = turn.use(Newsroom)
        found = await composing.findings(turn.db, self.broadcast_id, newsroom=newsroom, now=turn.now)
        reaches = await composing.forecast(turn.db, self.broadcast_id, newsroom=newsroom, now=turn.now)
        words = await composing.shown(turn.db, self.broadcast_id, voice=turn.voice)
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
            *(f"✕ {turn.word(text)}" for text in found.blockers),
            *(f"⚠ {turn.word(text)}" for text in found.warnings),
        ]
        options: dict[str, Text] = {"again": _("✎ Other words")}
        if not found.blockers:
            options = {"yes": _("✓ Hand in for approval")} | options
        return Choose("\n".join(lines), options)

    async def take_sure(self, turn: Turn, answer: str) -> Next:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        if answer != "yes":
            await steering.cancel(turn.db, member, self.broadcast_id, now=turn.now)
            self.broadcast_id = 0
            return self.ask_title
        await composing.submit(turn.db, member, self.broadcast_id, newsroom=turn.use(Newsroom), now=turn.now)
        return Done(_("Handed in. A second person looks at it; you hear of it here."))

    async def abandon(self, turn: Turn) -> None:
        member = await member_at(turn, "notice.write")
        if member and self.broadcast_id:
            await steering.cancel(turn.db, member, self.broadcast_id, now=turn.now)
