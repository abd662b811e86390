"""Notices of the staff in a chat: what is under way, approved, returned, steered, withdrawn and put right."""

from bot.conversation import Ask, Asked, Choose, Dialog, Done, Next, Router, Turn
from bot.handlers import menu
from bot.i18n import Text, _
from bot.messages import Button
from bot.services import authority, linking, notices, weather
from bot.services.authority import Member
from bot.services.broadcasts import composing, report, states, steering
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.broadcasts.report import Report
from bot.services.city import City
from bot.services.notices import Words

router = Router()

ALL = "all"
LISTED = 6
# Of so many, those of other counties are left out.
LOOKED_AT = 50
# Somebody may have got it.
_TOLD = ("sending", "paused", "finished")


async def member_at(turn: Turn, action: str) -> Member | None:
    """The staff member at this chat if they may do `action`; others hear nothing of there being staff."""
    chat = await linking.staff_at(turn.db, turn.person.contact_id)
    member = Member(chat.staff_id, chat.login, chat.role, chat.counties) if chat else None
    if member and authority.may(member, action):
        return member
    (menu.stale if turn.heard.pressed else menu.unknown)(turn)
    return None


def number(text: str) -> int:
    """A number in a token from outside; 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else 0


async def county_question(turn: Turn, action: str) -> Choose | Done:
    """Where it holds: the whole city or a county, for those of a county only theirs; over for whoever may not."""
    member = await member_at(turn, action)
    if member is None:
        return Done()
    bound = member.counties if member.role == "county" else ()
    counties = turn.use(City).counties.values()
    options: dict[str, Text | str] = {
        county.code: county.called(turn.voice.locale) for county in counties if not bound or county.code in bound
    }
    return Choose(_("Where?"), options if bound else {ALL: _("The whole city"), **options})


@router.reads("/broadcast", "群发", "群發")
@router.reads_press("bcs")
async def desk(turn: Turn) -> None:
    """What is under way, and the way to write a new one."""
    member = await member_at(turn, "notice.read")
    if member is None:
        return
    found = await report.listed(turn.db, limit=LOOKED_AT)
    mine = [one for one in found if authority.is_within(member, one.counties)][:LISTED]
    rows = [(Button(f"{one.title or one.id} · {turn.word(states.STATES[one.state])}", f"bc.{one.id}"),) for one in mine]
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
    held = [_("Held: {reason}", reason=told.pause_reason)] if told.pause_reason else []
    turn.say("\n".join(map(turn.word, (said, *held))), *_levers(turn, member, told))


def _levers(turn: Turn, member: Member, told: Report) -> list[tuple[Button, ...]]:
    broadcast_id, state = told.number, told.state
    rows: list[tuple[Button, ...]] = []
    if authority.may(member, "notice.steer"):
        row = [
            Button(turn.word(label), f"bcdo.{broadcast_id}.{what}")
            for what, label, wanted in (
                ("pause", _("⏸ Pause"), ("sending",)),
                ("resume", _("▶ Go on"), ("paused",)),
                ("cancel", _("✕ Cancel"), (*states.BEFORE_SENDING, "sending", "paused")),
                ("retry", _("↻ Try the failed again"), ("sending", "finished") if told.failed else ()),
            )
            if state in wanted
        ]
        rows.append(tuple(row))
        wrong = [Button(turn.word(_("⚠ Withdraw it")), f"bctake.{broadcast_id}")] if state in _TOLD else []
        if state in (*_TOLD, "withdrawn") and authority.may(member, "notice.write"):
            wrong.append(Button(turn.word(_("✎ Put it right")), f"bcfix.{broadcast_id}"))
        rows.append(tuple(wrong))
    if told.asks_answer and state in _TOLD and authority.may(member, "notice.write"):
        rows.append((Button(turn.word(_("✎ Write to who has not answered")), f"bcnew.{broadcast_id}"),))
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
            menu.stale(turn)
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
        self.broadcast_id = number(turn.argument)
        return self.ask_why

    async def ask_why(self, turn: Turn) -> Asked:
        member = await member_at(turn, "notice.steer")
        if member is None:
            return Done()
        broadcast, _notice = await states.allowed(turn.db, member, "notice.steer", self.broadcast_id)
        return Ask(steering.asks_why(member, broadcast))

    async def take_why(self, turn: Turn, why: str) -> Next:
        member = await member_at(turn, "notice.steer")
        if member is None:
            return Done()
        newsroom = turn.use(Newsroom)
        await steering.withdraw(turn.db, member, self.broadcast_id, why=why, newsroom=newsroom, now=turn.now)
        return Done(_("Withdrawn. Who got it is being told."))


@router.on_press("bcfix")
class Correct(Dialog, name="correct"):
    """Other words for those who got the wrong ones; a second person approves them like any others."""

    broadcast_id: int = 0
    title: str = ""
    body: str = ""

    async def begin(self, turn: Turn) -> Asked:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        self.broadcast_id = number(turn.argument)
        await states.allowed(turn.db, member, "notice.write", self.broadcast_id)
        return self.ask_title

    async def ask_title(self, turn: Turn) -> Asked:
        return Ask(_("The right title, one short line in Chinese."))

    async def take_title(self, turn: Turn, title: str) -> Next:
        notices.checked_texts({"zh_CN": Words(title, "")})
        self.title = title
        return self.ask_body

    async def ask_body(self, turn: Turn) -> Asked:
        return Ask(_("The right text in Chinese: who got the wrong one gets it, and the old message is changed."))

    async def take_body(self, turn: Turn, body: str) -> Next:
        notices.checked_texts({"zh_CN": Words(self.title, body)})
        self.body = body
        return self.ask_sure

    async def ask_sure(self, turn: Turn) -> Asked:
        said = _(
            "{title}\n{body}\n\nOnce handed in, the wrong notice stops at once; these words go out when a second "
            "person approves.",
            title=self.title,
            body=self.body,
        )
        return Choose(said, {"yes": _("✓ Hand in for approval"), "again": _("✎ Other words")})

    async def take_sure(self, turn: Turn, answer: str) -> Next:
        member = await member_at(turn, "notice.write")
        if member is None:
            return Done()
        if answer != "yes":
            return self.ask_title
        words = {"zh_CN": Words(self.title, self.body)}
        newsroom = turn.use(Newsroom)
        await steering.correct(turn.db, member, self.broadcast_id, words, newsroom=newsroom, now=turn.now)
        return Done(_("Handed in. A second person looks at it; you hear of it here."))
