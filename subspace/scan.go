package subspace

import (
	"bytes"
	"fmt"
)

// scan stores the next element in it and does not move past it. At the end of the
// tuple, the kind is KindNone. If the element is a nested tuple, scan finds only its
// beginning.
func (r *Reader) scan(it *item) (ok bool) {
	*it = item{}
	if r.err != nil {
		return false
	}
	rest := r.packed[r.pos:]
	if len(rest) == 0 {
		return true
	}
	code := rest[0]
	it.code, it.kind = code, kindOf[code]
	rest = rest[1:]
	size, header := 0, 1
	switch it.kind {
	case KindNone:
		r.fail(unsupportedCode(code))
		return false
	case KindBytes, KindString:
		return r.scanTerminated(it, rest)
	case KindInteger:
		if code == codeNegativeBig || code == codePositiveBig {
			if len(rest) == 0 {
				r.fail("truncated: an integer without its length")
				return false
			}
			size, header = int(rest[0]), 2
			if code == codeNegativeBig {
				size ^= 0xff
			}
			rest = rest[1:]
		} else {
			size = max(int(code)-codeIntegerZero, codeIntegerZero-int(code))
		}
	case KindNil:
		size = min(r.depth, 1) // the escape, if the tuple is nested
	case KindFloat32:
		size = 4
	case KindFloat64:
		size = 8
	case KindUUID:
		size = 16
	case KindVersionstamp:
		size = 12
	case KindBool, KindNested: // only the type code
	}
	if len(rest) < size {
		r.fail(fmt.Sprintf("truncated: %v takes %d bytes, found %d", it.kind, size, len(rest)))
		return false
	}
	it.body, it.end = rest[:size], r.pos+header+size
	return true
}

// scanTerminated finds the end of a string or byte string. rest begins with its
// data.
func (r *Reader) scanTerminated(it *item, rest []byte) (ok bool) {
	size := 0
	for {
		i := bytes.IndexByte(rest[size:], terminator)
		if i < 0 {
			r.fail(fmt.Sprintf("truncated: %v without its end", it.kind))
			return false
		}
		size += i
		if size+1 == len(rest) || rest[size+1] != escape {
			break
		}
		it.escapes++
		size += 2
	}
	it.body, it.end = rest[:size], r.pos+1+size+1
	return true
}

// expect finds the next element. It fails if the kind is not want.
func (r *Reader) expect(want Kind, it *item) (ok bool) {
	if !r.scan(it) {
		return false
	}
	if it.kind != want {
		r.fail("expected " + want.String() + ", found " + it.kind.String())
		return false
	}
	return true
}

// expectAny finds the next element. It fails at the end of the tuple.
func (r *Reader) expectAny(it *item) (ok bool) {
	if !r.scan(it) {
		return false
	}
	if it.kind == KindNone {
		r.fail("expected an element, found " + it.kind.String())
		return false
	}
	return true
}

// accept moves past an element that scan found.
func (r *Reader) accept(it *item) {
	r.pos = it.end
	r.index++
}

// enter moves into the nested tuple that scan found.
func (r *Reader) enter() {
	if r.depth == maxDepth {
		r.fail(errTooDeep.Error())
		return
	}
	r.pos++
	r.depth++
	r.index = 0
}

// inside reports whether the tuple that was entered has another element. It fails
// if the bytes end before the tuple does.
func (r *Reader) inside() bool {
	if r.err != nil {
		return false
	}
	rest := r.packed[r.pos:]
	if len(rest) == 0 {
		r.fail("truncated: a nested tuple without its end")
		return false
	}
	return rest[0] != terminator || len(rest) > 1 && rest[1] == escape
}

// leave moves past the end of the tuple that was entered. index is the index of
// that tuple in its parent.
func (r *Reader) leave(index int) {
	if r.err != nil {
		return
	}
	r.pos++
	r.depth--
	r.index = index + 1
}

// fail sets the error of the reader, at the next element.
func (r *Reader) fail(problem string) {
	r.err = &decodeError{Index: r.index, Depth: r.depth, Offset: r.base + r.pos, Problem: problem}
}
