"""A clinic day from the console: the door, the sheet, walk-ins, requests, what is opened by a click, the figures."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from bot.models import AuditEntry, Booking, BookingChange, Session
from bot.services import bookings, passes, waitlist
from bot.services.bookings import Details
from tests.web.admin.booked import NAME_AND_PHONE, books, deeds, fair, messages, rider, row, session, state
from tests.web.admin.conftest import Desk
from tests.web.admin.test_figures import counted
from tests.web.admin.test_sessions import lawyer_id

DOOR = "/admin/bookings/check-in"
WHO = {"name": "王小明", "phone": "13812340000"}


async def test_at_the_door_twice_is_once_and_can_be_undone(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, questions=NAME_AND_PHONE)
    booked = await books(desk, made.session, **WHO)
    page = await (await operator.post(DOOR, {"code": f" {booked.code[:3].lower()} {booked.code[3:]}"})).text()
    for part in ("Checked in", "王**", "1 of 1 here"):
        assert part in page, part
    assert "王小明" not in page
    again = await operator.post(DOOR, {"code": booked.code})
    assert (again.status, "Here already" in await again.text()) == (200, True)
    async with desk.database.reading() as db:
        steps = list(await db.scalars(select(BookingChange.to_state).order_by(BookingChange.id)))
    assert steps.count("attended") == 1
    undone = await operator.post(f"/admin/bookings/{booked.id}/undo", {"back": "door"})
    assert (undone.status, undone.headers["Location"]) == (303, "/admin/bookings?done=undone")
    assert await state(desk, booked.id) == "booked"
    assert await deeds(desk) == [("operator", "booking.check_in"), ("operator", "booking.undo")]
    assert (await operator.get("/admin/bookings/find?code=%22%3E-")).status == 422
    wrong = await operator.post(DOOR, {"code": "AAAAAA"})
    assert (wrong.status, "No booking has that code" in await wrong.text()) == (422, True)


async def test_a_code_on_the_telephone_finds_its_booking_and_does_nothing(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk)
    booked = await books(desk, made.session)
    found = await operator.get(f"/admin/bookings/find?code=+{booked.code.lower()}")
    assert (found.status, found.headers["Location"]) == (303, f"/admin/bookings/{booked.id}")
    assert await state(desk, booked.id) == "booked"
    assert (await operator.get("/admin/bookings/find?code=AAAAAA")).status == 422
    assert (await desk.as_role("lawyer").get(f"/admin/bookings/find?code={booked.code}")).status == 422


async def test_the_phones_own_scanner_leads_to_one_button_and_the_next(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, questions=NAME_AND_PHONE)
    booked = await books(desk, made.session, **WHO)
    assert passes.check_in_url(booked.code, desk.console.desk).startswith("https://nuanxin.example/c/")
    page = await operator.reads(f"/admin/bookings/{booked.id}")
    assert "✓ Here" in page
    done = await operator.post(f"/admin/bookings/{booked.id}/here", {"back": "//evil.example"})
    assert done.headers["Location"] == f"/admin/bookings/{booked.id}?done=saved"
    assert await state(desk, booked.id) == "attended"


async def test_the_day_sheet_is_masked_and_names_what_was_answered(desk: Desk) -> None:
    label, choices = {"zh_CN": "尺码", "en": "Size"}, [{"zh_CN": "大", "en": "Large"}]
    size: dict[str, Any] = {"key": "size", "kind": "choice", "label": label, "options": choices}
    operator, made = desk.as_role("operator"), await fair(desk, questions=[*NAME_AND_PHONE, size])
    booked = await books(desk, made.session, **WHO, answers={"size": "大"})
    await session(desk, made.offering, hours=48)
    sheet = await operator.reads("/admin/bookings/day/2026-01-15")
    for part in (booked.code, "王**", "138****0000", "Size", "Large", "河东街"):
        assert part in sheet, part
    for secret in ("王小明", "13812340000"):
        assert secret not in sheet
        assert secret not in await operator.reads(f"/admin/sessions/{made.session}")
        assert secret not in await operator.reads(f"/admin/bookings/{booked.id}")
    assert "There is no session on this day" in await operator.reads("/admin/bookings/day/2026-01-16")
    for nonsense in ("2026-02-30", "0001-01-01", "9999-12-31"):
        assert (await operator.get(f"/admin/bookings/day/{nonsense}")).status == 404


async def test_somebody_without_the_chat_walks_in(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, capacity=1, questions=NAME_AND_PHONE)
    here = f"/admin/sessions/{made.session}/walk-in"
    typed = {"answer_name": "李四", "answer_phone": "139 0000 0000"}
    for wrong, said in (
        (typed, "they must hear how it is kept"),
        ({"agreed": "1", "answer_phone": "12"}, "not a mobile number"),
    ):
        response = await operator.post(here, wrong)
        assert (response.status, said in await response.text()) == (422, True), said
    done = await operator.post(here, typed | {"agreed": "1"})
    assert done.status == 303
    page = await operator.reads(done.headers["Location"])
    for part in ("李**", "139****0000", "✓ here", "without a chat"):
        assert part in page, part
    assert (await row(desk, made.session)).taken == 1
    full = await operator.post(here, typed | {"agreed": "1"})
    assert (full.status, "That time is full" in await full.text()) == (422, True)
    assert await deeds(desk) == [("operator", "booking.walk_in")]
    assert await messages(desk) == []


async def test_a_call_books_a_seat_for_later_and_gives_it_back(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, hours=48, capacity=1)
    done = await operator.post(f"/admin/sessions/{made.session}/walk-in")
    here = done.headers["Location"].partition("?")[0]
    number = int(here.rpartition("/")[2])
    assert await state(desk, number) == "booked"
    assert (await operator.post(f"{here}/here")).status == 422  # not its day
    assert (await operator.post(f"{here}/miss")).status == 422  # nobody is absent yet
    ended = await operator.post(f"{here}/withdraw")
    assert ended.headers["Location"] == f"{here}?done=saved"  # there is nobody whom the program could tell
    assert await state(desk, number) == "cancelled"
    assert (await row(desk, made.session)).taken == 0
    booked = await books(desk, made.session)
    told = await operator.post(f"/admin/bookings/{booked.id}/withdraw")
    assert told.headers["Location"] == f"/admin/bookings/{booked.id}?done=told"
    assert "The staff cancelled your booking" in (await messages(desk))[-1]


async def test_who_did_not_come_is_counted_and_excused(desk: Desk) -> None:
    made = await fair(desk)
    booked = await books(desk, made.session)
    here = f"/admin/bookings/{booked.id}"
    desk.now += timedelta(hours=2, minutes=30)
    operator = await desk.logged_in("operator")
    assert (await operator.post(f"{here}/miss", {"back": "session"})).status == 303
    assert await state(desk, booked.id) == "no_show"
    assert "We missed you" in (await messages(desk))[-1]
    assert "counted against them" in await operator.reads(here)
    assert (await operator.post(f"{here}/excuse")).status == 303
    assert "counted against them" not in await operator.reads(here)
    assert (await operator.post(f"{here}/excuse")).status == 422
    # They were only late.
    assert (await operator.post(f"{here}/here")).status == 303
    assert await state(desk, booked.id) == "attended"


async def test_requests_are_approved_or_declined_and_the_riders_told(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, hours=48, approval=True)
    yes, no = await books(desk, made.session), await books(desk, made.session)
    assert "Bookings to approve: 2" in await operator.reads("/admin/")
    page = await operator.reads("/admin/bookings/pending")
    assert (yes.code in page, no.code in page) == (True, True)
    for booking, deed in ((yes, "approve"), (no, "refuse")):
        done = await operator.post(f"/admin/bookings/{booking.id}/{deed}", {"back": "pending"})
        assert done.headers["Location"] == "/admin/bookings/pending?done=told"
        assert (await operator.post(f"/admin/bookings/{booking.id}/{deed}")).status == 422
    assert [await state(desk, one.id) for one in (yes, no)] == ["booked", "cancelled"]
    approved, refused = (await messages(desk))[-2:]
    assert ("approved" in approved, "not approved" in refused) == (True, True)
    assert "Nothing waits for you" in await operator.reads("/admin/bookings/pending")
    assert (await desk.as_role("lawyer").post(f"/admin/bookings/{yes.id}/refuse")).status == 403


async def test_the_waiting_list_is_shown_in_its_order(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, capacity=1, hours=48)
    booked = await books(desk, made.session)
    at: dict[str, Any] = {"now": desk.now, "desk": desk.console.desk}
    waiting = []
    for _n in range(2):
        person = await rider(desk)
        async with desk.database.writing() as db:
            waiting.append(await waitlist.join(db, person, session_id=made.session, details=Details(), **at))
        desk.now += timedelta(minutes=1)
    page = await operator.reads(f"/admin/sessions/{made.session}")
    assert "2 waiting" in page
    assert page.index(waiting[0].code) < page.index(waiting[1].code)
    assert (await operator.post(f"/admin/bookings/{booked.id}/withdraw")).status == 303
    assert await state(desk, waiting[0].id) == "offered"


async def test_a_phone_is_shown_by_a_click_that_is_recorded(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, questions=NAME_AND_PHONE)
    booked = await books(desk, made.session, **WHO)
    shown = await operator.post(f"/admin/bookings/{booked.id}/phone")
    assert "13812340000" in await shown.text()
    async with desk.database.reading() as db:
        (entry,) = await db.scalars(select(AuditEntry))
    assert (entry.login, entry.action, entry.subject) == ("operator", "person.phone", f"booking:{booked.id}")
    assert "13812340000" not in f"{entry.before}{entry.after}"
    assert "13812340000" not in await operator.reads(f"/admin/bookings/{booked.id}")
    for role in ("editor", "viewer", "approver", "lawyer"):
        assert (await desk.as_role(role).post(f"/admin/bookings/{booked.id}/phone")).status == 403, role


async def test_a_lawyer_reads_the_notes_of_their_own_consultations_and_nobody_else_does(desk: Desk) -> None:
    asked = [{"key": "topic", "kind": "topic"}, {"key": "note", "kind": "note"}, *NAME_AND_PHONE]
    made = await fair(desk, category="legal", questions=asked)
    lawyer, operator, county = (desk.as_role(role) for role in ("lawyer", "operator", "county"))
    async with desk.database.writing() as db:
        (await db.scalars(select(Session))).one().lawyer_id = await lawyer_id(desk)
    other = await session(desk, made.offering, place_id=made.place)
    said: dict[str, Any] = WHO | {"note": "老板不给钱", "answers": {"topic": "wages"}}
    own, foreign = await books(desk, made.session, **said), await books(desk, other, **said | {"phone": "13900000000"})
    page = await lawyer.reads(f"/admin/bookings/{own.id}")
    assert ("Unpaid wages" in page, "Read the note" in page) == (True, True)
    assert "老板不给钱" in await (await lawyer.post(f"/admin/bookings/{own.id}/note")).text()
    assert "13812340000" in await (await lawyer.post(f"/admin/bookings/{own.id}/phone")).text()
    assert await deeds(desk) == [("lawyer", "person.note"), ("lawyer", "person.phone")]
    for booking in (own, foreign):
        for browser in (operator, county):
            page = await browser.reads(f"/admin/bookings/{booking.id}")
            assert ("Unpaid wages" in page, "Read the note" in page) == (False, False)
            assert (await browser.post(f"/admin/bookings/{booking.id}/note")).status == 422
    for path in ("", "/phone", "/note", "/here", "/undo", "/miss"):
        response = await (lawyer.post if path else lawyer.get)(f"/admin/bookings/{foreign.id}{path}")
        assert response.status == 403, path
    sheet = await lawyer.reads("/admin/bookings/day/2026-01-15")
    assert (own.code in sheet, foreign.code in sheet) == (True, False)
    refused = await lawyer.post(DOOR, {"code": foreign.code})
    assert "No booking has that code" in await refused.text()


async def test_a_county_sees_the_bookings_of_its_places_only(desk: Desk) -> None:
    made = await fair(desk, approval=True)
    elsewhere = await session(desk, made.offering, address="别处")
    here, there = await books(desk, made.session), await books(desk, elsewhere)
    county = desk.as_role("county")
    await session(desk, made.offering, hours=24)
    first = await county.reads("/admin/")
    assert ("Bookings to approve: 1" in first, "without a place" in first) == (True, False)
    page = await county.reads("/admin/bookings/pending")
    assert (here.code in page, there.code in page) == (True, False)
    assert (await county.get(f"/admin/bookings/{there.id}")).status == 403
    for deed in ("approve", "refuse", "withdraw", "here", "undo", "miss", "excuse", "phone"):
        assert (await county.post(f"/admin/bookings/{there.id}/{deed}")).status == 403, deed
    assert (await county.post(f"/admin/bookings/{here.id}/approve")).status == 303
    figures = await (await county.get(f"/admin/bookings/figures.csv?offering={made.offering}")).text()
    assert len(figures.splitlines()) == 2


async def test_the_figures_of_an_offering_as_a_page_and_a_file(desk: Desk) -> None:
    made = await fair(desk, capacity=4, title="=体检")
    at: dict[str, Any] = {"now": desk.now, "desk": desk.console.desk}
    came, missed, _third = [await books(desk, made.session) for _n in range(3)]
    async with desk.database.writing() as db:
        await db.execute(update(Booking).where(Booking.id == missed.id).values(state="no_show"))
        await bookings.check_in(db, desk.as_role("operator").member.id, code=came.code, **at)
        assert came.rider_id
        await bookings.rate(db, came.rider_id, booking_id=came.id, stars=4)
        await bookings.remark(db, came.rider_id, booking_id=came.id, text="<b>等得久</b>", desk=desk.console.desk)
    for address in (f"/admin/bookings/figures?offering={made.offering}", f"/admin/bookings/{came.id}"):
        assert "★★★★" in (page := await desk.as_role("operator").reads(address)), address
        assert "&lt;b&gt;等得久" in page
    assert "等得久" not in await desk.as_role("viewer").reads(f"/admin/bookings/figures?offering={made.offering}")
    viewer = desk.as_role("viewer")
    page = await viewer.reads("/admin/bookings/figures")
    assert "=体检" in page
    text = (await (await viewer.get("/admin/bookings/figures.csv")).read()).decode("utf-8-sig")
    head, line = text.splitlines()
    assert head == "code,title,sessions,seats,booked,attended,no_show,waiting,cancelled,ratings,rating"
    assert re.fullmatch(r"check-\d+,'=体检,1,4,3,1,1,0,0,1,4.0", line)
    text = await (await viewer.get(f"/admin/bookings/figures.csv?offering={made.offering}")).text()
    assert text.splitlines()[1].endswith(",4,3,1,1,0,0,1,4.0")
    past = await viewer.reads("/admin/bookings/figures?since=2025-01-01&until=2025-02-01")
    assert "No session in that time" in past
    assert (await desk.as_role("lawyer").get("/admin/bookings/figures")).status == 403
    # Who looks after content sees how full a session is, and nobody in it.
    content = await desk.as_role("editor").reads(f"/admin/sessions/{made.session}")
    assert ("3 of 4 seats taken" in content, came.code in content) == (True, False)


async def test_pages_of_bookings_ask_no_more_for_more_people(desk: Desk) -> None:
    operator, made = desk.as_role("operator"), await fair(desk, capacity=50, approval=True)
    pages = (
        "/admin/bookings",
        "/admin/bookings/pending",
        "/admin/bookings/day/2026-01-15",
        f"/admin/sessions/{made.session}",
        f"/admin/sessions/{made.session}/cancel",
        "/admin/bookings/figures",
        f"/admin/bookings/figures?offering={made.offering}",
    )
    await books(desk, made.session)
    numbers = []
    for _turn in range(2):
        asked = []
        for path in pages:
            with counted(desk.database) as seen:
                await operator.reads(path)
            asked.append(len(seen))
        numbers.append(asked)
        for n in range(6):
            await books(desk, made.session)
            await session(desk, made.offering, hours=n + 1)
    assert numbers[0] == numbers[1], list(zip(pages, *numbers, strict=True))
    async with desk.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(Booking)) == 13


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_numbers_that_are_none_are_no_pages(desk: Desk) -> None:
    operator = desk.as_role("operator")
    assert (await operator.get("/admin/bookings/999999")).status == 422
    assert (await operator.get("/admin/bookings/figures?since=9999-99-99&until=x&offering=y&page=z")).status == 200
    assert (await operator.get("/admin/sessions?from=9999-12-31&view=century")).status == 200
