"""The staff console in a large city: how quickly each page answers, out of PostgreSQL, one request after the other.

`python -m bench console [--quick]` fills a database of its own with 100,000 riders, 10,000 places and a million
deliveries, serves the program on it, logs in as somebody would, follows the links, and asks for every page that it
meets. Files to be downloaded are shown beside, without a goal.
"""

import argparse
import asyncio
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import asyncpg
from rich.console import Console
from rich.table import Table

from bench.processes import NotStarted, Program, free_port, on_load_core, run
from bot.database import Database
from bot.web.admin import PAGES
from tests import crowd

GOAL_S = 0.15
PATIENCE_S = 60.0
PASSWORD = "bench-password-0123456789"
# Pages of one kind that are asked for, each as often as the next.
EXAMPLES = 3
RIDERS, PLACES, BROADCASTS = 100_000, 10_000, 10

_LINK = re.compile(r'href="(/admin/[^"#]*)"')
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
# One broadcast a day; of each hundred messages two fail. What is made here is what the pages read most of.
_FILL = (
    "INSERT INTO places (code, name, kind, county, lat, lng, source_lat, source_lng, datum, hours, amenities, state,"
    " updated_at, verified_at, address, phone, amenity_verified, amenity_closed, entry, prices, swap_brands, voltages,"
    " road, direction, operator, source, demo, note, closed_reason, weather_hours)"
    " SELECT 'B' || n, '示例站' || n, (ARRAY['rest_station', 'charging', 'canteen', 'merchant'])[1 + n % 4], '140802',"
    "  34.6 + n % 1000 / 1000.0, 110.2 + n / 6000.0, 34.6 + n % 1000 / 1000.0, 110.2 + n / 6000.0, 'wgs84',"
    "  'Mo-Su 06:00-23:00', '[\"hot_water\", \"toilet\"]', 'published', now(), current_date - n % 200,"
    "  '', '', '{}', '{}', '', '[]', '[]', '[]', '', '', '', '', false, '', '', ''"
    f" FROM generate_series(1, {PLACES}) n",
    "INSERT INTO notices (code, category, texts, created_at, urgency, buttons, source, late, version)"
    " SELECT 'n' || n, 'winter_safety', json_build_object('zh_CN', json_build_object('title', '雪天 ' || n,"
    " 'body', '慢')), now(), 'normal', '[]', '市应急管理局', 'send', 1"
    f" FROM generate_series(1, {BROADCASTS}) n",
    "INSERT INTO broadcasts (notice_id, created_at, state, audience, approved_at, began_at, resolved_at, finished_at,"
    " comment, resolved_to, pause_reason)"
    " SELECT id, at, 'finished', '{}', at, at, at, at, '', 0, ''"
    f" FROM (SELECT id, now() - ({BROADCASTS} - id) * interval '1 day' AS at FROM notices) dated",
    "INSERT INTO outbox (contact_id, channel, lane, key, message, at, due, rank, broadcast_id, state, tries, error,"
    " provider_id, sent_at, tried_at)"
    " SELECT c.id, 'telegram', 'bulk', 'b' || b.id || '-' || c.id, '{}', b.began_at, b.began_at, 2, b.id,"
    "  CASE WHEN c.id % 50 > 0 THEN 'sent' ELSE 'failed' END, 1, CASE WHEN c.id % 50 > 0 THEN '' ELSE 'timeout' END,"
    "  c.id::text, CASE WHEN c.id % 50 > 0 THEN b.began_at END, b.began_at"
    " FROM broadcasts b CROSS JOIN contacts c",
    "INSERT INTO notice_responses (broadcast_id, rider_id, read_at, tapped_at, reply)"
    " SELECT b.id, r.id, b.began_at, b.began_at, (ARRAY['', 'received'])[1 + r.id % 2]"
    " FROM broadcasts b CROSS JOIN riders r WHERE r.id % 5 = 0",
    'INSERT INTO offerings (code, category, title, updated_at, "title_zh_TW", title_en, description,'
    ' "description_zh_TW", description_en, organiser, contact, bring, "bring_zh_TW", bring_en, vehicles, counties,'
    " limit_count, limit_days, cancel_before_min, waitlist, approval, questions, reminders, state, source, demo)"
    " SELECT 'o' || n, 'health', '体检 ' || n, now(), '', '', '', '', '', '', '', '', '', '', '[]', '[]', 0, 0, 0,"
    " true, false, '[]', '[]', 'published', '', false FROM generate_series(1, 30) n",
    "INSERT INTO sessions (code, offering_id, starts_at, ends_at, capacity, address, taken, state, sequence, unoffered)"
    " SELECT 's' || id || '-' || n, id, at, at + interval '1 hour', 100, '', 60, 'open', 0, ''"
    " FROM (SELECT id, n, now() + n * interval '1 day' AS at FROM offerings CROSS JOIN generate_series(-20, 20) n)"
    " dated",
    "INSERT INTO bookings (code, rider_id, session_id, offering_id, state, created_at, reason, phone_hash, network,"
    " sequence, agreed)"
    f" SELECT s.id || '-' || n, 1 + (s.id * 60 + n) % {RIDERS}, s.id, s.offering_id,"
    " CASE WHEN s.starts_at > now() THEN 'booked' ELSE (ARRAY['attended', 'no_show'])[1 + n % 2] END, now(), '', '',"
    " '', 0, 0 FROM sessions s CROSS JOIN generate_series(1, 60) n",
    "INSERT INTO search_counts (hour, wanted, square, found, count)"
    " SELECT date_trunc('hour', now()) - h * interval '1 hour', (ARRAY['', 'charging', 'hot_water'])[1 + s % 3],"
    " '35.' || 10 + s % 90 || ',111.' || 10 + s / 3, s % 2 = 0, 1 + s % 9"
    " FROM generate_series(1, 200) h CROSS JOIN generate_series(1, 200) s",
    "INSERT INTO audit (at, login, action, subject, before, after)"
    " SELECT now() - n * interval '1 minute', 'admin', 'place.write', 'place:B' || n, '{}', '{}'"
    " FROM generate_series(1, 20000) n",
)


