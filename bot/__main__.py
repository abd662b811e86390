"""The commands."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
import typer

from bot import i18n
from bot.errors import Problem
from bot.settings import Misconfigured, Settings, load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Nuanxin.")
importing = typer.Typer(no_args_is_help=True, help="Take in places, offerings or sessions from a file.")
exporting = typer.Typer(no_args_is_help=True, help="Give out places as a file.")
staff = typer.Typer(no_args_is_help=True, help="People who work for the city.")
app.add_typer(importing, name="import")
app.add_typer(exporting, name="export")
app.add_typer(staff, name="staff")

T = TypeVar("T")
# How long the turns in hand may take to finish after the signal to stop.
PATIENCE = 4.5


def main() -> None:
    """Run a command; wrong settings end it with status 2 and one line each, a broken rule with status 1."""
    _configure_log()
    try:
        app()
    except Misconfigured as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(2)
    except Problem as problem:
        print(i18n.voice(i18n.DEFAULT_LOCALE, ZoneInfo("UTC")).word(problem.text), file=sys.stderr)
        sys.exit(1)
    except OSError as trouble:
        print(f"{type(trouble).__name__}: {trouble}", file=sys.stderr)
        sys.exit(2)


@app.command()
def serve() -> None:
    """Everything in one process: web, channels, scheduler, delivery."""
    _serve(talks=True, works=True)


@app.command()
def web() -> None:
    """The web server and the channels; any number of these over one PostgreSQL."""
    _serve(talks=True, works=False)


@app.command()
def worker() -> None:
    """Delivery and schedule; any number of these over one PostgreSQL."""
    _serve(talks=False, works=True)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot import commands

    _run(commands.migrate_database)


@importing.command("places")
def import_places(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rejected rows out, take the rest.")] = False,
) -> None:
    """CSV, XLSX or GeoJSON; the report is one line of JSON at the end of standard output."""
    from bot import commands

    _report(_run(lambda settings: commands.import_places(settings, file, dry_run=dry_run, skip_bad=skip_bad)), skip_bad)


@importing.command("offerings")
def import_offerings(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rejected rows out, take the rest.")] = False,
) -> None:
    """What can be booked, CSV or XLSX; the report is one line of JSON at the end of standard output."""
    from bot import commands

    _report(
        _run(lambda settings: commands.import_offerings(settings, file, dry_run=dry_run, skip_bad=skip_bad)), skip_bad
    )


@importing.command("sessions")
def import_sessions(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rejected rows out, take the rest.")] = False,
) -> None:
    """Dates of what can be booked, CSV or XLSX; who booked one that is moved or cancelled is told."""
    from bot import commands

    _report(
        _run(lambda settings: commands.import_sessions(settings, file, dry_run=dry_run, skip_bad=skip_bad)), skip_bad
    )


@exporting.command("places")
def export_places(file: Path) -> None:
    """CSV, XLSX or GeoJSON, by the file's name."""
    from bot import commands

    _run(lambda settings: commands.export_places(settings, file))


@staff.command("add")
def add_staff(
    login: str,
    role: Annotated[str, typer.Option()],
    county: Annotated[list[str] | None, typer.Option(help="GB/T 2260 code; may be repeated")] = None,
) -> None:
    """Make a staff account and print its one-time password."""
    from bot import commands

    print(_run(lambda settings: commands.add_staff(settings, login, role, county or [])))


@staff.command("link")
def link_staff(login: str) -> None:
    """Print a code, valid 30 minutes; `/staff CODE` in any chat links that chat to this account."""
    from bot import commands

    print(_run(lambda settings: commands.link_staff(settings, login)))


@app.command()
def chat(locale: str = "zh_CN") -> None:
    """A chat in the terminal: the same bot; `@35.02,110.99` shares a location."""
    from bot import commands

    _run(lambda settings: commands.chat(settings, locale))


@app.command()
def check() -> None:
    """Say, setting by setting, what is configured, what is reachable and what would not work."""
    from bot import commands

    if not _run(commands.check):
        raise typer.Exit(1)


def _report(report: dict[str, Any], skip_bad: bool) -> None:
    print(json.dumps(report, ensure_ascii=False))
    if report["rejected"] and not skip_bad:
        raise typer.Exit(1)


def _serve(*, talks: bool, works: bool) -> None:
    from bot import commands

    async def run(settings: Settings) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        program = await commands.prepare(settings, talks=talks, works=works)
        port = await program.start()
        commands.greet(settings, port)
        await stopped.wait()
        try:
            async with asyncio.timeout(PATIENCE):
                await program.stop()
        except TimeoutError:
            # Whatever still holds on is in the database with a lease.
            os._exit(1)

    _run(run)


def _run(command: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(command(load()))


def _configure_log() -> None:
    """One line of JSON for each event on standard error; what libraries chat about stays out."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    main()
