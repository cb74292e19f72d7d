"""Read a pickle as data: plain values and NumPy arrays come out, nothing is imported, called or looked up.

The opcodes are walked by this module alone. Accepted: None, booleans, integers of 64 bits, floats, bytes, text, lists, tuples,
dicts, sets, memo references, and the few fixed patterns by which NumPy pickles arrays and Python pickles bytes
(`pickles/patterns`). With `objects=True` an instance of any class whose state is a dict becomes a `DataObject`; its class is a
name and nothing more. Everything else is refused with the name and the offset of what it asked for.

Every length is compared with what is left of the input before anything is allocated, and each opcode is charged to a budget.
"""

from __future__ import annotations

import codecs
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from pixstore.errors import CorruptStoreError, LimitExceededError, PixstoreError, StoreTruncatedError, UnsafeInputError
from pixstore.rows import Buffer
from pixstore.sources.pickles.patterns import DataObject, Global, PickledArray, UnknownPatternError, build, construct, reduce

MAX_PROTOCOL = 5
FIRST_LINE_BYTES = 256
MAX_INTEGER_BYTES = 9
OPCODE_COST = 96
CONTAINER_COST = 240
# What Python 2 writes into a quoted line; anything else would make Python warn.
ESCAPED = re.compile(rb"(?:[^\\]|\\(?:[\\'\"abfnrtv]|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|[0-7]{1,2}(?![0-7])))*\Z")
LEAVES = frozenset({type(None), bool, int, float, str, bytes, PickledArray})


@dataclass(frozen=True)
class Budget:
    """What one pickle may cost; `memory_bytes` comes on top of the size of the input."""

    input_bytes: int = 2 << 30
    opcodes: int = 50_000_000
    memo: int = 10_000_000
    depth: int = 100
    nodes: int = 50_000_000
    memory_bytes: int = 256 << 20


DEFAULT_BUDGET = Budget()


class LocatedBytes(bytes):
    """Bytes that lie in the input as they are, from byte `offset`."""

    offset: int


def offset_of(value: object) -> int | None:
    """Return where the bytes of this array or bytes value lie in the input; None where they do not lie there in one piece."""
    return value.offset if isinstance(value, LocatedBytes | PickledArray) else None


def read_pickle(data: Buffer, *, origin: str, objects: bool = False, budget: Budget = DEFAULT_BUDGET) -> object:
    """Return the value pickled in `data`; arrays are read-only views of it. `origin` names the input in errors.

    With `objects`, instances of any class come as DataObject.
    Raises UnsafeInputError for whatever would run code, LimitExceededError beyond the budget, StoreTruncatedError where the
    input ends too early, CorruptStoreError where it is no pickle.
    """
    if len(data) > budget.input_bytes:
        raise LimitExceededError(f"{origin}: {len(data)} bytes of pickle, the limit is {budget.input_bytes}; split the file")
    walk = _Walk(memoryview(data).cast("B").toreadonly(), origin, objects, budget)
    try:
        return walk.run()
    except PixstoreError:
        raise
    except UnknownPatternError as error:
        raise UnsafeInputError(f"{origin}: the pickle {error} (byte {walk.start}); it was refused, nothing was run") from error
    except (IndexError, KeyError, ValueError, TypeError, struct.error, OverflowError) as error:
        raise CorruptStoreError(f"{origin}: not a readable pickle at byte {walk.start}: {error}") from error


