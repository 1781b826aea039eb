"""Reads elections and groups in a dump of a database, and takes part in an election.

A dump has one JSON object for each key: {"key": HEX, "value": HEX}. A step prints the operations
of its transaction in the same way: a read must find the value that it names (none: no such key)
and must be a read conflict, and the mutations follow.

exit codes: 0 done, 1 not possible now, 2 wrong usage or a dump that cannot be read
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO
from uuid import UUID, uuid4

import election
import listing
from election import Dump, Identity, Now, Operation, Refused, Registration, Transaction
from records import Unreadable, is_name
from tuples import TupleError


Act = Callable[[argparse.Namespace, Dump], Iterable[str]]


class Usage(Exception):
    """The arguments or the dump make no sense."""


def read_dump(lines: Iterable[str]) -> Dump:
    dump = {}
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            dump[bytes.fromhex(entry["key"])] = bytes.fromhex(entry["value"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Usage(f"line {number} of the dump is not a key and a value in hex") from error
    return dump


def show(operation: Operation) -> str:
    line = {"op": operation.name, "key": operation.key.hex()}
    if operation.name != "clear":
        line["value"] = None if operation.value is None else operation.value.hex()
    return json.dumps(line)


def take_step(arguments: argparse.Namespace, dump: Dump) -> list[str]:
    if not is_name(arguments.id):
        raise Usage("an id has 1 to 255 bytes of UTF-8 without control characters")
    tr = Transaction(dump, arguments.prefix)
    me = Identity(arguments.id, arguments.incarnation)
    now = Now(arguments.now, arguments.clock, arguments.run)
    match arguments.command:
        case "register":
            says = Registration(arguments.priority, not arguments.observer, dict(arguments.tag), arguments.not_ready or None)
            election.register(tr, me, now, says)
        case "heartbeat":
            election.heartbeat(tr, me, now)
        case "claim":
            election.claim(tr, me, now, arguments.nonce)
        case "renew":
            election.renew(tr, me, now)
        case "resign":
            election.resign(tr, me, now)
    return [show(operation) for operation in tr.operations]


def describe(arguments: argparse.Namespace, dump: Dump) -> Iterable[str]:
    if arguments.command == "list":
        return listing.overview(dump)
    if arguments.prefix in listing.elections(dump):
        return listing.describe_election(dump, arguments.prefix)
    if arguments.prefix in listing.groups(dump):
        return listing.describe_group(dump, arguments.prefix)
    raise Refused("neither an election nor a group is there")


def set_clocks(arguments: argparse.Namespace) -> None:
    """Read the clocks that the arguments do not name. The clock of Linux starts over with the machine."""
    if arguments.now is None:
        arguments.now = time.time_ns()
    if (arguments.clock is None) != (arguments.run is None):
        raise Usage("--clock and --run belong together")
    if arguments.clock is not None:
        return
    if not hasattr(time, "CLOCK_BOOTTIME"):
        raise Usage("name --clock and --run, since this is not Linux")
    arguments.clock = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    arguments.run = UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise ValueError
    return name, value


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python3 interop/python", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str | None, act: Act) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(act=act)
        added.add_argument("--dump", type=Path, help="the file of the dump (default: standard input)")
        if name != "list":
            added.add_argument("prefix", metavar="PATH", type=listing.prefix_of, help="app/elections/main, or hex:0a0b")
        return added

    command("list", "list all elections and groups, with their leaders", describe)
    command("show", "show an election or a group, and name its damaged records", describe)
    for step in (election.register, election.heartbeat, election.claim, election.renew, election.resign):
        added = command(step.__name__, step.__doc__, take_step)
        added.add_argument("--id", required=True)
        added.add_argument("--incarnation", required=True, type=UUID, help="a UUID for one start of the process")
        added.add_argument("--now", type=int, help="the wall clock in nanoseconds (default: that of the machine)")
        added.add_argument("--clock", type=int, help="a clock that is never set (default: that of Linux since its start)")
        added.add_argument("--run", type=UUID, help="names one run of the clock (default: that of the machine)")
    register, claim = commands.choices["register"], commands.choices["claim"]
    register.add_argument("--priority", type=int, default=0)
    register.add_argument("--observer", action="store_true", help="never lead")
    register.add_argument("--not-ready", metavar="WHY", help="do not lead yet")
    register.add_argument("--tag", type=pair, action="append", default=[], metavar="NAME=VALUE")
    claim.add_argument("--nonce", type=UUID, default=uuid4(), help="names the tenure (default: a random one)")
    return result


def main(args: list[str], stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    for stream in (stdout, stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(args)
    try:
        text = arguments.dump.read_text() if arguments.dump else stdin.read()
        dump = read_dump(text.splitlines())
        if arguments.act is take_step:
            set_clocks(arguments)  # after the dump
        for line in arguments.act(arguments, dump):
            print(line, file=stdout)
    except Refused as error:
        print(f"not possible: {error}", file=stderr)
        return 1
    except (Usage, Unreadable, TupleError, UnicodeError, OSError) as error:
        print(f"error: {error}", file=stderr)
        return 2
    return 0
