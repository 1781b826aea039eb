"""Builds the golden records from their description in docs/format.md, and reads them.

The key and value of each must be those in election/testdata/format.txt and group/testdata/format.txt.
"""

import unittest
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from records import (
    ELECTION,
    GROUP,
    SECOND,
    Beat,
    Bell,
    Candidate,
    Config,
    Delay,
    Drain,
    Event,
    GroupConfig,
    GroupRequest,
    Intent,
    Leader,
    Member,
    NOBODY,
    Notes,
    Notice,
    Number,
    Pin,
    Removal,
    Seen,
    SeenRequest,
    Shard,
    Term,
    decode,
    decode_change,
    encode,
    encode_template,
    form_of,
)
from tuples import NO_STAMP, Stamp, pack, pack_template, unpack

ROOT = Path(__file__).parents[2]

A, A_INCARNATION = "node-a", UUID("11111111-2222-3333-4444-555555555555")
B, B_INCARNATION = "node-b", UUID("99999999-8888-7777-6666-555555555555")
NONCE = UUID("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
BEGIN = 1767323045 * SECOND + 678  # 2026-01-02T03:04:05.000000678Z
COMMIT = bytes.fromhex("000000123456789a0001")
REGISTRATION = Stamp(COMMIT, 2)
DAY = 24 * 3600 * SECOND
TAGS = {"addr": "10.0.0.1:80", "zone": "b"}

CONFIG = Config(
    1, 3, NONCE, 10 * SECOND, 3 * SECOND, 15 * SECOND, True, True, 10 * SECOND, 5 * SECOND, SECOND, 128, 1, 10 * SECOND
)
LEADER = Leader(
    1234567, 42, A, A_INCARNATION, 100, BEGIN + 10 * SECOND, 10 * SECOND, REGISTRATION, BEGIN, True, NONCE,
    Leader.PREEMPTION,
)  # fmt: skip
CANDIDATE = Candidate(-7, BEGIN, 300, REGISTRATION, A_INCARNATION, False, TAGS)
NOTES = Notes(
    B_INCARNATION, 1 * SECOND, 19 * SECOND, 29 * SECOND,
    Seen(42, NONCE, 5 * SECOND, 1234567, 9 * SECOND, 10 * SECOND, 2 * SECOND),
    SeenRequest(1, NONCE, 9, 11 * SECOND, 12 * SECOND),
)  # fmt: skip
NOTED = replace(CANDIDATE, notes=NOTES)
DELAY = Delay("hold-off", BEGIN + 60 * SECOND)
INTENT = Intent(1, 42, B, B_INCARNATION, NONCE, 9, 101)
NOTICE = Notice(A_INCARNATION, 300, BEGIN)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

ELECTION_RECORDS = {
    "config": (("config",), CONFIG),
    "leader": (("leader",), LEADER),
    "leader, vacant": (("leader",), Leader(1234568, 42, "", NOBODY, 0, BEGIN, 0, NO_STAMP, BEGIN, False, NONCE, 0)),
    "term": (("term",), Term(42, A, A_INCARNATION, NONCE, True, 1234500)),
    "candidate": (("candidates", A), CANDIDATE),
    "candidate, with notes": (("candidates", A), NOTED),
    "candidate, not ready": (("candidates", A), replace(CANDIDATE, readiness="cache is cold")),
    "candidate, ready again": (
        ("candidates", A),
        replace(NOTED, readiness=Stamp(bytes.fromhex("00000012345678ff0003"), 2), delay=DELAY),
    ),
    "candidate, delayed": (("candidates", A), replace(CANDIDATE, delay=DELAY)),
    "candidate, template": (("candidates", A), replace(CANDIDATE, registration=Stamp(user_version=2))),
    "candidate, template if it becomes ready": (("candidates", A), replace(NOTED, readiness=Stamp(user_version=2))),
    "rank": (("rank", 7, REGISTRATION, A), None),
    "rank, template": (("rank", 7, Stamp(user_version=2), A), None),
    "intent": (("intent",), INTENT),
    "request, with a trace context": (("intent",), replace(INTENT, trace=TRACE)),
    "history": (
        ("history", 42, Event.BEGAN),
        Event(B, B_INCARNATION, A, A_INCARNATION, "preemption", 1234500, BEGIN, NONCE),
    ),
    "notice, of the leader": (("notice", Notice.LEADER), Notice(NONCE, 1234500)),
    "notice, of the candidates": (("notice", Notice.CANDIDATES), NOTICE),
    "notice, of a removal": (("notice", Notice.CANDIDATES), replace(NOTICE, removed=True)),
}

GROUP_CONFIG = GroupConfig(1, 3, NONCE, 10 * SECOND, 3 * SECOND, SECOND, True, 3 * SECOND, 32, DAY)
SHARD_NAME = "shard-17"
SHARD = Shard(42, A, A_INCARNATION, NONCE, 3, BEGIN, 2)

GROUP_RECORDS = {
    "config": (("group",), GROUP_CONFIG),
    "member": (("members", A), Member(A_INCARNATION, BEGIN, 3, 500, TAGS, "", False, 1)),
    "member, not ready and draining": (
        ("members", B),
        Member(B_INCARNATION, BEGIN, 1, 0, {}, "cache is cold", True, 1),
    ),
    "beat": (("beats", A), Beat(A_INCARNATION, 300, 10 * SECOND, 78187493530)),
    "shard": (("shards", SHARD_NAME), SHARD),
    "shard, vacant": (("shards", SHARD_NAME), Shard(42, "", NOBODY, NONCE, 6, BEGIN, 0)),
    "shard, created": (("shards", SHARD_NAME), Shard(41, "", NOBODY, NOBODY, 0, BEGIN, 0)),
    "pin": (("pins", SHARD_NAME), Pin(A)),
    "request, to remove": (("requests", SHARD_NAME), GroupRequest(GroupRequest.REMOVE, 42, NOBODY)),
    "request, to resign": (("requests", SHARD_NAME), GroupRequest(GroupRequest.RESIGN, 42, NONCE)),
    "drain": (("drains", A), Drain()),
    "floor": (("floor",), Number(42)),
    "trimmed": (("trimmed",), Number(78187493530)),
    "bell, template": (("bell",), Bell(Stamp())),
    "bell": (("bell",), Bell(Stamp(COMMIT))),
    "log, template": (("log", Stamp(), 3, SHARD_NAME), SHARD),
    "log, of a shard": (("log", Stamp(COMMIT), 3, SHARD_NAME), SHARD),
    "log, of a config": (("log", Stamp(COMMIT), 1, ""), GROUP_CONFIG),
    "log, of a removal": (("log", Stamp(COMMIT), 2, B), Removal(True, A, "evicted")),
}


def golden(kind: str) -> dict[str, tuple[bytes, bytes]]:
    """Return the key and the value of each golden record, by name."""
    lines = [line for line in (ROOT / kind / "testdata/format.txt").read_text().splitlines() if line[:1] != "#"]
    hexes = [bytes.fromhex(line.strip()) if line.startswith("\t") else line for line in lines]
    return {name: (key, value) for name, key, value in zip(hexes[::3], hexes[1::3], hexes[2::3], strict=True)}


class GoldenTest(unittest.TestCase):
    def test_election(self) -> None:
        self.check("election", pack(("app", "elections", "main")), ELECTION_RECORDS, ELECTION)

    def test_group(self) -> None:
        self.check("group", pack(("app", "groups", "main")), GROUP_RECORDS, GROUP)

    def check(self, kind: str, prefix: bytes, records: dict, forms: dict) -> None:
        expected = golden(kind)
        self.assertEqual(records.keys(), expected.keys())
        for name, (suffix, record) in records.items():
            with self.subTest(kind=kind, record=name):
                key, value = expected[name]
                self.assertEqual((key, value), (write_key(suffix, prefix), write_value(record)))
                if "template" not in name:
                    self.assertEqual(record, read(key, value, prefix, forms))


def write_key(suffix: tuple, prefix: bytes) -> bytes:
    return pack_template(suffix, prefix) if incomplete(suffix) else pack(suffix, prefix)


def write_value(record: object) -> bytes:
    if record is None:
        return b""
    return encode_template(record) if incomplete(vars(record).values()) else encode(record)


def incomplete(elements) -> bool:
    return any(isinstance(element, Stamp) and not element.complete for element in elements)


def read(key: bytes, value: bytes, prefix: bytes, forms: dict) -> object:
    suffix = unpack(key.removeprefix(prefix))
    form = form_of(forms, suffix)
    if form is None:
        raise AssertionError(f"no record has the key {suffix}")
    if form[0] == "log":
        return decode_change(suffix[2], value)
    kind = forms[form] or {"notice": Notice, "bell": Bell, "drains": Drain}.get(form[0])
    return decode(kind, value) if kind else None


if __name__ == "__main__":
    unittest.main()
