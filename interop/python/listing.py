"""Finding the elections and groups of a dump, and describing them as printable lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from election import Dump
from records import (
    ELECTION,
    GROUP,
    Candidate,
    Config,
    Form,
    GroupConfig,
    Intent,
    Leader,
    Member,
    Shard,
    Term,
    Unreadable,
    decode,
    decode_change,
    form_of,
)
from tuples import TupleError, pack, unpack

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Store:
    """One election or group: its readable records by key below its subspace, and the damaged ones."""

    records: dict[tuple, Any]
    damaged: dict[tuple, str]

    def named(self, name: str) -> dict[str, Any]:
        """Return the records whose keys are the name and one more element, by that element."""
        return {key[1]: record for key, record in self.records.items() if key[0] == name and len(key) == 2}


def safe(text: str) -> str:
    """Return text that a terminal only shows. Another process wrote it."""
    return text if text.isprintable() and text else ascii(text)


def find(dump: Dump, marks: dict[str, type]) -> list[bytes]:
    """Return the subspaces that have a readable record of a kind in marks at its name."""
    found = set()
    for key, value in dump.items():
        for name, kind in marks.items():
            if key.endswith(pack((name,))) and _ends_in(key, name) and _readable(kind, value):
                found.add(key[: -len(pack((name,)))])
    return sorted(found)


def elections(dump: Dump) -> list[bytes]:
    """Return the subspaces of elections, also of those whose config is gone or damaged."""
    return find(dump, {"config": Config, "leader": Leader, "term": Term})


def groups(dump: Dump) -> list[bytes]:
    return find(dump, {"group": GroupConfig})


def load(dump: Dump, prefix: bytes, forms: dict[Form, type | None]) -> Store:
    """Read all records of a subspace. Keys of another form belong to others."""
    store = Store({}, {})
    for key, value in sorted(dump.items()):
        suffix = _suffix(key, prefix)
        form = form_of(forms, suffix)
        if form is None:
            continue
        try:
            store.records[suffix] = _record(form, forms[form], suffix, value)
        except Unreadable as error:
            store.damaged[suffix] = str(error)
    return store


def path_of(prefix: bytes) -> str:
    """Return a subspace as a path if it consists of plain texts, and in hex otherwise."""
    try:
        names = unpack(prefix)
    except TupleError:
        names = ()
    if names and all(isinstance(name, str) and name and name.isprintable() and "/" not in name for name in names):
        return "/".join(names)
    return "hex:" + prefix.hex()


def prefix_of(path: str) -> bytes:
    if path.startswith("hex:"):
        return bytes.fromhex(path.removeprefix("hex:"))
    return pack(tuple(path.split("/")))


def overview(dump: Dump) -> Iterator[str]:
    """Describe all elections and groups, a line for each."""
    for prefix in elections(dump):
        yield f"election {path_of(prefix)}: {_leadership(load(dump, prefix, ELECTION))}"
    for prefix in groups(dump):
        store = load(dump, prefix, GROUP)
        shards = store.named("shards").values()
        led = sum(shard.id != "" for shard in shards)
        members = len(store.named("members"))
        yield f"group {path_of(prefix)}: {led} of {len(shards)} shards have a leader, {members} members"


def describe_election(dump: Dump, prefix: bytes) -> Iterator[str]:
    store = load(dump, prefix, ELECTION)
    yield _leadership(store)
    request = store.records.get(("intent",))
    if request:
        yield f"request: {_request(request)}"
    for id, candidate in sorted(store.named("candidates").items(), key=lambda item: rank(*item)):
        yield f"candidate {safe(id)}: {_candidate(candidate)}"
    yield from _damage(store)


def describe_group(dump: Dump, prefix: bytes) -> Iterator[str]:
    store = load(dump, prefix, GROUP)
    for id, member in sorted(store.named("members").items()):
        yield f"member {safe(id)}: {_member(member)}"
    for name, shard in sorted(store.named("shards").items()):
        yield f"shard {safe(name)}: {_shard(shard)}"
    yield from _damage(store)


def rank(id: str, candidate: Candidate) -> tuple:
    """Order candidates as the election does: who comes first may lead first."""
    return (not candidate.voter, not candidate.ready, -candidate.priority, candidate.ready_since, id)


def _ends_in(key: bytes, name: str) -> bool:
    """Report whether name is an element of its own, unless the subspace is no tuple."""
    try:
        return unpack(key)[-1] == name
    except TupleError:
        return True


def _readable(kind: type, value: bytes) -> bool:
    try:
        decode(kind, value)
    except Unreadable:
        return False
    return True


def _suffix(key: bytes, prefix: bytes) -> tuple:
    if not key.startswith(prefix):
        return ()
    try:
        return unpack(key[len(prefix) :])
    except TupleError:
        return ()


def _record(form: Form, kind: type | None, suffix: tuple, value: bytes) -> Any:
    if form[0] == "log":
        return decode_change(suffix[2], value)
    return decode(kind, value) if kind else value


def _leadership(store: Store) -> str:
    leader, term = store.records.get(("leader",)), store.records.get(("term",))
    if leader is None and ("leader",) in store.damaged:
        return "the leader record is damaged"
    if leader is None:
        if term is None:
            return "there was no leader yet"
        return f"the leader record is lost; {safe(term.id)} was the last holder, in term {term.term}"
    if leader.vacant:
        return f"leadership is vacant after term {leader.term}"
    accepted = "holds leadership" if leader.accepted else "was handed leadership"
    return f"{safe(leader.id)} {accepted} in term {leader.term}, ballot {leader.ballot}, until {time(leader.expiry)}"


def _request(request: Intent) -> str:
    kind = Intent.KINDS.get(request.kind, f"kind {request.kind}")
    about = f" by {safe(request.id)}" if request.kind == 1 else f" to {safe(request.id)}" if request.kind == 3 else ""
    return f"{kind}{about} in term {request.term}"


def _candidate(candidate: Candidate) -> str:
    parts = ["voter" if candidate.voter else "observer", f"priority {candidate.priority}"]
    parts.append("ready" if candidate.ready else f"not ready ({safe(candidate.readiness)})")
    if candidate.delay:
        parts.append(f"delayed by {safe(candidate.delay.rule)} until {time(candidate.delay.until)}")
    parts.append(f"heartbeat {candidate.heartbeats} at {time(candidate.last_heartbeat)}")
    parts += [f"{safe(name)}={safe(value)}" for name, value in candidate.metadata.items()]
    return ", ".join(parts)


def _member(member: Member) -> str:
    parts = [f"weight {member.weight}", f"capacity {member.capacity or 'unlimited'}"]
    parts.append(f"not ready ({safe(member.not_ready)})" if member.not_ready else "ready")
    if member.draining:
        parts.append("draining")
    parts += [f"{safe(name)}={safe(value)}" for name, value in member.tags.items()]
    return ", ".join(parts)


def _shard(shard: Shard) -> str:
    return f"{safe(shard.id) if shard.id else 'vacant'}, term {shard.term}"


def _damage(store: Store) -> Iterator[str]:
    for key, problem in store.damaged.items():
        yield f"damaged {' '.join(safe(part) if isinstance(part, str) else str(part) for part in key)}: {problem}"


def time(nanoseconds: int) -> str:
    at = EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
