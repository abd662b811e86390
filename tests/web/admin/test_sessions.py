"""Sessions from the console: the calendar, one made and changed, moved and called off with the words shown first."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from bot.models import Session, StaffMember
from bot.services import patterns
from tests.web.admin.booked import books, deeds, fair, local, messages, row, session, state
from tests.web.admin.conftest import Browser, Desk


async def form(desk: Desk, browser: Browser, session_id: int, **typed: Any) -> dict[str, str]:
    """The form of a session as a browser sends it, with what somebody typed into it."""
    page = await browser.reads(f"/admin/sessions/{session_id}")
    names = ("day", "starts", "ends", "capacity", "place", "address", "sequence")
    found = {name: re.findall(rf'name="{name}"[^>]* value="([^"]*)"', page) for name in names}
    return {name: values[0] for name, values in found.items()} | typed


async def lawyer_id(desk: Desk) -> int:
    async with desk.database.reading() as db:
        return (await db.scalars(select(StaffMember.id).where(StaffMember.role == "lawyer"))).one()


async def test_a_session_is_made_by_hand_and_seen_in_the_calendar(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk)
    address = f"/admin/sessions/new?offering={made.offering}"
    typed = {"day": "2026-01-20", "starts": "9:00", "ends": "11:00", "capacity": "8", "address": "王茅镇卫生院"}
    for wrong, said in (
        ({"ends": "08:00"}, "later than the beginning"),
        ({"day": "2025-01-20"}, "begin in the future"),
        ({"capacity": ""}, "must not be empty"),
        ({"place": "医院"}, "Which one? Type its code"),
    ):
        response = await operator.post(address, typed | wrong)
        assert (response.status, said in await response.text()) == (422, True), said
    response = await operator.post(address, typed)
    assert response.status == 303
    here = response.headers["Location"].partition("?")[0]
    page = await operator.reads(here)
    assert "Tue 20 Jan 09:00–11:00" in page
    assert "王茅镇卫生院" in page
    again = await operator.post(address, typed)  # two rooms at the same time are two sessions
    assert again.status == 303
    week = await operator.reads("/admin/sessions?from=2026-01-21")
    assert week.count("0/8") == 2
    assert here in await operator.reads("/admin/sessions?view=month&from=2026-01-01")
    assert here not in await operator.reads("/admin/sessions?from=2026-02-01")
    named = await operator.post(address, typed | {"place": "医院" + (await place_name(desk, made.session))[2:]})
    assert named.status == 303
    night = typed | {"starts": "20:00", "ends": "00:30", "overnight": "1"}
    assert "a day at most" in await (await operator.post(address, night | {"ends": "20:30"})).text()
    late = (await operator.post(address, night)).headers["Location"].partition("?")[0]
    page = await operator.reads(late)
    assert "Tue 20 Jan 20:00–00:30" in page
    assert 'name="overnight" value="1" checked' in page
    assert await deeds(desk) == [("operator", "session.write")] * 4


async def place_name(desk: Desk, session_id: int) -> str:
    page = await desk.as_role("operator").reads(f"/admin/sessions/{session_id}")
    return str(re.findall(r"📍 (医院\d+)", page)[0])


async def test_a_session_moves_after_the_preview_and_the_booked_are_told(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk)
    mei, li = await books(desk, made.session), await books(desk, made.session, locale="zh_CN")
    told = len(await messages(desk))
    later = local(desk, 26)
    typed = await form(desk, operator, made.session, day=f"{later:%Y-%m-%d}", starts="15:30", ends="16:30")
    looked = await operator.post(f"/admin/sessions/{made.session}", typed)
    page = await looked.text()
    assert looked.status == 200
    for part in ("2 people have a seat", "2 of them are told", "Health check is now Fri 16 Jan 15:30", "体检"):
        assert part in page, part
    assert len(await messages(desk)) == told
    before = (await row(desk, made.session)).starts_at
    done = await operator.post(f"/admin/sessions/{made.session}", typed | {"agreed": "1"})
    assert (done.status, "done=told" in done.headers["Location"]) == (303, True)
    assert (await row(desk, made.session)).starts_at == before + timedelta(hours=25.5)
    words = (await messages(desk))[told:]
    assert len(words) == 2
    # What was shown is what they read.
    for word in words:
        assert word.split(",")[0].replace("'", "&#39;")[:20] in page
    assert [await state(desk, one.id) for one in (mei, li)] == ["booked", "booked"]
    # Pressed once more, on the page of before: nobody is told twice.
    stale = await operator.post(
        f"/admin/sessions/{made.session}", typed | {"agreed": "1", "starts": "17:00", "ends": "18:00"}
    )
    assert (stale.status, "changed this session meanwhile" in await stale.text()) == (422, True)
    assert len(await messages(desk)) == told + 2
    assert ("operator", "session.write") in await deeds(desk)


async def test_seats_change_without_a_word_and_the_waiting_are_offered_them(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, capacity=2)
    await books(desk, made.session)
    await books(desk, made.session)
    told = len(await messages(desk))
    fewer = await operator.post(
        f"/admin/sessions/{made.session}", await form(desk, operator, made.session, capacity="1")
    )
    assert (fewer.status, "2 seats are taken" in await fewer.text()) == (422, True)
    more = await operator.post(
        f"/admin/sessions/{made.session}", await form(desk, operator, made.session, capacity="5")
    )
    assert more.status == 303
    assert (await row(desk, made.session)).capacity == 5
    assert len(await messages(desk)) == told


async def test_a_session_is_called_off_after_the_words_were_shown(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, hours=30)
    booked = await books(desk, made.session)
    here = f"/admin/sessions/{made.session}"
    await operator.post(f"{here}/walk-in", {})
    page = await operator.reads(f"{here}/cancel")
    for part in ("1 of them are told", "does not take place", "1 have no chat"):
        assert part in page, part
    assert await state(desk, booked.id) == "booked"
    assert (await operator.post(f"{here}/cancel", {"sequence": "9"})).status == 422
    assert (await operator.post(f"{here}/cancel", {"sequence": "0"})).status == 303
    assert await state(desk, booked.id) == "cancelled"
    assert "does not take place" in (await messages(desk))[-1]
    assert "called off" in await operator.reads(here)


async def test_what_is_changed_by_hand_is_left_alone_by_its_pattern(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk)
    week = {"weekdays": ["4"], "opens": "09:00", "closes": "10:00", "minutes": "60", "capacity": "5"}
    week |= {"first_day": "2026-01-16", "last_day": "2026-01-16"}
    assert (await operator.post(f"/admin/offerings/{made.offering}/patterns/new", week)).status == 303
    async with desk.database.reading() as db:
        of_pattern = (await db.scalars(select(Session).where(Session.pattern_id.is_not(None)))).one()
    pattern_id = of_pattern.pattern_id
    assert pattern_id
    typed = await form(desk, operator, of_pattern.id, capacity="12")
    assert (await operator.post(f"/admin/sessions/{of_pattern.id}", typed)).status == 303
    async with desk.database.writing() as db:
        outcome = await patterns.make(db, None, pattern_id=pattern_id, now=desk.now, desk=desk.console.desk)
    assert outcome == patterns.Made(0, 0, 0, ())
    assert (await row(desk, of_pattern.id)).capacity == 12


async def test_closed_and_opened_again(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk)
    here = f"/admin/sessions/{made.session}"
    assert (await operator.post(f"{here}/close")).status == 303
    assert "takes no more bookings" in await operator.reads(here)
    assert (await operator.post(f"{here}/close")).status == 422
    assert (await operator.post(f"{here}/reopen")).status == 303
    assert (await row(desk, made.session)).state == "open"


async def test_sessions_without_a_place_stand_out_from_the_first_page_on(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, hours=24)
    nowhere = await session(desk, made.offering, hours=24)
    page = await operator.reads("/admin/")
    assert 'href="/admin/sessions?homeless=1"' in page
    listed = await operator.reads("/admin/sessions?homeless=1")
    assert f"/admin/sessions/{nowhere}" in listed
    assert f'/admin/sessions/{made.session}"' not in listed
    assert 'href="/admin/sessions?homeless=1"' not in await desk.as_role("viewer").reads("/admin/")


async def test_a_lawyer_and_a_county_see_their_own_only(desk: Desk) -> None:
    made = await fair(desk)
    legal = await session(desk, made.offering, hours=3, lawyer_id=await lawyer_id(desk), address="法律咨询台")
    lawyer, county = desk.as_role("lawyer"), desk.as_role("county")
    for browser, own, other in ((lawyer, legal, made.session), (county, made.session, legal)):
        page = await browser.reads("/admin/sessions")
        assert f'/admin/sessions/{own}"' in page
        assert f'/admin/sessions/{other}"' not in page
        assert (await browser.get(f"/admin/sessions/{own}")).status == 200
        assert (await browser.get(f"/admin/sessions/{other}")).status == 403
    typed = {"sequence": "0", "day": "2026-01-20", "starts": "09:00", "ends": "10:00", "capacity": "1"}
    for path in ("", "/cancel", "/close", "/reopen", "/walk-in"):
        assert (await county.post(f"/admin/sessions/{legal}{path}", typed)).status == 403, path
        assert (await lawyer.post(f"/admin/sessions/{legal}{path}", typed)).status == 403, path
    # It makes sessions at its places, of what its riders may book.
    foreign = await fair(desk, counties=["140881"])
    place = re.findall(r'name="place"[^>]* value="([^"]+)"', await county.reads(f"/admin/sessions/{made.session}"))[0]
    new = typed | {"place": place}
    assert (await county.post(f"/admin/sessions/new?offering={made.offering}", new)).status == 303
    assert (await county.post(f"/admin/sessions/new?offering={foreign.offering}", new)).status == 403
    # A county moves nothing out of its counties.
    moved = await county.post(f"/admin/sessions/{made.session}", typed)
    assert (moved.status, "name one" in await moved.text()) == (422, True)
