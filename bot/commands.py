"""What the commands do, each with the parts of the program that it needs."""

import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot import checks, i18n, official_account
from bot.app import Program
from bot.channels.wechat import menu
from bot.channels.wechat.errors import ApiError
from bot.clock import Clock
from bot.database import DATABASE_TROUBLE, Database, is_migrated, migrate
from bot.seals import Seals
from bot.services import accounts, authority, credentials, duties, linking, offering_files, place_files, staff
from bot.services.broadcasts import composing, files, report, restored
from bot.services.broadcasts.audience import forecast
from bot.services.city import load_city
from bot.services.desk import Desk
from bot.services.place_files.importing import ImportReport
from bot.services.schedules import seasons
from bot.services.tokens import Tokens
from bot.settings import Misconfigured, Settings


async def prepare(settings: Settings, *, talks: bool, works: bool) -> Program:
    """The program, with an embedded database brought up to date, samples loaded, a first login made."""
    secret = secret_of(settings)
    if settings.is_embedded:
        await open_embedded(settings)
    program = Program(settings, secret, talks=talks, works=works)
    is_set_up = await _set_up(program)

    async def set_up() -> None:
        nonlocal is_set_up
        is_set_up = is_set_up or await _set_up(program)

    if not is_set_up:
        # The database is away or not migrated yet: as soon as it is there, so is what a first start makes.
        program.loops.start("setup", set_up, every=2.0)
    return program


async def _set_up(program: Program) -> bool:
    """Load the samples, make the first login; returns whether the database was there for it."""
    with suppress(*DATABASE_TROUBLE):
        if await is_migrated(program.database):
            await _first_start(program)
            return True
    return False


async def _first_start(program: Program) -> None:
    settings, now = program.settings, program.clock()
    async with program.database.writing() as db:
        await restored.hold_if_restored(db, newsroom=program.newsroom, now=now)
    if settings.demo:
        await place_files.load_samples(program.database, settings.city_folder, now)
        await offering_files.load_samples(program.database, settings.city_folder, now)
    password = settings.staff_password or staff.one_time_password()
    async with program.database.writing() as db:
        made = await staff.first_admin(db, password, now)
        await duties.plan_night(db, now=now, desk=program.desk)
    if made:
        shown = "STAFF_PASSWORD" if settings.staff_password else password
        print(f"Staff login (shown once): admin  {shown}", flush=True)
    duties.remark_holidays(program.desk, now)
    await program.refresh()


def greet(settings: Settings, port: int) -> None:
    """Print where riders and staff find the program."""
    if port:
        address = settings.public_url or f"http://{settings.host}:{port}"
        print(f"Riders' chat:  {address}/\nStaff console: {address}/admin/", flush=True)


async def open_embedded(settings: Settings) -> None:
    """Make the embedded database and bring it to the newest schema."""
    database = Database(settings.database_url)
    if database.url.database and database.url.database != ":memory:":
        Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
    if not await is_migrated(database):
        await migrate(database)
    await database.close()


def secret_of(settings: Settings) -> str:
    """The secret key; for the embedded database it is made once and kept beside it."""
    if settings.secret_key:
        return settings.secret_key
    database = Database(settings.database_url).url.database or "var/nuanxin.db"
    path = Path(database).parent / "secret.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(path, "x", opener=_private) as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def migrate_database(settings: Settings) -> None:
    """Bring the database to the newest schema."""
    if settings.is_embedded:
        await open_embedded(settings)
        return
    database = Database(settings.database_url)
    await migrate(database)
    await database.close()


async def _ready_database(settings: Settings) -> Database:
    if settings.is_embedded:
        await open_embedded(settings)
    database = Database(settings.database_url)
    if not await is_migrated(database):
        raise Misconfigured("the database is not at this release's schema: run `nuanxin migrate`")
    return database


