package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// slots is the number of concurrent transactions of a script.
const slots = 3

// names are the keys of a script. Some are neighbours or prefixes of others.
var names = []string{"a", "a\x00", "ab", "b", "c", "d", "d\xff"}

// allFrequencies are the relative frequencies of the actions in a script with all of
// them.
var allFrequencies = [actions]int{
	doReadVersion: 8, doGet: 22, doGetRange: 16, doSet: 16, doClear: 6, doClearRange: 5, doStampKey: 3, doStampValue: 4,
	doReadConflict: 5, doWriteConflict: 5, doWatch: 4, doStamp: 1, doCommit: 16, doOnError: 3, doReset: 2, doCancel: 1, doBegin: 6,
	doRetryLimit: 1,
}

// validFrequencies are those in a script of valid operations. Its transactions do not
// fail before their commit, so that many of them commit or conflict.
var validFrequencies = [actions]int{
	doGet: 6, doGetRange: 4, doSet: 4, doClear: 2, doClearRange: 2, doReadConflict: 1, doWriteConflict: 1, doCommit: 4,
}

// forbidden is a system key, which transactions may not use.
const forbidden = "\xff/fdbelection/none"

// retriedCodes are the codes that scripts pass to OnError.
var retriedCodes = []int{1007, 1009, 1020, 1021, 1025, 1031, 1036, 1037, 1039, 1213, 2000, 2101}

// generate returns a random script. Half of the scripts contain only valid operations.
func generate(random *rand.Rand) []step {
	steps, valid := 10+random.IntN(30), random.IntN(2) == 0
	if valid {
		steps += 20
	}
	script := make([]step, 0, steps)
	for len(script) < steps {
		if !valid {
			script = append(script, generateStep(random, len(script)))
			continue
		}
		s := generateValidStep(random, len(script))
		script = append(script, s)
		if s.action == doCommit {
			script = append(script, step{slot: s.slot, action: doBegin})
		}
	}
	return script
}

// generateValidStep returns a step that does not make its transaction fail.
func generateValidStep(random *rand.Rand, i int) step {
	s := step{slot: random.IntN(slots), action: generateAction(random, validFrequencies), key: names[random.IntN(len(names))]}
	switch s.action {
	case doGet:
		s.snapshot = random.IntN(3) == 0
	case doGetRange:
		s.end, s.snapshot = names[random.IntN(len(names))], random.IntN(3) == 0
		s.limit, s.reverse = random.IntN(4), random.IntN(2) == 0
	case doClearRange:
		s.end = names[random.IntN(len(names))]
	case doSet:
		s.value = fmt.Sprintf("v%d", i)
	default: // the other actions use only the slot and the key
	}
	if s.end != "" {
		s.key, s.end = min(s.key, s.end), max(s.key, s.end)
	}
	return s
}

func generateStep(random *rand.Rand, i int) step {
	name := func() string { return names[random.IntN(len(names))] }
	chance := func(percent int) bool { return random.IntN(100) < percent }
	s := step{slot: random.IntN(slots), action: generateAction(random, allFrequencies), key: name()}
	if chance(2) && s.action != doGetRange && s.action != doClearRange {
		s.key = forbidden
	}
	switch s.action {
	case doGet:
		s.snapshot, s.ignored = chance(25), chance(10)
	case doGetRange:
		// Range reads are always awaited. FoundationDB reads only the first batch
		// of a range that is not awaited, and the size of a batch is not defined.
		s.end, s.snapshot = name(), chance(25)
		s.limit, s.reverse = max(0, random.IntN(6)-2), chance(30)
	case doSet:
		s.value = fmt.Sprintf("v%d", i)
		switch n := random.IntN(100); {
		case n < 10:
			s.value = ""
		case n < 12:
			s.value = strings.Repeat("x", 100_001)
		case n < 14:
			s.key = strings.Repeat("k", 10_001)
		}
	case doClearRange:
		s.end = name()
	case doStampKey, doStampValue:
		s.value, s.offset = template(random)
	case doReadConflict, doWriteConflict:
		if chance(50) && s.key != forbidden {
			s.end = name()
		}
	case doRetryLimit:
		s.limit = random.IntN(4) - 1
	case doOnError:
		s.code = retriedCodes[random.IntN(len(retriedCodes))]
	default: // the other actions use only the slot and the key
	}
	if s.end != "" && s.end < s.key && chance(90) {
		s.key, s.end = s.end, s.key // the remaining 10 percent stay inverted
	}
	return s
}

// template returns a template for a versionstamp and its offset, which is sometimes
// invalid.
func template(random *rand.Rand) (text string, offset int32) {
	before, after := random.IntN(3), random.IntN(2)
	text = strings.Repeat("<", before) + stampRoom + strings.Repeat(">", after)
	offset = int32(before)
	switch random.IntN(12) {
	case 0:
		offset += 2
	case 1:
		offset = -1
	case 2:
		text, offset = "short", 0
	}
	return text, offset
}

// stampRoom is the placeholder for a versionstamp.
const stampRoom = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func generateAction(random *rand.Rand, frequencies [actions]int) action {
	sum := 0
	for _, n := range frequencies {
		sum += n
	}
	at := random.IntN(sum)
	for a, n := range frequencies {
		if at -= n; at < 0 {
			return action(a)
		}
	}
	return doGet
}