class _Walk:
    """One pass over the opcodes of one pickle."""

    def __init__(self, data: memoryview, origin: str, objects: bool, budget: Budget) -> None:
        self.data = data
        self.origin = origin
        self.objects = objects
        self.budget = budget
        self.position = 0
        self.start = 0
        self.memory_left = budget.memory_bytes + len(data)
        self.opcodes_left = budget.opcodes
        self.stack: list[object] = []
        self.outer: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        data, size, opcodes = self.data, len(self.data), OPCODES
        while True:
            self.start = position = self.position
            if position >= size:
                raise StoreTruncatedError(f"{self.origin}: the pickle has no end: all {size} bytes are read; get the file again")
            code = data[position]
            self.position = position + 1
            if code == STOP:
                return self.finish()
            step = opcodes.get(code)
            if step is None:
                self.refuse_opcode(code)
            else:
                self.charge(OPCODE_COST)
                step(self)

    def finish(self) -> object:
        value = self.pop()
        if self.stack or self.outer:
            raise CorruptStoreError(f"{self.origin}: the pickle ends at byte {self.start} with values left over")
        _check(value, self.origin, self.budget)
        return value

    def refuse_opcode(self, code: int) -> None:
        name = REFUSED.get(code)
        if name is None:
            raise CorruptStoreError(f"{self.origin}: not a pickle, or damaged: byte {code:#04x} at {self.start} is no instruction")
        raise UnsafeInputError(f"{self.origin}: the pickle uses {name} at byte {self.start}; it was refused, nothing was run")

    # budget

    def charge(self, cost: int) -> None:
        self.memory_left -= cost
        self.opcodes_left -= 1
        if self.memory_left < 0 or self.opcodes_left < 0:
            raise LimitExceededError(
                f"{self.origin}: the pickle asks for more than {self.budget.memory_bytes >> 20} MiB of values or"
                f" {self.budget.opcodes} instructions by byte {self.start}; it was refused"
            )

    # input

    def take(self, count: int) -> memoryview:
        begin = self.position
        end = begin + count
        if count < 0:
            raise CorruptStoreError(f"{self.origin}: the pickle states a negative length at byte {self.start}")
        if end > len(self.data):
            raise StoreTruncatedError(
                f"{self.origin}: the pickle needs {end} bytes (a value of {count} at byte {begin}), the input has {len(self.data)};"
                " get the file again"
            )
        self.position = end
        return self.data[begin:end]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> bytes:
        """Return the bytes up to the next line feed."""
        size, end = FIRST_LINE_BYTES, -1
        while end < 0:
            window = bytes(self.data[self.position : self.position + size])
            end = window.find(b"\n")
            if end < 0 and self.position + len(window) >= len(self.data):
                raise StoreTruncatedError(f"{self.origin}: the pickle ends within the line at byte {self.position}; get the file again")
            size *= 16
        self.position += end + 1
        # Read as text, a line takes up to four bytes a character.
        self.charge(4 * end)
        return window[:end]

    def located(self, size_bytes: int) -> LocatedBytes:
        size = self.number(size_bytes)
        begin = self.position
        taken = self.take(size)
        self.charge(size)
        value = LocatedBytes(taken)
        value.offset = begin
        return value

    def text(self, size_bytes: int) -> str:
        taken = self.take(self.number(size_bytes))
        # Python keeps text at one, two or four bytes a character, whichever the widest one needs.
        self.charge(len(taken) * 4 if len(taken) > 64 else 0)
        return codecs.decode(taken, "utf-8", "surrogatepass")

    # stack

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: nothing on the stack at byte {self.start}")
        return self.stack.pop()

    def top(self, kind: type) -> object:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: no {kind.__name__} on the stack at byte {self.start}")
        return self.stack[-1]

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[object]:
        if not self.outer:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: no mark at byte {self.start}")
        items = self.stack
        self.stack = self.outer.pop()
        return items

    # containers

    def new(self, value: object) -> None:
        self.charge(CONTAINER_COST)
        self.push(value)

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: a tuple of {count} from {len(self.stack)} at byte {self.start}")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(items)

    def extend_list(self, items: list[object]) -> None:
        target = self.top(list)
        assert isinstance(target, list)
        target.extend(items)

    def fill_dict(self, items: list[object]) -> None:
        target = self.top(dict)
        assert isinstance(target, dict)
        if len(items) % 2:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: a key without a value at byte {self.start}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self.hashable(key)] = value

    def dict_from_mark(self) -> None:
        items = self.since_mark()
        self.new({})
        self.fill_dict(items)

    def fill_set(self, items: list[object]) -> None:
        target = self.top(set)
        assert isinstance(target, set)
        target.update(self.hashable(each) for each in items)

    def hashable(self, value: object) -> object:
        # Hashing a tuple walks into it without a limit on depth: keys are single values here.
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        raise UnsafeInputError(f"{self.origin}: a key of type {type(value).__name__} at byte {self.start}; only text and numbers are read")

    # memo

    def put(self, index: int) -> None:
        if len(self.memo) >= self.budget.memo:
            raise LimitExceededError(f"{self.origin}: the pickle remembers more than {self.budget.memo} values")
        if not self.stack:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: nothing to remember at byte {self.start}")
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: value {index} was never remembered (byte {self.start})")
        self.push(self.memo[index])

    # classes and calls, by name only

    def global_name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise CorruptStoreError(f"{self.origin}: damaged pickle: the name of a class is no text at byte {self.start}")
        self.push(Global(module, name))

    def reduce(self) -> None:
        self.charge(CONTAINER_COST)
        arguments, function = self.pop(), self.pop()
        self.push(reduce(function, arguments, self.data, self.objects, self.charge))

    def construct(self) -> None:
        self.charge(CONTAINER_COST)
        arguments, cls = self.pop(), self.pop()
        self.push(construct(cls, arguments, self.objects))

    def build(self) -> None:
        state = self.pop()
        if not self.stack:
            raise CorruptStoreError(f"{self.origin}: damaged pickle: nothing to build at byte {self.start}")
        build(self.stack[-1], state, self.data)

    def protocol(self) -> None:
        version = self.number(1)
        if version > MAX_PROTOCOL:
            raise UnsafeInputError(f"{self.origin}: pickle protocol {version} is not known; save it with protocol {MAX_PROTOCOL}")

    # numbers

    def bounded(self, value: int) -> int:
        if not -(1 << 63) <= value < 1 << 64:
            raise LimitExceededError(f"{self.origin}: an integer of more than 64 bits at byte {self.start}")
        return value

    def long(self, size_bytes: int) -> None:
        size = self.number(size_bytes)
        if size > MAX_INTEGER_BYTES:
            raise LimitExceededError(f"{self.origin}: an integer of {size} bytes at byte {self.start}; the limit is 64 bits")
        self.push(self.bounded(int.from_bytes(self.take(size), "little", signed=True)))

    def integer_line(self, *, booleans: bool) -> None:
        line = self.line()
        if booleans and line in (b"00", b"01"):
            self.push(line == b"01")
            return
        digits = line.removesuffix(b"L")
        if len(digits) > 24:
            raise LimitExceededError(f"{self.origin}: an integer of {len(digits)} digits at byte {self.start}; the limit is 64 bits")
        self.push(self.bounded(int(digits)))

    def float_line(self) -> None:
        line = self.line()
        value = float(line)
        if not math.isfinite(value) and line.lstrip(b"+-") not in (b"inf", b"nan"):
            raise ValueError(f"{line!r} is no number")
        self.push(value)

    def quoted_line(self) -> None:
        line = self.line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b'"', b"'"):
            raise ValueError("a text without its quotes")
        if not ESCAPED.match(line, 1, len(line) - 1):
            raise ValueError("a text with unknown escapes")
        self.push(codecs.escape_decode(line[1:-1])[0])