async def import_places(settings: Settings, file: Path, *, dry_run: bool, skip_bad: bool) -> dict[str, Any]:
    """Take in a file of places, with a progress bar and the rejected rows on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    database = await _ready_database(settings)
    city = load_city(settings.city_folder)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("places", total=1.0)
        report = await place_files.import_places(
            database,
            file,
            dry_run=dry_run,
            skip_bad=skip_bad,
            now=Clock(settings.clock)(),
            counties=city.counties,
            progress=lambda share: bar.update(task, completed=share),
        )
    await database.close()
    return _told(report, city.zone)


async def import_offerings(settings: Settings, file: Path, *, dry_run: bool, skip_bad: bool) -> dict[str, Any]:
    """Take in a file of what can be booked."""
    database = await _ready_database(settings)
    city = load_city(settings.city_folder)
    report = await offering_files.import_offerings(
        database, file, dry_run=dry_run, skip_bad=skip_bad, now=Clock(settings.clock)(), counties=city.counties
    )
    await database.close()
    return _told(report, city.zone)


async def import_sessions(settings: Settings, file: Path, *, dry_run: bool, skip_bad: bool) -> dict[str, Any]:
    """Take in a file of dates."""
    database = await _ready_database(settings)
    desk = _desk(settings)
    report = await offering_files.import_sessions(
        database, file, dry_run=dry_run, skip_bad=skip_bad, now=Clock(settings.clock)(), desk=desk
    )
    await database.close()
    return _told(report, desk.zone)


def _told(report: ImportReport, zone: ZoneInfo) -> dict[str, Any]:
    """The report as JSON, after the rejected rows were named on standard error."""
    from rich.console import Console

    plain = report.as_json(i18n.voice(i18n.DEFAULT_LOCALE, zone))
    console = Console(stderr=True)
    for rejected in plain["rejected"]:
        console.print(f"row {rejected['row']}, {rejected['column']}: {rejected['reason']}", markup=False)
    return plain


def _desk(settings: Settings) -> Desk:
    zone = load_city(settings.city_folder).zone
    return Desk(Seals(secret_of(settings)), zone, settings.demo, settings.public_url)


async def export_places(settings: Settings, file: Path) -> None:
    database = await _ready_database(settings)
    await place_files.export_places(database, file)
    await database.close()


async def add_staff(settings: Settings, login: str, role: str, counties: Sequence[str]) -> str:
    """Make an account; returns its one-time password. Raises Problem."""
    database = await _ready_database(settings)
    password = staff.one_time_password()
    password_hash, now = await staff.hashed(password), Clock(settings.clock)()
    async with database.writing() as db:
        await accounts.create(db, None, login, role, counties=counties, password_hash=password_hash, now=now)
    await database.close()
    return password


async def list_staff(settings: Settings) -> list[str]:
    """A line for each account: login, role, counties, and whether it is disabled, locked or has a second factor."""
    database, now = await _ready_database(settings), Clock(settings.clock)()
    async with database.reading() as db:
        rows = await accounts.listed(db, limit=sys.maxsize)
    await database.close()
    return ["\t".join((row.login, row.role, " ".join(row.counties), ", ".join(row.states(now)))) for row in rows]


async def disable_staff(settings: Settings, login: str) -> None:
    """Keep an account out; its browsers and chats end at once. Raises Problem."""
    database = await _ready_database(settings)
    async with database.writing() as db:
        theirs = await accounts.called(db, login)
        await accounts.disable(db, None, theirs.id, now=Clock(settings.clock)())
    await database.close()


async def reset_staff(settings: Settings, login: str, *, phone_is_lost: bool) -> str:
    """A link by which an account chooses a new password; a lost phone's second factor is taken off. Raises Problem."""
    database, now = await _ready_database(settings), Clock(settings.clock)()
    async with database.writing() as db:
        theirs = await accounts.called(db, login)
        token = await credentials.issue_reset(db, None, theirs.login, now=now)
        if phone_is_lost:
            await credentials.leave_totp(db, None, theirs.login, now=now)
    await database.close()
    return f"{settings.public_url or f'http://{settings.host}:{settings.port}'}/admin/reset/{token}"


async def link_staff(settings: Settings, login: str) -> str:
    """A code by which a chat becomes this account's. Raises Problem."""
    database = await _ready_database(settings)
    async with database.writing() as db:
        code = await linking.issue_for_staff(db, login, now=Clock(settings.clock)(), desk=_desk(settings))
    await database.close()
    return code


