package subspace

import "strconv"

// Kind is the type of a packed element.
type Kind uint8

// The kinds of elements. KindNone means that there is no element: the tuple ends.
const (
	KindNone Kind = iota
	KindNil
	KindBytes
	KindString
	KindNested
	KindInteger
	KindFloat32
	KindFloat64
	KindBool
	KindUUID
	KindVersionstamp
)

var kindNames = [...]string{
	KindNone:         "the end of the tuple",
	KindNil:          "nil",
	KindBytes:        "a byte string",
	KindString:       "a string",
	KindNested:       "a nested tuple",
	KindInteger:      "an integer",
	KindFloat32:      "a float32",
	KindFloat64:      "a float64",
	KindBool:         "a boolean",
	KindUUID:         "a UUID",
	KindVersionstamp: "a versionstamp",
}

// String returns the kind in words, with an article: "a string".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Type codes: the first byte of each element.
const (
	codeNil          = 0x00
	codeBytes        = 0x01
	codeString       = 0x02
	codeNested       = 0x05
	codeNegativeBig  = 0x0b // a length byte (complemented) and a magnitude follow
	codeIntegerZero  = 0x14 // plus the number of bytes, up to 8, or minus it if negative
	codePositiveBig  = 0x1d // a length byte and a magnitude follow
	codeFloat32      = 0x20
	codeFloat64      = 0x21
	codeFalse        = 0x26
	codeTrue         = 0x27
	codeUUID         = 0x30
	codeVersionstamp = 0x33
)

// A zero byte ends a string, a byte string and a nested tuple. A zero byte that is
// data is followed by escape. escape is not a type code, so no element begins with
// it.
const (
	terminator = 0x00
	escape     = 0xff
)

// kindOf maps type codes to kinds. The kind of an unsupported code is KindNone.
var kindOf = func() (kinds [256]Kind) {
	kinds[codeNil] = KindNil
	kinds[codeBytes] = KindBytes
	kinds[codeString] = KindString
	kinds[codeNested] = KindNested
	for code := codeNegativeBig; code <= codePositiveBig; code++ {
		kinds[code] = KindInteger
	}
	kinds[codeFloat32] = KindFloat32
	kinds[codeFloat64] = KindFloat64
	kinds[codeFalse] = KindBool
	kinds[codeTrue] = KindBool
	kinds[codeUUID] = KindUUID
	kinds[codeVersionstamp] = KindVersionstamp
	return kinds
}()

// unsupportedCode describes a type code that kindOf does not know. The
// specification reserves most of them, but no binding writes them.
func unsupportedCode(code byte) string {
	what := "unknown"
	switch {
	case code == 0x03 || code == 0x04:
		what = "old form of a nested tuple, deprecated"
	case code == 0x0a || code == 0x1e:
		what = "integer of arbitrary length, reserved"
	case code == 0x22:
		what = "long double, reserved"
	case code == 0x23 || code == 0x24:
		what = "decimal, reserved"
	case code == 0x25:
		what = "old form of true, deprecated"
	case code == 0x31:
		what = "64-bit identifier, reserved"
	case code == 0x32:
		what = "80-bit versionstamp, reserved"
	case code >= 0x40 && code <= 0x4f:
		what = "type that an application defines"
	}
	return "unsupported type code 0x" + string(hexDigits[code>>4]) + string(hexDigits[code&15]) + " (" + what + ")"
}