def _check(value: object, origin: str, budget: Budget) -> None:
    """Refuse a finished value that holds anything but data, refers to itself, is too deep, or would be endless to walk through."""
    sizes: dict[int, int] = {}

    def children(item: object) -> tuple[object, ...]:
        if isinstance(item, list | tuple | set | frozenset):
            return tuple(item)
        if type(item) is dict:
            return tuple(item.values())
        if isinstance(item, DataObject) and item.state is not None:
            return tuple(item.state.values())
        what = f"names {item}" if isinstance(item, Global) else f"leaves a {type(item).__name__} unfinished"
        raise UnsafeInputError(f"{origin}: the pickle {what} among its data; it was refused, nothing was run")

    def count(item: object, depth: int) -> int:
        if type(item) is PickledArray:
            if not item.is_built:
                raise CorruptStoreError(f"{origin}: the pickle holds an array without its data")
            return 1
        if type(item) in LEAVES or isinstance(item, LocatedBytes):
            return 1
        known = sizes.get(id(item))
        if known is not None:
            if known < 0:
                raise UnsafeInputError(f"{origin}: the pickle holds a value that contains itself; it was refused")
            return known
        if depth >= budget.depth:
            raise LimitExceededError(f"{origin}: the pickle is nested more than {budget.depth} deep; it was refused")
        sizes[id(item)] = -1
        total = 1 + sum(count(child, depth + 1) for child in children(item))
        if total > budget.nodes:
            raise LimitExceededError(f"{origin}: the pickle unfolds to more than {budget.nodes} values; it was refused")
        sizes[id(item)] = total
        return total

    count(value, 0)


Step = Callable[[_Walk], object]

STOP = ord(".")

