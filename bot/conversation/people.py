"""What we know of the person who speaks: a bounded copy in memory, the truth in the database."""

from collections import OrderedDict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.turn import Person
from bot.database import insert
from bot.i18n import spoken
from bot.messages import Address, Incoming
from bot.models import Contact, Rider, Talk


class People:
    """Copies of the people who spoke last, dropped when they change here or, by notice, elsewhere."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._known: OrderedDict[Address, Person] = OrderedDict()

    def get(self, address: Address) -> Person | None:
        return self._known.get(address)

    def keep(self, person: Person) -> None:
        self._known[person.address] = person
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self, address: Address) -> None:
        self._known.pop(address, None)

    def forget_all(self) -> None:
        self._known.clear()


async def find(db: AsyncSession, address: Address) -> Person | None:
    """The person at `address`, if they ever spoke to us."""
    return await _find(db, address, lock=False)


async def find_and_lock(db: AsyncSession, heard: Incoming, now: datetime) -> Person:
    """The person who speaks, made if they are new; until `db` ends, no other process answers them."""
    address = heard.sender
    person = await _find(db, address, lock=True)
    if person is not None:
        return person
    await _make(db, heard, now)
    made = await _find(db, address, lock=True)
    assert made is not None
    return Person(made.contact_id, made.rider_id, address, made.locale, is_new=True)


async def _find(db: AsyncSession, address: Address, *, lock: bool) -> Person | None:
    wanted = (
        select(Contact.id, Contact.rider_id, Contact.locale, Contact.stopped_at, Rider.vehicle, Rider.county)
        .join(Rider, Rider.id == Contact.rider_id)
        .where(Contact.channel == address.channel, Contact.user == address.user)
    )
    # The open dialog is read after the lock is held: read in one statement, it could be older than the lock.
    row = (await db.execute(wanted.with_for_update(of=Contact) if lock else wanted)).first()
    if row is None:
        return None
    dialog = await db.scalar(select(Talk.dialog).where(Talk.contact_id == row.id))
    return Person(
        contact_id=row.id,
        rider_id=row.rider_id,
        address=address,
        locale=row.locale,
        vehicle=row.vehicle,
        county=row.county,
        dialog=bool(dialog),
        stopped=row.stopped_at is not None,
    )


async def _make(db: AsyncSession, heard: Incoming, now: datetime) -> None:
    rider = Rider(created_at=now)
    db.add(rider)
    await db.flush()
    made = await db.execute(
        insert(db, Contact)
        .values(
            rider_id=rider.id,
            channel=heard.sender.channel,
            user=heard.sender.user,
            locale=spoken(heard.locale),
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Contact.id)
    )
    if made.first() is None:
        await db.delete(rider)
        await db.flush()
