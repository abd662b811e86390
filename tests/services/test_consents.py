"""Consent is asked for by itself, kept, and as easy to withdraw as to give."""

import pytest
from sqlalchemy import select

from bot.models import Consent
from bot.services import bookings, consents
from bot.services.bookings import Details
from tests.services.clinic import Clinic

ASKED = [{"key": "name", "kind": "name"}, {"key": "phone", "kind": "phone"}, {"key": "note", "kind": "note"}]


async def test_given_and_withdrawn_with_version_and_time(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    assert not await clinic.does(consents.given, mei, consents.BOOKING)
    for _twice in range(2):
        await clinic.does(consents.give, mei, consents.BOOKING)
    assert await clinic.does(consents.given, mei, consents.BOOKING)
    assert not await clinic.does(consents.given, li, consents.BOOKING)
    assert not await clinic.does(consents.given, mei, "something else")
    clinic.passes(days=1)
    await clinic.does(consents.withdraw, mei, consents.BOOKING)
    assert not await clinic.does(consents.given, mei, consents.BOOKING)
    async with clinic.database.reading() as db:
        (kept,) = (await db.scalars(select(Consent))).all()
    assert (kept.version, kept.withdrawn_at) == (consents.VERSION, clinic.now)


async def test_new_words_are_asked_anew(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    mei = await clinic.rider()
    await clinic.agrees(mei)
    monkeypatch.setattr(consents, "VERSION", consents.VERSION + 1)
    assert not await clinic.does(consents.given, mei, consents.BOOKING)


async def test_withdrawing_erases_and_the_booking_stands(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    session = await clinic.session(await clinic.offering(questions=ASKED), capacity=2)
    booked = []
    for rider in (mei, li):
        await clinic.agrees(rider)
        booked.append(await clinic.books(rider, session, Details("王", f"1381234000{rider}", "腰疼")))
    await clinic.does(consents.withdraw, mei, consents.BOOKING)
    assert await clinic.does(bookings.details_of, mei, booking_id=booked[0].id) == Details()
    assert await clinic.state(booked[0].id) == "booked"
    assert (await clinic.does(bookings.details_of, li, booking_id=booked[1].id)).note == "腰疼"


async def test_what_is_optional_may_be_left_out_without_consent(clinic: Clinic) -> None:
    mei = await clinic.rider()
    session = await clinic.session(await clinic.offering(questions=[ASKED[0], ASKED[2]]))
    assert (await clinic.books(mei, session)).state == "booked"