@dataclass
class Asked:
    """One kind of page: how long each answer took in seconds, and its size in bytes."""

    is_page: bool = True
    seconds: list[float] = field(default_factory=list)
    size: int = 0

    def share(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def main(arguments: Sequence[str] = ()) -> int:
    """Measures and prints; the exit status is 1 where PostgreSQL is missing or a page misses the goal."""
    options = argparse.ArgumentParser(prog="python -m bench console", description=__doc__)
    options.add_argument("--quick", action="store_true", help="each page a few times only")
    times = 8 if options.parse_args(list(arguments)).quick else 40
    try:
        with on_load_core():
            asked = asyncio.run(_measure(times))
    except (OSError, asyncpg.PostgresError, NotStarted) as error:
        print(f"not measured: {error}")
        return 1
    return int(not _show(asked))


async def _measure(times: int) -> dict[str, Asked]:
    async with crowd.scratch("console") as url:
        await _fill(url)
        port = free_port()
        environment = {
            "DATABASE_URL": url,
            "PORT": str(port),
            "SECRET_KEY": "bench-secret-key-0123456789abcdef0123456789abcdef",
            "STAFF_PASSWORD": PASSWORD,
            "DEMO": "0",
        }
        nuanxin = [sys.executable, "-m", "bot"]
        if (added := run([*nuanxin, "migrate"], environment)).status:
            raise NotStarted(added.output[-600:])
        with Program("console", [*nuanxin, "web"], environment) as program:
            # Cookies of an address without a name are kept only when asked for.
            jar, headers = aiohttp.CookieJar(unsafe=True), {"Accept": "text/html"}
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar, headers=headers) as browser:
                await _ready(browser, program)
                await _log_in(browser)
                return await _browse(browser, times)