OPCODES: dict[int, Step] = {
    0x80: _Walk.protocol,
    0x95: lambda walk: walk.take(8),
    ord("N"): lambda walk: walk.push(None),
    0x88: lambda walk: walk.push(True),
    0x89: lambda walk: walk.push(False),
    ord("K"): lambda walk: walk.push(walk.number(1)),
    ord("M"): lambda walk: walk.push(walk.number(2)),
    ord("J"): lambda walk: walk.push(int.from_bytes(walk.take(4), "little", signed=True)),
    ord("I"): lambda walk: walk.integer_line(booleans=True),
    ord("L"): lambda walk: walk.integer_line(booleans=False),
    0x8A: lambda walk: walk.long(1),
    0x8B: lambda walk: walk.long(4),
    ord("G"): lambda walk: walk.push(struct.unpack(">d", walk.take(8))[0]),
    ord("F"): _Walk.float_line,
    ord("S"): _Walk.quoted_line,
    ord("T"): lambda walk: walk.push(walk.located(4)),
    ord("U"): lambda walk: walk.push(walk.located(1)),
    ord("B"): lambda walk: walk.push(walk.located(4)),
    ord("C"): lambda walk: walk.push(walk.located(1)),
    0x8E: lambda walk: walk.push(walk.located(8)),
    0x96: lambda walk: walk.push(walk.located(8)),
    ord("V"): lambda walk: walk.push(codecs.decode(walk.line(), "raw-unicode-escape")),
    ord("X"): lambda walk: walk.push(walk.text(4)),
    0x8C: lambda walk: walk.push(walk.text(1)),
    0x8D: lambda walk: walk.push(walk.text(8)),
    ord("("): _Walk.mark,
    ord("0"): lambda walk: walk.pop() if walk.stack or not walk.outer else walk.since_mark(),
    ord("1"): _Walk.since_mark,
    ord("2"): lambda walk: walk.stack.append(walk.stack[-1]),
    ord("]"): lambda walk: walk.new([]),
    ord("}"): lambda walk: walk.new({}),
    0x8F: lambda walk: walk.new(set()),
    ord(")"): lambda walk: walk.push(()),
    0x85: lambda walk: walk.tuple_of(1),
    0x86: lambda walk: walk.tuple_of(2),
    0x87: lambda walk: walk.tuple_of(3),
    ord("t"): lambda walk: walk.push(tuple(walk.since_mark())),
    ord("l"): lambda walk: walk.new(walk.since_mark()),
    ord("d"): _Walk.dict_from_mark,
    0x91: lambda walk: walk.new(frozenset(walk.hashable(each) for each in walk.since_mark())),
    ord("a"): lambda walk: walk.extend_list([walk.pop()]),
    ord("e"): lambda walk: walk.extend_list(walk.since_mark()),
    ord("s"): lambda walk: walk.fill_dict([walk.pop(), walk.pop()][::-1]),
    ord("u"): lambda walk: walk.fill_dict(walk.since_mark()),
    0x90: lambda walk: walk.fill_set(walk.since_mark()),
    ord("p"): lambda walk: walk.put(int(walk.line()[:24])),
    ord("q"): lambda walk: walk.put(walk.number(1)),
    ord("r"): lambda walk: walk.put(walk.number(4)),
    0x94: lambda walk: walk.put(len(walk.memo)),
    ord("g"): lambda walk: walk.get(int(walk.line()[:24])),
    ord("h"): lambda walk: walk.get(walk.number(1)),
    ord("j"): lambda walk: walk.get(walk.number(4)),
    ord("c"): lambda walk: walk.global_name(walk.line().decode(), walk.line().decode()),
    0x93: lambda walk: walk.global_name(*[walk.pop(), walk.pop()][::-1]),
    ord("R"): _Walk.reduce,
    0x81: _Walk.construct,
    ord("b"): _Walk.build,
}

REFUSED = {
    ord("i"): "INST (a call)", ord("o"): "OBJ (a call)", 0x92: "NEWOBJ_EX (a call)", ord("P"): "PERSID (an outside object)",
    ord("Q"): "BINPERSID (an outside object)", 0x82: "EXT1 (a registered call)", 0x83: "EXT2 (a registered call)",
    0x84: "EXT4 (a registered call)", 0x97: "NEXT_BUFFER (an outside buffer)", 0x98: "READONLY_BUFFER (an outside buffer)",
}  # fmt: skip
