"""The encoding of FoundationDB's tuple layer: ordered bytes for a tuple of values.

| element      | Python               |
|--------------|----------------------|
| null         | None                 |
| bytes        | bytes                |
| text         | str                  |
| nested tuple | tuple                |
| integer      | int, of any size     |
| float        | float (decoded only) |
| bool         | bool                 |
| uuid         | uuid.UUID            |
| versionstamp | Stamp                |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

NULL, BYTES, TEXT, NESTED = 0x00, 0x01, 0x02, 0x05
NEGATIVE, ZERO, POSITIVE = 0x0B, 0x14, 0x1D  # the codes of integers with more than 8 bytes, and of 0
FLOAT, DOUBLE, FALSE, TRUE, UUID_CODE, STAMP = 0x20, 0x21, 0x26, 0x27, 0x30, 0x33

CODES = {NULL, BYTES, TEXT, NESTED, *range(NEGATIVE, POSITIVE + 1), FLOAT, DOUBLE, FALSE, TRUE, UUID_CODE, STAMP}
ESCAPE = 0xFF  # after a zero byte: the zero belongs to the element
MAX_DEPTH = 16
UNWRITTEN = b"\xff" * 10


class TupleError(ValueError):
    """The bytes are not a tuple, or a value cannot be an element."""


@dataclass(frozen=True, order=True)
class Stamp:
    """A versionstamp. The commit writes its first ten bytes."""

    commit: bytes = UNWRITTEN
    user_version: int = 0

    @property
    def complete(self) -> bool:
        return self.commit != UNWRITTEN

    def __bytes__(self) -> bytes:
        return self.commit + self.user_version.to_bytes(2, "big")

    def __str__(self) -> str:
        return bytes(self).hex()


@dataclass(frozen=True)
class Broken:
    """Stands for bytes that are not an element, or for a text that is not UTF-8."""

    problem: str
    code: int


NO_STAMP = Stamp(bytes(10))


def pack(elements: tuple, prefix: bytes = b"") -> bytes:
    """Return the elements as bytes after prefix. They have no incomplete versionstamp."""
    packer = _Packer(prefix)
    packer.put_all(elements)
    if packer.unwritten:
        raise TupleError("an incomplete versionstamp needs a template")
    return bytes(packer.out)


def pack_template(elements: tuple, prefix: bytes = b"") -> bytes:
    """Return the parameter of SetVersionstampedKey or SetVersionstampedValue.

    The elements have one incomplete versionstamp. Its offset follows in 4 bytes, little endian.
    """
    packer = _Packer(prefix)
    packer.put_all(elements)
    if len(packer.unwritten) != 1:
        raise TupleError(f"a template needs one incomplete versionstamp, not {len(packer.unwritten)}")
    return bytes(packer.out) + struct.pack("<I", packer.unwritten[0])


def unpack(data: bytes) -> tuple:
    """Return the elements of a complete tuple. Any other bytes raise a TupleError."""
    elements = unpack_some(data, len(data))
    for element in elements:
        if isinstance(element, Broken):
            raise TupleError(element.problem)
    return elements


def unpack_some(data: bytes, most: int) -> tuple:
    """Return at most so many elements, and do not look at the bytes after them.

    If bytes are not an element, the last one returned is Broken. A text that is not UTF-8 is Broken, too.
    """
    reader = _Reader(data)
    elements: list[object] = []
    while reader.at < len(data) and len(elements) < most:
        code = data[reader.at]
        try:
            elements.append(reader.element(depth=0))
        except TupleError as error:
            return (*elements, Broken(str(error), code))
    return tuple(elements)


class _Packer:
    def __init__(self, prefix: bytes) -> None:
        self.out = bytearray(prefix)
        self.unwritten: list[int] = []

    def put_all(self, elements: tuple) -> None:
        for element in elements:
            self.put(element)

    def put(self, element: object) -> None:
        match element:
            case None:
                self.out.append(NULL)
            case bool():
                self.out.append(TRUE if element else FALSE)
            case int():
                self.put_int(element)
            case bytes():
                self.put_string(BYTES, element)
            case str():
                self.put_string(TEXT, element.encode())
            case UUID():
                self.out.append(UUID_CODE)
                self.out += element.bytes
            case Stamp():
                self.put_stamp(element)
            case tuple():
                self.put_nested(element)
            case _:
                raise TupleError(f"{type(element).__name__} cannot be an element")

    def put_string(self, code: int, data: bytes) -> None:
        self.out.append(code)
        self.out += data.replace(b"\x00", b"\x00\xff") + b"\x00"

    def put_int(self, number: int) -> None:
        size = (abs(number).bit_length() + 7) // 8
        if size > 255:
            raise TupleError("an integer of more than 255 bytes cannot be an element")
        negative = number < 0
        if size <= 8:
            self.out.append(ZERO - size if negative else ZERO + size)
        else:
            self.out += bytes((NEGATIVE, size ^ 0xFF) if negative else (POSITIVE, size))
        # A negative number is written as its distance from the lowest one, so that bytes sort.
        self.out += (number + (1 << 8 * size) - 1 if negative else number).to_bytes(size, "big")

    def put_stamp(self, stamp: Stamp) -> None:
        self.out.append(STAMP)
        if not stamp.complete:
            self.unwritten.append(len(self.out))
        self.out += bytes(stamp)

    def put_nested(self, elements: tuple) -> None:
        self.out.append(NESTED)
        for element in elements:
            self.put(element)
            if element is None:
                self.out.append(ESCAPE)
        self.out.append(NULL)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def element(self, depth: int) -> object:
        code = self.take(1)[0]
        if code == NULL:
            return None
        if code in (BYTES, TEXT):
            return self.string(code)
        if code == NESTED:
            return self.nested(depth + 1)
        if NEGATIVE <= code <= POSITIVE:
            return self.integer(code)
        if code in (FALSE, TRUE):
            return code == TRUE
        if code in (FLOAT, DOUBLE):
            return self.real(4 if code == FLOAT else 8)
        if code == UUID_CODE:
            return UUID(bytes=self.take(16))
        if code == STAMP:
            return Stamp(self.take(10), int.from_bytes(self.take(2), "big"))
        raise TupleError(f"no element begins with byte {code:#04x}")

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise TupleError("the bytes end within an element")
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken

    def escaped(self) -> bool:
        """Skip the escape after a zero byte, and return whether it was there."""
        found = self.data[self.at : self.at + 1] == bytes([ESCAPE])
        self.at += found
        return found

    def string(self, code: int) -> bytes | str | Broken:
        content = bytearray()
        while (byte := self.take(1)) != b"\x00" or self.escaped():
            content += byte
        if code == BYTES:
            return bytes(content)
        try:
            return content.decode()
        except UnicodeDecodeError:
            return Broken("a text is not UTF-8", code)

    def nested(self, depth: int) -> tuple:
        if depth > MAX_DEPTH:
            raise TupleError("tuples are nested too deeply")
        elements: list[object] = []
        while True:
            if self.data[self.at : self.at + 1] != b"\x00":
                elements.append(self.element(depth))
                continue
            self.take(1)
            if not self.escaped():
                return tuple(elements)
            elements.append(None)

    def integer(self, code: int) -> int:
        negative = code < ZERO
        if code in (NEGATIVE, POSITIVE):
            size = self.take(1)[0] ^ (0xFF if negative else 0)
        else:
            size = abs(code - ZERO)
        number = int.from_bytes(self.take(size), "big")
        return number - (1 << 8 * size) + 1 if negative else number

    def real(self, size: int) -> float:
        bits = bytearray(self.take(size))
        if bits[0] & 0x80:
            bits[0] ^= 0x80
        else:
            bits = bytearray(byte ^ 0xFF for byte in bits)
        return struct.unpack(">f" if size == 4 else ">d", bits)[0]
