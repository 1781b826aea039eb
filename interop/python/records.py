"""The records of elections and groups, as docs/format.md describes them.

Each record is a dataclass whose fields are the elements of its value, in order, after the format
version. ELECTION and GROUP say which key has which record.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar
from uuid import UUID

from tuples import CODES, NESTED, Broken, Stamp, pack, pack_template, unpack_some

FORMAT = 1  # the format version that this program reads and writes
NOBODY = UUID(int=0)
SECOND = 10**9

MAX_NAME_BYTES = 255
MAX_REASON_BYTES = 255
MAX_METADATA_BYTES = 8192
MIN_LEASE = SECOND // 1000
MAX_HISTORY = 10_000


class Unreadable(ValueError):
    """A record is damaged."""


class Newer(Unreadable):
    """A newer program has written the record."""


# The kinds of elements.


@dataclass(frozen=True)
class Kind:
    """How an element is read and written. Both raise Unreadable for what the kind does not allow."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    optional_tuple: bool = False  # if there is no tuple in its place, it and all after it are missing


def plain(name: str, fits: Callable[[Any], bool]) -> Kind:
    def check(value: Any) -> Any:
        if not fits(value):
            found = value.problem if isinstance(value, Broken) else f"{type(value).__name__} {value!a:.40}"
            raise Unreadable(f"{name} expected: {found}")
        return value

    return Kind(check, check)


def integer(name: str, least: int, most: int) -> Kind:
    return plain(name, lambda value: type(value) is int and least <= value <= most)


def is_name(value: object) -> bool:
    """Report whether value may be the id of a candidate or a member, or the name of a shard."""
    return is_text(value, MAX_NAME_BYTES) and value != "" and "Cc" not in map(unicodedata.category, value)


def is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value.encode(errors="replace")) <= most


INT = integer("an int", -(1 << 63), (1 << 63) - 1)
INT32 = integer("an int of 32 bits", -(1 << 31), (1 << 31) - 1)
COUNT = integer("a count", 0, (1 << 62) - 1)
TIME = INT  # a writer stays within 2^62
DURATION = integer("a duration", 0, 365 * 24 * 3600 * SECOND)
TEXT = plain("a text", lambda value: isinstance(value, str))
NAME = plain("a name", is_name)
UUID_KIND = plain("a uuid", lambda value: isinstance(value, UUID))
STAMP = plain("a versionstamp", lambda value: isinstance(value, Stamp))
BOOL = plain("a bool", lambda value: isinstance(value, bool))


def read_metadata(element: Any) -> dict[str, str]:
    if not isinstance(element, tuple) or len(element) % 2 or not all(isinstance(text, str) for text in element):
        raise Unreadable("pairs of texts expected")
    return dict(zip(element[::2], element[1::2]))


def write_metadata(metadata: dict[str, str]) -> tuple:
    if sum(len(text.encode()) for pair in metadata.items() for text in pair) > MAX_METADATA_BYTES:
        raise Unreadable(f"they have more than {MAX_METADATA_BYTES} bytes")
    return tuple(text for pair in sorted(metadata.items()) for text in pair)


METADATA = Kind(read_metadata, write_metadata)


def read_readiness(element: tuple | Broken) -> str | Stamp | None:
    """Return why the candidate is not ready, or since when it is ready again, or None."""
    match element:
        case ():
            return None
        case (Stamp() as since, *_) if since.complete:
            return since
        case (str() as reason, *_):
            return reason or "no reason is given"
    raise Unreadable("a reason or a versionstamp expected")


def write_readiness(value: str | Stamp | None) -> tuple:
    if isinstance(value, str) and not is_text(value, MAX_REASON_BYTES):
        raise Unreadable(f"a reason has at most {MAX_REASON_BYTES} bytes")
    return () if value is None else (value,)


READINESS = Kind(read_readiness, write_readiness, optional_tuple=True)


@dataclass(frozen=True)
class Delay:
    """The rule that keeps a candidate from claiming, and until when."""

    rule: str
    until: int


def read_delay(element: tuple | Broken) -> Delay | None:
    match element:
        case Broken():
            raise Unreadable(element.problem)
        case (str() as rule, int() as until, *_) if rule and abs(until) <= 1 << 62:
            return Delay(rule, until)
    return None  # it is only shown


DELAY = Kind(read_delay, lambda delay: () if delay is None else (delay.rule, delay.until), optional_tuple=True)