async def broadcast(settings: Settings, file: Path, author: str, approver: str, at: str) -> dict[str, Any]:
    """Compose, hand in and approve what `file` says; its number, state and reach. Warnings go to standard error."""
    await (await _ready_database(settings)).close()
    program = Program(settings, secret_of(settings), talks=False, works=False)
    newsroom, now = program.newsroom, program.clock()
    try:
        draft = await files.read(file, newsroom.zone)
        if at:
            draft = replace(draft, starts_at=files.moment(at, newsroom.zone))
        async with program.database.writing() as db:
            writes, approves = await authority.member_called(db, author), await authority.member_called(db, approver)
            number = await composing.compose(db, writes, draft, now=now)
            found = await composing.findings(db, number, newsroom=newsroom, now=now)
            await composing.hand_in(db, writes, number, newsroom=newsroom, now=now)
            await composing.approve(db, approves, number, newsroom=newsroom, now=now)
            state = (await report.report(db, number)).state
            kind = {"category": draft.category, "urgency": draft.urgency}
            reached = await forecast(db, draft.audience, **kind, reach=newsroom.reach, now=now)
    finally:
        await program.stop()
    voice = newsroom.voice(i18n.DEFAULT_LOCALE)
    for warning in found.warnings:
        print(voice.word(warning), file=sys.stderr)
    return {"number": number, "state": state, "reach": asdict(reached)}


async def broadcast_status(settings: Settings, number: int) -> dict[str, Any]:
    """What became of a broadcast so far. Raises Problem."""
    database = await _ready_database(settings)
    async with database.reading() as db:
        said = (await report.report(db, number)).as_json()
    await database.close()
    return said


async def resume(settings: Settings) -> bool:
    """Let bulk sending go on in a restored database; returns whether it was held."""
    database = await _ready_database(settings)
    async with database.writing() as db:
        was_held = await restored.lift(db, now=Clock(settings.clock)())
    await database.close()
    return was_held


async def season_on(settings: Settings, name: str) -> dict[str, Any]:
    """What was made, changed and left alone; what is held back goes to standard error. Raises Problem."""
    database = await _ready_database(settings)
    city = load_city(settings.city_folder)
    async with database.writing() as db:
        now = Clock(settings.clock)()
        report = await seasons.switch_on(db, city.folder, name, member=None, now=now, zone=city.zone)
    await database.close()
    for code in report.unreviewed:
        print(f"{code}: its review date has passed, it is held back", file=sys.stderr)
    for code in report.edited:
        print(f"{code}: staff changed it, the file's words are not taken over", file=sys.stderr)
    return asdict(report)


async def season_off(settings: Settings, name: str) -> bool:
    """Returns whether it was on."""
    database = await _ready_database(settings)
    async with database.writing() as db:
        was_on = await seasons.switch_off(db, name, member=None, now=Clock(settings.clock)())
    await database.close()
    return was_on


async def make_menu(settings: Settings) -> int:
    """Put the WeChat account's menu in place of the one before; returns how many entries it has."""
    database = await _ready_database(settings)
    clock = Clock(settings.clock)
    api = official_account.api_of(settings, Tokens(database, Seals(secret_of(settings)), clock))
    entries = official_account.menu_of(load_city(settings.city_folder).zone)
    if api is None:
        raise Misconfigured("WECHAT_APP_SECRET is missing: a menu is made with it")
    try:
        await api.create_menu(menu.encode(entries))
    except ApiError as error:
        raise Misconfigured(f"WECHAT_ACCOUNT: WeChat refuses the menu ({error})") from None
    finally:
        await api.close()
        await database.close()
    return sum(len(some) for _name, some in entries)


async def check(settings: Settings) -> bool:
    """Say what is configured, what answers and what would not work; returns whether everything would."""
    good = True
    async for finding in checks.findings(settings, Clock(settings.clock)()):
        good = good and finding.weight != "BAD"
        print(f"{finding.weight:4}  {finding.name}: {finding.what}", flush=True)
    return good


async def chat(settings: Settings, locale: str) -> None:
    """Talk with the bot in the terminal until the end of input."""
    from bot.channels.terminal import Terminal

    program = await prepare(settings, talks=False, works=False)
    terminal = Terminal(program.clock, locale)
    program.channels[terminal.name] = terminal
    await terminal.listen(program.ears.hear_on(terminal), sys.stdin.readline, sys.stdout.write)
    await program.stop()