async def _fill(url: str) -> None:
    database = Database(url)
    await crowd.settle(database, RIDERS)
    async with database.writing() as db:
        for statement in _FILL:
            await (await db.connection()).exec_driver_sql(statement)
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE")
    await database.close()


async def _ready(browser: aiohttp.ClientSession, program: Program) -> None:
    deadline = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < deadline:
        program.check()
        try:
            async with browser.get("/readyz") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise NotStarted(f"not ready within {PATIENCE_S:.0f} s; see {program.log}")


async def _log_in(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/admin/login") as response:
        token = _TOKEN.search(await response.text())
    assert token, "the login has no token"
    fields = {"csrf": token[1], "login": "admin", "password": PASSWORD}
    async with browser.post("/admin/login", data=fields) as response:
        if "/admin/login" in str(response.url) or response.status != 200:
            raise NotStarted(f"logging in led to {response.url} ({response.status})")


async def _browse(browser: aiohttp.ClientSession, times: int) -> dict[str, Asked]:
    """Every kind of page, found by following links, its examples asked for in turn."""
    addresses = await _met(browser)
    asked: dict[str, Asked] = {}
    for pattern, examples in sorted(addresses.items()):
        one = asked[pattern] = Asked()
        for n in range(times):
            began = time.perf_counter()
            async with browser.get(examples[n % len(examples)], allow_redirects=False) as response:
                body = await response.read()
                one.is_page = response.content_type == "text/html"
            if response.status >= 400:
                raise NotStarted(f"{examples[n % len(examples)]} answered {response.status}")
            one.seconds.append(time.perf_counter() - began)
            one.size = max(one.size, len(body))
    return asked


async def _met(browser: aiohttp.ClientSession) -> dict[str, list[str]]:
    """A few addresses of each page that links lead to, from the overview on."""
    found: dict[str, list[str]] = defaultdict(list)
    waiting, seen = ["/admin/"], {"/admin/"}
    while waiting:
        address = waiting.pop(0)
        pattern = _pattern(address)
        if pattern is None or len(found[pattern]) == EXAMPLES:
            continue
        found[pattern].append(address)
        async with browser.get(address) as response:
            if response.content_type != "text/html":
                continue
            links = _LINK.findall((await response.text()).replace("&amp;", "&"))
        waiting += [link for link in dict.fromkeys(links) if link not in seen]
        seen.update(links)
    return found


def _pattern(address: str) -> str | None:
    path = address.partition("?")[0]
    return next((page for page, shape in _SHAPES if shape.fullmatch(path)), None)


def _shape(pattern: str) -> re.Pattern[str]:
    """`/admin/places/{code}` and `/admin/figures/{name:a|b}.csv` as what they match; a plain address stays itself."""
    parts = re.split(r"(\{\w+(?::(?:[^{}]|\{[^{}]*\})*)?\})", pattern)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts))


# Plain addresses come first, so that `/admin/places/new` is not taken for a place.
_SHAPES = [
    (path, _shape(path))
    for path in sorted({page.path for page in PAGES if page.method == "GET"}, key=lambda p: "{" in p)
]


def _show(asked: dict[str, Asked]) -> bool:
    table = Table(
        "page", "p50 ms", "p95 ms", "KB", "goal", title=f"{RIDERS:,} riders, {RIDERS * BROADCASTS:,} deliveries"
    )
    for pattern, one in sorted(asked.items(), key=lambda item: -item[1].share(0.95)):
        goal = ("met" if one.share(0.95) < GOAL_S else "MISSED") if one.is_page else "a file"
        numbers = (f"{one.share(0.5) * 1e3:.0f}", f"{one.share(0.95) * 1e3:.0f}", f"{one.size / 1024:.0f}")
        table.add_row(pattern, *numbers, goal)
    Console().print(table)
    missing = {page.path for page in PAGES if page.method == "GET"} - asked.keys()
    print(f"Nothing led to: {', '.join(sorted(missing)) or 'no page'}")
    return all(one.share(0.95) < GOAL_S for one in asked.values() if one.is_page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
