"""Taking part in an election: register, heartbeat, claim, renew and resign.

Each step is a function of a dump of the database. It reads the records that it needs and records
what a transaction must do: the reads that must conflict, and the mutations. It changes nothing
itself. A step that is not possible raises Refused.

A candidate keeps what it has seen of the leader in its own record, in its notes, so a process
that runs one step remembers nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import UUID

from records import (
    NOBODY,
    Candidate,
    Config,
    Event,
    Leader,
    Notes,
    Notice,
    Seen,
    Term,
    Unreadable,
    decode,
    encode,
    encode_template,
)
from tuples import NO_STAMP, Stamp, pack, pack_template

Record = TypeVar("Record")

Dump = dict[bytes, bytes]
Read = Callable[..., Any]  # Transaction.read or Transaction.snapshot

NO_LEADER = Leader(0, 0, "", NOBODY, 0, 0, 0, NO_STAMP, 0, False, NOBODY, Leader.VACANCY)
NOTHING_SEEN = Seen(0, NOBODY, 0, 0, 0, 0, 0)

GAP = 1 << 40  # no tenure makes so many renewals


class Lost(Leader):
    """Stands in for a leader record that was lost, with what the term record says."""


class Refused(Exception):
    """The step is not possible now."""


@dataclass(frozen=True)
class Identity:
    id: str
    incarnation: UUID


@dataclass(frozen=True)
class Now:
    """The time of a step. The clock is never set, and is read after the dump was read."""

    wall: int
    clock: int
    run: UUID  # names one run of the clock


@dataclass(frozen=True)
class Operation:
    name: str
    key: bytes
    value: bytes | None = None


@dataclass
class Transaction:
    """The reads of a dump and the operations that follow from them."""

    dump: Dump
    prefix: bytes
    operations: list[Operation] = field(default_factory=list)

    def snapshot(self, kind: type[Record], *suffix: object) -> Record | None:
        """Read a record without a read conflict. A record that cannot be read refuses the step."""
        try:
            value = self.dump.get(self.key(*suffix))
            return None if value is None else decode(kind, value)
        except Unreadable as error:
            raise Refused(f"the record {suffix} cannot be read: {error}") from error

    def read(self, kind: type[Record], *suffix: object) -> Record | None:
        self.conflict(*suffix)
        return self.snapshot(kind, *suffix)

    def conflict(self, *suffix: object) -> None:
        """Add a read conflict on a key whose value does not matter, or cannot be read."""
        key = self.key(*suffix)
        self.operations.append(Operation("read", key, self.dump.get(key)))

    def set(self, record: object, *suffix: object) -> None:
        self.operations.append(Operation("set", self.key(*suffix), encode(record)))

    def clear(self, *suffix: object) -> None:
        self.operations.append(Operation("clear", self.key(*suffix)))

    def set_stamped_value(self, record: object, *suffix: object) -> None:
        self.operations.append(Operation("set_versionstamped_value", self.key(*suffix), encode_template(record)))

    def set_stamped_key(self, *suffix: object) -> None:
        self.operations.append(Operation("set_versionstamped_key", pack_template(suffix, self.prefix), b""))

    def key(self, *suffix: object) -> bytes:
        return pack(suffix, self.prefix)


@dataclass(frozen=True)
class Registration:
    """What a candidate says of itself."""

    priority: int = 0
    voter: bool = True
    metadata: dict[str, str] = field(default_factory=dict)
    not_ready: str | None = None  # why it is not ready


def register(tr: Transaction, me: Identity, now: Now, registration: Registration) -> None:
    """Enter a candidate."""
    _config(tr)
    existing = tr.read(Candidate, "candidates", me.id)
    if existing and existing.incarnation == me.incarnation:
        return  # by an earlier run of this step
    if existing:
        raise Refused(f"another process is registered under this id: {existing.incarnation}")
    candidate = Candidate(
        priority=registration.priority,
        last_heartbeat=now.wall,
        heartbeats=1,
        registration=Stamp(),
        incarnation=me.incarnation,
        voter=registration.voter,
        metadata=registration.metadata,
        readiness=registration.not_ready,
    )
    tr.set_stamped_value(candidate, "candidates", me.id)
    if candidate.voter and candidate.ready:
        tr.set_stamped_key("rank", -candidate.priority, Stamp(), me.id)
    tr.set(Notice(me.incarnation, candidate.heartbeats, now.wall), "notice", Notice.CANDIDATES)


def heartbeat(tr: Transaction, me: Identity, now: Now) -> None:
    """Show that the process is alive, and note what it sees of the leader."""
    config = _config(tr)
    candidate = _candidate(tr, me)
    notes = current(candidate.notes, now)
    leader = _leader_if_readable(tr, config)
    if leader and not _held(leader, me):
        notes = replace(notes, leader=observe(notes.leader, leader, now.clock))
    written = replace(candidate, last_heartbeat=now.wall, heartbeats=candidate.heartbeats + 1, notes=notes)
    tr.set(written, "candidates", me.id)


def claim(tr: Transaction, me: Identity, now: Now, nonce: UUID) -> None:
    """Begin a tenure, if leadership is vacant or its lease has expired. The nonce is a new one."""
    config = _enabled(tr)
    leader = _leader(tr, config, tr.read)
    candidate = _candidate(tr, me)
    tr.conflict("intent")
    if leader.nonce == nonce and _held(leader, me):
        return  # by an earlier run of this step
    if not candidate.voter:
        raise Refused("an observer does not claim")
    if not candidate.ready:
        raise Refused("the candidate is not ready")
    reason = _may_claim(config, leader, candidate.notes, me, now)
    new = Leader(
        ballot=leader.ballot + 1,
        term=leader.term + 1,
        id=me.id,
        incarnation=me.incarnation,
        priority=candidate.priority,
        expiry=now.wall + config.lease,
        lease=config.lease,
        registration=candidate.registration,
        acquired_at=now.wall,
        accepted=True,
        nonce=nonce,
        reason=reason,
    )
    _change_tenure(tr, new, Term(new.term, me.id, me.incarnation, nonce, True, new.ballot))
    event = Event(
        leader.id, leader.incarnation, me.id, me.incarnation, Leader.REASONS[reason], new.ballot, now.wall, nonce
    )
    _record(tr, config, new.term, Event.BEGAN, event)


def renew(tr: Transaction, me: Identity, now: Now) -> None:
    """Extend the lease of the own tenure. The first renewal accepts a leadership that was handed over."""
    config = _enabled(tr)
    leader = _leader(tr, config, tr.read)
    candidate = _candidate(tr, me)
    if not _held(leader, me):
        raise Refused(describe(leader))
    if not candidate.voter:
        raise Refused("an observer resigns")
    if not candidate.ready and not leader.accepted:
        raise Refused("a candidate that is not ready does not accept leadership")
    lost = isinstance(leader, Lost)
    if not lost and leader.accepted and now.wall >= leader.expiry:
        raise Refused("the lease is over: claim again")
    new = replace(
        leader,
        ballot=leader.ballot + 1,
        priority=candidate.priority,
        expiry=now.wall + config.lease,
        lease=config.lease,
        registration=candidate.registration,
        acquired_at=now.wall if lost or not leader.accepted else leader.acquired_at,
        accepted=True,
    )
    tr.set(new, "leader")
    if lost:
        tr.set(Term(new.term, me.id, me.incarnation, new.nonce, True, new.ballot), "term")
    if lost or not leader.accepted:
        tr.set(Notice(new.nonce, new.ballot), "notice", Notice.LEADER)


def resign(tr: Transaction, me: Identity, now: Now) -> None:
    """End the own tenure and leave leadership vacant. The work of the leader has ended before."""
    config = _readable_config(tr)
    leader = _leader(tr, config, tr.read)
    tr.conflict("intent")
    tr.conflict("candidates", me.id)
    if not _held(leader, me):
        raise Refused(describe(leader))
    vacant = Leader(
        ballot=leader.ballot + 1,
        term=leader.term,
        id="",
        incarnation=NOBODY,
        priority=0,
        expiry=now.wall,
        lease=0,
        registration=NO_STAMP,
        acquired_at=now.wall,
        accepted=False,
        nonce=leader.nonce,
        reason=Leader.VACANCY,
    )
    _change_tenure(tr, vacant, Term(leader.term, me.id, me.incarnation, leader.nonce, False, vacant.ballot))
    event = Event(me.id, me.incarnation, "", NOBODY, "resigned", vacant.ballot, now.wall, leader.nonce)
    _record(tr, config, leader.term, Event.ENDED, event)


def current(notes: Notes | None, now: Now) -> Notes:
    """Return the notes, or new ones if they are void."""
    if notes is None or notes.run != now.run or notes.latest() > now.clock:
        return Notes(now.run, now.clock, 0, 0, None, None)
    return notes


def observe(seen: Seen | None, leader: Leader, clock: int) -> Seen:
    """Return what a candidate has seen of the leader record after it has read it again."""
    seen = seen or NOTHING_SEEN
    if leader.ballot < seen.ballot:  # the records were removed, or restored from a backup
        seen = replace(NOTHING_SEEN, lease=seen.lease, lost_at=clock)
    if not seen.term_since or (seen.term, seen.nonce) != (leader.term, leader.nonce):
        seen = replace(seen, term=leader.term, nonce=leader.nonce, term_since=clock, ballot=leader.ballot, ballot_since=clock)
    if leader.ballot != seen.ballot:
        seen = replace(seen, ballot=leader.ballot, ballot_since=clock)
    if leader.vacant:
        return seen
    may_still_lead = isinstance(leader, Lost) or seen.lost_at and clock - seen.lost_at < seen.lease
    return replace(seen, lease=max(seen.lease, leader.lease) if may_still_lead else leader.lease)


def describe(leader: Leader) -> str:
    if leader.vacant:
        return "leadership is vacant"
    return f"{leader.id!a} holds leadership in term {leader.term}"


def _may_claim(config: Config, leader: Leader, notes: Notes | None, me: Identity, now: Now) -> int:
    """Return the reason for which a candidate may begin a tenure."""
    if _held(leader, me):
        if isinstance(leader, Lost) or not leader.accepted or now.wall < leader.expiry:
            raise Refused("it holds leadership: renew it")
        return Leader.RECLAIM
    notes = current(notes, now)
    if now.clock < notes.holds_off_until:
        raise Refused("the candidate has resigned on request, and holds off")
    seen = observe(notes.leader, leader, now.clock)
    if seen.lost_at and now.clock - seen.lost_at < max(seen.lease, config.lease):
        raise Refused("the leader of lost records may still lead")
    if leader.vacant:
        return Leader.VACANCY
    if config.expiry == Config.BY_CLOCK and not isinstance(leader, Lost):
        expired = now.wall >= leader.expiry
    else:
        lease = max(leader.lease, seen.lease) if isinstance(leader, Lost) else leader.lease
        expired = now.clock - seen.ballot_since >= lease
    if not expired:
        raise Refused(f"{describe(leader)}, and its lease has not expired")
    return Leader.EXPIRY


def _config(tr: Transaction) -> Config:
    return _initialised(tr.snapshot(Config, "config"))


def _enabled(tr: Transaction) -> Config:
    config = _initialised(tr.read(Config, "config"))
    if not config.enabled:
        raise Refused("the election is disabled")
    return config


def _readable_config(tr: Transaction) -> Config | None:
    try:
        return tr.snapshot(Config, "config")
    except Refused:
        return None


def _initialised(config: Config | None) -> Config:
    if config is None:
        raise Refused("the election is not initialised")
    return config


def _candidate(tr: Transaction, me: Identity) -> Candidate:
    candidate = tr.read(Candidate, "candidates", me.id)
    if candidate is None:
        raise Refused("the candidate is not registered")
    if candidate.incarnation != me.incarnation:
        raise Refused(f"another process is registered under this id: {candidate.incarnation}")
    return candidate


def _leader(tr: Transaction, config: Config | None, read: Read) -> Leader:
    """Return the leader record. If it was lost, the term record stands in for it."""
    leader = read(Leader, "leader")
    if leader is not None:
        return leader
    term = read(Term, "term")
    if term is None:
        return NO_LEADER
    lost = replace(NO_LEADER, ballot=max(term.ballot, term.term) + GAP, term=term.term, nonce=term.nonce)
    if term.held:
        lost = replace(lost, id=term.id, incarnation=term.incarnation, accepted=True, lease=config.lease if config else 0)
    return Lost(**vars(lost))


def _leader_if_readable(tr: Transaction, config: Config) -> Leader | None:
    try:
        return _leader(tr, config, tr.snapshot)
    except Refused:
        return None


def _held(leader: Leader, me: Identity) -> bool:
    return (leader.id, leader.incarnation) == (me.id, me.incarnation)


def _change_tenure(tr: Transaction, leader: Leader, term: Term) -> None:
    """Write the records of a tenure that begins or ends. The request was about the tenure before."""
    tr.set(leader, "leader")
    tr.set(term, "term")
    tr.set(Notice(term.nonce, term.ballot), "notice", Notice.LEADER)
    tr.clear("intent")


def _record(tr: Transaction, config: Config | None, term: int, kind: int, event: Event) -> None:
    """Write an event. If a term began, remove those of the term that leaves the history."""
    limit = config.history_limit if config else 0
    if limit == 0:
        return
    tr.set(event, "history", term, kind)
    if kind == Event.BEGAN and term >= limit:
        for old in (Event.BEGAN, Event.ENDED, Event.DUPLICATE):
            tr.clear("history", term - limit, old)
