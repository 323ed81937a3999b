"""The tables of what decisions say of reporters, and of the cases that this changes."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text, TypedColumns

from flagrank.storage.dialect import Identifier, Moment
from flagrank.storage.tables import metadata


class ReporterTallyColumns(TypedColumns):
    """One row a reporter and reason: their decided cases in the window, weighed as of `counted_at`."""

    reporter_id = Column(Text, primary_key=True)
    reason = Column(Text, primary_key=True)
    decided = Column(Double, nullable=False)
    actioned = Column(Double, nullable=False)
    counted_at: Column[datetime] = Column(Moment, nullable=False)
    oldest_at: Column[datetime] = Column(Moment, nullable=False)  # the outcome that leaves the window first


reporter_tally = Table("reporter_tally", metadata, ReporterTallyColumns)
Index("reporter_tally_oldest", reporter_tally.c.oldest_at)


class ReporterGroupColumns(TypedColumns):
    """One row a reporter in step with others: they speak with one voice."""

    reporter_id = Column(Text, primary_key=True)
    name = Column(Text, nullable=False)
    found_at: Column[datetime] = Column(Moment, nullable=False)


reporter_group = Table("reporter_group", metadata, ReporterGroupColumns)
Index("reporter_group_name", reporter_group.c.name)


class OutcomeCountColumns(TypedColumns):
    """How many cases of a reason were decided on a day, and how many of them actioned."""

    day = Column(Integer, primary_key=True, autoincrement=False)  # since 1970
    reason = Column(Text, primary_key=True)
    decided = Column(BigInteger, nullable=False)
    actioned = Column(BigInteger, nullable=False)


outcome_count = Table("outcome_count", metadata, OutcomeCountColumns)


class StaleCaseColumns(TypedColumns):
    """An open case of a reporter of whom the store knows something new."""

    case_id = Column(Identifier, primary_key=True)


stale_case = Table("stale_case", metadata, StaleCaseColumns)
