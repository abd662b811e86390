"""A rider at the desk: found by their code alone, shown, handed over, erased; and all of it in the audit."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.models import AuditEntry, Base, Booking, Consent, Contact, Offering, Outbound, Place, PlaceReport, Rider
from bot.models import Session as SessionRow
from bot.services import people
from bot.services.seating import private
from tests.web.admin.conftest import COUNTY, Browser, Desk
from tests.web.admin.test_figures import counted
from tests.web.admin.test_places import ELSEWHERE

HERE = "/admin/people"
PHONE, NAME = "13800001234", "王小明"


async def rides(desk: Desk, *, user: str = "u1", county: str = COUNTY) -> int:
    """A rider with a chat, a report and a consent."""
    async with desk.database.writing() as db:
        rider = Rider(created_at=desk.now, vehicle="truck", county=county)
        place = Place(code=f"P-{user}", name="驿站<i>", kind="rest_station", county=county, updated_at=desk.now)
        db.add_all((rider, place))
        await db.flush()
        contact = Contact(rider.id, channel="buttons", user=user, locale="zh_CN", created_at=desk.now)
        db.add_all((contact, PlaceReport(place.id, rider_id=rider.id, what="locked", at=desk.now)))
        db.add(Consent(rider.id, purpose="booking", version=1, given_at=desk.now))
        await db.flush()
        db.add(Outbound(contact.id, "buttons", "answer", f"k{user}", {"text": "您好"}, at=desk.now, due=desk.now))
        return rider.id


async def books(desk: Desk, rider_id: int, code: str, *, county: str = COUNTY, number: str = "1") -> int:
    """A booking of theirs at a place of that county."""
    async with desk.database.writing() as db:
        place = Place(code=f"V-{code}", name="场馆", kind="venue", county=county, updated_at=desk.now)
        offering = Offering(code=f"o{code}", category="health", title="体检<b>", updated_at=desk.now)
        db.add_all((place, offering))
        await db.flush()
        start = desk.now + timedelta(days=2)
        session = SessionRow(
            f"s{code}",
            offering_id=offering.id,
            starts_at=start,
            capacity=5,
            ends_at=start + timedelta(hours=1),
            place_id=place.id,
            taken=1,
        )
        db.add(session)
        await db.flush()
        sealed = private.sealed(private.Details(NAME, PHONE, answers={"q": "yes"}), desk.seals)
        booking = Booking(code, rider_id, session.id, offering.id, "booked", desk.now, **sealed)
        db.add(booking)
        await db.flush()
        return booking.id


async def own_code(desk: Desk, rider_id: int) -> str:
    async with desk.database.writing() as db:
        return await people.issue(db, rider_id, now=desk.now, desk=desk.console.desk)


async def looks_up(browser: Browser, code: str) -> tuple[int, str]:
    response = await browser.post(HERE, {"code": code})
    return response.status, await response.text()


async def opens(browser: Browser, code: str) -> tuple[str, str]:
    """The page of whoever gave the code, and what its forms carry."""
    status, page = await looks_up(browser, code)
    assert status == 200, page
    token = re.search(r'name="person" value="([^"]+)"', page)
    return page, token[1] if token else ""


async def audited(desk: Desk) -> list[tuple[str, str, str]]:
    async with desk.database.reading() as db:
        rows = await db.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(row.login, row.action, row.subject) for row in rows]


async def kept_rows(desk: Desk, table: type[Base]) -> int:
    async with desk.database.reading() as db:
        return await db.scalar(select(func.count()).select_from(table)) or 0


async def test_somebody_is_found_by_their_code_and_seen_masked(desk: Desk) -> None:
    rider_id = await rides(desk)
    await books(desk, rider_id, "ACDE34")
    operator = desk.as_role("operator")
    page, _token = await opens(operator, " acd-e34 ")
    for part in ("Vehicle: 🚚 Truck", "Reports of places: 1", "驿站&lt;i&gt;", "体检&lt;b&gt;", "138****1234"):
        assert part in page, part
    for secret in (PHONE, NAME, "Erase this person"):
        assert secret not in page, secret
    code = await own_code(desk, rider_id)
    page, _token = await opens(operator, code)
    assert "With us since" in page
    # It works once, and an address tells nothing.
    assert (await looks_up(operator, code))[0] == 422
    assert (await operator.get(f"{HERE}?code=ACDE34")).status == 200
    assert "With us since" not in await operator.reads(f"{HERE}?code=ACDE34")
    late = await own_code(desk, rider_id)
    desk.now += people.CODE_LIVES
    assert (await looks_up(operator, late))[0] == 422
    found, nobody = ("operator", "person.look_up", f"person:{rider_id}"), ("operator", "person.look_up", people.NOBODY)
    assert await audited(desk) == [found, found, nobody, nobody]


async def test_a_number_is_opened_by_a_click_that_the_audit_shows(desk: Desk) -> None:
    rider_id = await rides(desk)
    booking = await books(desk, rider_id, "ACDE34")
    other = await books(desk, await rides(desk, user="u2"), "CDEF34")
    operator = desk.as_role("operator")
    _page, token = await opens(operator, "ACDE34")
    response = await operator.post(f"{HERE}/phone", {"person": token, "booking": booking})
    page = await response.text()
    assert (response.status, PHONE in page, NAME in page) == (200, True, False)
    assert (await audited(desk))[-1] == ("operator", "person.phone", f"booking:{booking}")
    assert PHONE not in str(await audited(desk))
    # Nobody else's booking, nobody else's token, no token that is made up, none that is old.
    assert (await operator.post(f"{HERE}/phone", {"person": token, "booking": other})).status == 422
    assert (await operator.post(f"{HERE}/phone", {"person": token, "booking": "x"})).status == 400
    for browser, sent in ((desk.as_role("admin"), token), (operator, f"1-{rider_id}-9999999999.x"), (operator, "")):
        assert (await browser.post(f"{HERE}/phone", {"person": sent, "booking": booking})).status == 422
    desk.now += people.OPEN_FOR
    assert (await operator.post(f"{HERE}/phone", {"person": token, "booking": booking})).status == 422


async def test_those_of_a_county_see_bookings_of_their_county(desk: Desk) -> None:
    rider_id = await rides(desk, county=ELSEWHERE)
    await books(desk, rider_id, "ACDE34")
    away = await books(desk, rider_id, "CDEF34", county=ELSEWHERE)
    county = desk.as_role("county")
    assert (await looks_up(county, "CDEF34"))[0] == 422
    page, token = await opens(county, "ACDE34")
    assert "ACDE34" in page
    assert "CDEF34" not in page
    assert (await county.post(f"{HERE}/phone", {"person": token, "booking": away})).status == 403
    for path in ("export", "erase"):
        assert (await county.post(f"{HERE}/{path}", {"person": token, "sure": "1"})).status == 403


async def test_what_is_kept_is_handed_over_whole(desk: Desk) -> None:
    rider_id = await rides(desk)
    await books(desk, rider_id, "ACDE34")
    await books(desk, await rides(desk, user="u2"), "CDEF34")
    admin = desk.as_role("admin")
    _page, token = await opens(admin, "ACDE34")
    response = await admin.post(f"{HERE}/export", {"person": token})
    assert response.headers["Content-Disposition"] == 'attachment; filename="person.json"'
    file: dict[str, list[dict[str, Any]]] = json.loads(await response.text())
    assert file.keys() == {table.name for table in people.personal_tables()}
    assert {"riders", "contacts", "bookings", "place_reports", "consents", "outbox", "notice_wishes"} <= file.keys()
    [booking] = file["bookings"]
    assert (booking["name"], booking["phone"], booking["answers"]) == (NAME, PHONE, {"q": "yes"})
    assert [row["user"] for row in file["contacts"]] == ["u1"]
    assert [row["vehicle"] for row in file["riders"]] == ["truck"]
    assert file["outbox"][0]["message"] == {"text": "您好"}
    assert "hash" not in str(list(booking))
    assert (await audited(desk))[-1] == ("admin", "person.export", f"person:{rider_id}")


async def test_somebody_who_asks_for_it_is_erased(desk: Desk) -> None:
    rider_id = await rides(desk)
    await books(desk, rider_id, "ACDE34")
    await rides(desk, user="u2")
    changed: list[str] = []
    object.__setattr__(desk.console, "person_changed", changed.append)
    admin = desk.as_role("admin")
    _page, token = await opens(admin, "ACDE34")
    unsure = await admin.post(f"{HERE}/erase", {"person": token})
    assert (unsure.status, await kept_rows(desk, Rider)) == (422, 2)
    assert (await admin.post(f"{HERE}/erase", {"person": token, "sure": "1"})).status == 303
    assert (await kept_rows(desk, Rider), await kept_rows(desk, Contact)) == (1, 1)
    assert changed == ["buttons:u1"]
    async with desk.database.reading() as db:
        booking = await db.scalar(select(Booking))
        assert booking
        assert (booking.rider_id, booking.state, booking.phone, booking.name) == (None, "cancelled", None, None)
    assert (await audited(desk))[-1] == ("admin", "person.erase", f"person:{rider_id}")
    for path in ("export", "erase"):
        assert (await admin.post(f"{HERE}/{path}", {"person": token, "sure": "1"})).status == 422
    assert (await looks_up(admin, "ACDE34"))[0] == 422


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_codes_are_not_found_by_trying(desk: Desk) -> None:
    await books(desk, await rides(desk), "ACDE34")
    operator = desk.as_role("operator")
    for n in range(people.MOST_TRIES):
        assert (await looks_up(operator, f"AAAA{n:02}"))[0] == 422
    status, page = await looks_up(operator, "ACDE34")
    assert (status, "Too many codes" in page) == (422, True)
    assert (await looks_up(desk.as_role("admin"), "ACDE34"))[0] == 200
    desk.now += people.TRIES_COUNT_FOR
    assert (await looks_up(operator, "ACDE34"))[0] == 200
    for odd in ("", "%", "_", "' OR 1=1 --", "长" * 9999):
        assert (await looks_up(operator, odd))[0] == 422, odd


async def test_many_tries_at_once_are_no_more_than_one_after_the_other(desk: Desk) -> None:
    operator = desk.as_role("operator")
    await asyncio.gather(*(looks_up(operator, f"AAAA{n:02}") for n in range(3 * people.MOST_TRIES)))
    tried = [subject for _login, _action, subject in await audited(desk)]
    assert tried == [people.NOBODY] * people.MOST_TRIES


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_more_bookings_take_no_more_questions(desk: Desk) -> None:
    rider_id = await rides(desk)
    asked = []
    for codes in (("ACDE34",), ("CDEF34", "DEFG34", "EFGH34")):
        for code in codes:
            await books(desk, rider_id, code)
        with counted(desk.database) as seen:
            await opens(desk.as_role("operator"), "ACDE34")
        asked.append(len(seen))
    assert asked[0] == asked[1]
