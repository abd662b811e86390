"""What all tables share."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Date, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass

from bot.database import UtcDateTime

# SQLite gives row numbers only to a column of exactly type INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Base(MappedAsDataclass, DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        dict[str, Any]: JSON,
        list[str]: JSON,
        list[Any]: JSON,
        datetime: UtcDateTime,
        date: Date,
    }