def is_trace_context(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 55:
        return False
    version, trace, span, flags = (value.split("-") + [""] * 4)[:4]
    digits = set("0123456789abcdef")
    return (
        (version, len(trace), len(span), len(flags)) == ("00", 32, 16, 2)
        and set(trace + span + flags) <= digits
        and set(trace) != {"0"}
        and set(span) != {"0"}
    )


TRACE = Kind(lambda value: value if is_trace_context(value) else "", lambda value: value)


# The elements of records, and of tuples within them.

Record = TypeVar("Record")


def element(kind: Kind, **missing: Any) -> Any:
    """Return a field of a kind. With a default it may be missing."""
    return field(metadata={"kind": kind}, **missing)


def read_elements(kind: type[Record], elements: tuple) -> Record:
    values = []
    for index, known in enumerate(fields(kind)):
        element_kind = known.metadata["kind"]
        if index >= len(elements) or element_kind.optional_tuple and not looks_like_tuple(elements[index]):
            if known.default is MISSING:
                raise Unreadable(f"{known.name} is missing")
            break
        try:
            values.append(element_kind.read(elements[index]))
        except Unreadable as error:
            raise Unreadable(f"{known.name}: {error}") from error
    return kind(*values)


def looks_like_tuple(element: Any) -> bool:
    """Report whether a tuple was written there, and not an element of another type."""
    return isinstance(element, tuple) or isinstance(element, Broken) and element.code not in CODES - {NESTED}


def write_elements(record: Any) -> tuple:
    """Return the elements of a record. Elements at the end that say nothing are left out."""
    known = fields(record)
    while known and known[-1].default is not MISSING and getattr(record, known[-1].name) == known[-1].default:
        known = known[:-1]
    return tuple(each.metadata["kind"].write(getattr(record, each.name)) for each in known)


def nested(kind: type) -> Kind:
    """Return the kind of a tuple that is empty or has the elements of kind."""

    def read(element: Any) -> Any:
        if not isinstance(element, tuple):
            raise Unreadable("not a tuple")
        return read_elements(kind, element) if element else None

    return Kind(read, lambda value: () if value is None else write_elements(value))


def encode(record: Any) -> bytes:
    return pack((FORMAT, *write_elements(record)))


def encode_template(record: Any) -> bytes:
    """Return the parameter of SetVersionstampedValue for a record with an incomplete versionstamp."""
    return pack_template((FORMAT, *write_elements(record)))


def decode(kind: type[Record], value: bytes) -> Record:
    """Return the record of a kind. Damage raises Unreadable, and a newer format version raises Newer."""
    elements = unpack_some(value, 1 + len(fields(kind)))
    version = elements[0] if elements else None
    if type(version) is not int or version < 1:
        raise Unreadable("it has no format version")
    if version > FORMAT and not getattr(kind, "ANY_FORMAT", False):
        raise Newer(f"it has format version {version}, and this program knows {FORMAT}")
    record = read_elements(kind, elements[1:])
    if hasattr(record, "check"):
        record.check()
    return record


def need(condition: bool, problem: str) -> None:
    if not condition:
        raise Unreadable(problem)


# The records of an election.


@dataclass(frozen=True)
class Config:
    write_format: int = element(INT)
    revision: int = element(COUNT)
    nonce: UUID = element(UUID_KIND)
    lease: int = element(DURATION)
    heartbeat: int = element(DURATION)
    timeout: int = element(DURATION)
    enabled: bool = element(BOOL)
    preemption: bool = element(BOOL)
    grace: int = element(DURATION)
    minimum_tenure: int = element(DURATION)
    margin: int = element(DURATION)
    history_limit: int = element(INT)
    expiry: int = element(INT)
    preempt_delay: int = element(DURATION, default=0)

    BY_CLOCK = 0
    BY_OBSERVATION = 1

    def check(self) -> None:
        if self.write_format > FORMAT:
            raise Newer(f"it allows records in format version {self.write_format}, and this program knows {FORMAT}")
        margin = self.margin or self.lease // 10
        need(self.revision > 0, "the revision is zero")
        need(self.lease >= MIN_LEASE, "the lease is too short")
        need(0 < self.heartbeat < self.lease - margin, "the heartbeat interval does not fit the lease")
        need(self.timeout > self.heartbeat, "the candidate timeout is not longer than the heartbeat interval")
        need(0 <= self.history_limit <= MAX_HISTORY, "the history limit is out of range")
        need(self.expiry in (self.BY_CLOCK, self.BY_OBSERVATION), "the expiry is unknown")


@dataclass(frozen=True)
class Leader:
    ballot: int = element(COUNT)
    term: int = element(COUNT)
    id: str = element(TEXT)
    incarnation: UUID = element(UUID_KIND)
    priority: int = element(INT32)
    expiry: int = element(TIME)
    lease: int = element(DURATION)
    registration: Stamp = element(STAMP)
    acquired_at: int = element(TIME)
    accepted: bool = element(BOOL)
    nonce: UUID = element(UUID_KIND)
    reason: int = element(INT)

    REASONS = ("vacancy", "expiry", "preemption", "transfer", "reclaim")
    VACANCY, EXPIRY, PREEMPTION, TRANSFER, RECLAIM = range(5)

    def check(self) -> None:
        need(self.term <= self.ballot, "the term is above the ballot")

    @property
    def vacant(self) -> bool:
        return self.id == ""


@dataclass(frozen=True)
class Term:
    term: int = element(COUNT)
    id: str = element(TEXT)
    incarnation: UUID = element(UUID_KIND)
    nonce: UUID = element(UUID_KIND)
    held: bool = element(BOOL)
    ballot: int = element(COUNT, default=0)


@dataclass(frozen=True)
class Seen:
    """What a candidate has seen of the leader record, and when on its clock."""

    term: int = element(COUNT)
    nonce: UUID = element(UUID_KIND)
    term_since: int = element(INT)
    ballot: int = element(COUNT)
    ballot_since: int = element(INT)
    lease: int = element(INT)
    lost_at: int = element(INT)


@dataclass(frozen=True)
class SeenRequest:
    """What a holder has seen of the request, and when on its clock."""

    kind: int = element(INT)
    nonce: UUID = element(UUID_KIND)
    counter: int = element(COUNT)
    since: int = element(INT)
    changed: int = element(INT)


@dataclass(frozen=True)
class Notes:
    run: UUID = element(UUID_KIND)
    first: int = element(INT)
    leads_until: int = element(INT)
    holds_off_until: int = element(INT)
    leader: Seen | None = element(nested(Seen))
    request: SeenRequest | None = element(nested(SeenRequest))

    def latest(self) -> int:
        """Return the latest instant of an observation."""
        seen, request = self.leader, self.request
        of_leader = (seen.term_since, seen.ballot_since, seen.lost_at) if seen else ()
        of_request = (request.since, request.changed) if request else ()
        return max((self.first, *of_leader, *of_request))


def read_notes(element: Any) -> Notes | None:
    if isinstance(element, Broken):
        raise Unreadable(element.problem)
    try:
        return nested(Notes).read(element)
    except Unreadable:
        return None  # the candidate can see everything again


NOTES = Kind(read_notes, nested(Notes).write, optional_tuple=True)


@dataclass(frozen=True)
class Candidate:
    priority: int = element(INT32)
    last_heartbeat: int = element(TIME)
    heartbeats: int = element(COUNT)
    registration: Stamp = element(STAMP)
    incarnation: UUID = element(UUID_KIND)
    voter: bool = element(BOOL)
    metadata: dict[str, str] = element(METADATA)
    notes: Notes | None = element(NOTES, default=None)
    readiness: str | Stamp | None = element(READINESS, default=None)
    delay: Delay | None = element(DELAY, default=None)

    def check(self) -> None:
        need(self.registration.complete, "the versionstamp of the registration was never written")

    @property
    def ready(self) -> bool:
        return not isinstance(self.readiness, str)

    @property
    def ready_since(self) -> Stamp:
        return self.readiness if isinstance(self.readiness, Stamp) else self.registration


@dataclass(frozen=True)
class Intent:
    kind: int = element(INT)
    term: int = element(COUNT)
    id: str = element(TEXT)
    incarnation: UUID = element(UUID_KIND)
    nonce: UUID = element(UUID_KIND)
    counter: int = element(COUNT)
    priority: int = element(INT32)
    trace: str = element(TRACE, default="")

    KINDS = {1: "challenge", 2: "resign", 3: "transfer"}

    def check(self) -> None:
        need(self.kind in self.KINDS, "the kind is unknown")


@dataclass(frozen=True)
class Notice:
    nonce: UUID = element(UUID_KIND)
    number: int = element(COUNT)
    heartbeat: int | None = element(TIME, default=None)
    removed: bool = element(BOOL, default=False)

    LEADER = 0
    CANDIDATES = 1


@dataclass(frozen=True)
class Event:
    before: str = element(TEXT)
    incarnation_before: UUID = element(UUID_KIND)
    after: str = element(TEXT)
    incarnation_after: UUID = element(UUID_KIND)
    reason: str = element(TEXT)
    ballot: int = element(COUNT)
    at: int = element(TIME)
    nonce: UUID = element(UUID_KIND)

    BEGAN = 0
    ENDED = 1
    DUPLICATE = 2


# The records of a group.


@dataclass(frozen=True)
class GroupConfig:
    write_format: int = element(INT)
    revision: int = element(COUNT)
    nonce: UUID = element(UUID_KIND)
    lease: int = element(DURATION)
    heartbeat: int = element(DURATION)
    margin: int = element(DURATION)
    enabled: bool = element(BOOL)
    settle_delay: int = element(DURATION)
    moves: int = element(INT)
    retention: int = element(DURATION)


@dataclass(frozen=True)
class Member:
    incarnation: UUID = element(UUID_KIND)
    joined_at: int = element(TIME)
    weight: int = element(integer("a weight", 0, 1_000_000))
    capacity: int = element(integer("a capacity", 0, 1_000_000))
    tags: dict[str, str] = element(METADATA)
    not_ready: str = element(plain("a reason", lambda value: is_text(value, MAX_REASON_BYTES)))
    draining: bool = element(BOOL)
    balance: int = element(INT)


@dataclass(frozen=True)
class Beat:
    incarnation: UUID = element(UUID_KIND)
    counter: int = element(COUNT)
    lease: int = element(DURATION)
    mirror: int = element(INT, default=0)

    ANY_FORMAT = True


@dataclass(frozen=True)
class Shard:
    term: int = element(COUNT)
    id: str = element(TEXT)
    incarnation: UUID = element(UUID_KIND)
    nonce: UUID = element(UUID_KIND)
    reason: int = element(INT32)
    at: int = element(TIME)
    moves: int = element(COUNT)


@dataclass(frozen=True)
class Pin:
    id: str = element(NAME)


@dataclass(frozen=True)
class GroupRequest:
    kind: int = element(INT)
    term: int = element(COUNT)
    nonce: UUID = element(UUID_KIND)

    REMOVE = 1
    RESIGN = 2


@dataclass(frozen=True)
class Drain:
    pass


@dataclass(frozen=True)
class Number:
    """The floor of a group, or the version up to which its log was trimmed."""

    number: int = element(COUNT)


@dataclass(frozen=True)
class Bell:
    stamp: Stamp = element(STAMP)


@dataclass(frozen=True)
class Removal:
    """The log entry of a record that was removed."""

    removed: bool = element(plain("true", lambda value: value is True))
    by: str = element(TEXT)
    why: str = element(TEXT)


LOG_KINDS: dict[int, type] = {1: GroupConfig, 2: Member, 3: Shard, 4: Pin, 5: GroupRequest, 6: Drain}


# The keys. A form is the kinds of the elements below the subspace. A name stands for itself.

Form = tuple[str | Kind, ...]

ELECTION: dict[Form, type | None] = {
    ("config",): Config,
    ("leader",): Leader,
    ("term",): Term,
    ("candidates", NAME): Candidate,
    ("rank", INT, STAMP, NAME): None,  # the key says all
    ("intent",): Intent,
    ("notice", INT): None,  # no reader needs the value
    ("history", COUNT, INT): Event,
}

GROUP: dict[Form, type | None] = {
    ("group",): GroupConfig,
    ("members", NAME): Member,
    ("beats", NAME): Beat,
    ("shards", NAME): Shard,
    ("pins", NAME): Pin,
    ("requests", NAME): GroupRequest,
    ("drains", NAME): None,  # the key says all
    ("floor",): Number,
    ("trimmed",): Number,
    ("bell",): None,  # no reader needs the value
    ("log", STAMP, INT, TEXT): None,  # decode_change reads it
}


def form_of(forms: dict[Form, type | None], suffix: tuple) -> Form | None:
    """Return the form of a key below a subspace, or None if the key belongs to someone else."""
    for form in forms:
        if len(form) == len(suffix) and all(map(_fits, form, suffix)):
            return form
    return None


def _fits(part: str | Kind, element: object) -> bool:
    if isinstance(part, str):
        return element == part
    try:
        part.read(element)
    except Unreadable:
        return False
    return True


def decode_change(kind: int, value: bytes) -> Any:
    """Return what an entry of the log says: the record after the change, or its Removal."""
    if kind not in LOG_KINDS:
        return None
    try:
        return decode(Removal, value)
    except Newer:
        raise
    except Unreadable:
        return decode(LOG_KINDS[kind], value)
