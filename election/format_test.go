package election

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/golden"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// docs/format.md has the same values.
var (
	goldenSpace = subspace.New("app", "elections", "main")
	goldenStamp = subspace.Versionstamp{Transaction: [10]byte{0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 1}, User: 2}
	goldenID    = Identity{ID: "node-a", Incarnation: uuid.MustParse("11111111-2222-3333-4444-555555555555")}
	goldenOther = Identity{ID: "node-b", Incarnation: uuid.MustParse("99999999-8888-7777-6666-555555555555")}
	goldenNonce = uuid.MustParse("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
	goldenTime  = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
)

func goldenConfig() fdbelection.Config {
	c := fdbelection.DefaultConfig()
	c.Revision, c.Nonce = 3, goldenNonce
	c.PreemptionGrace, c.MinimumTenure = 10*time.Second, 5*time.Second
	c.Margin = time.Second
	c.Expiry = fdbelection.ExpiryByObservation
	return c
}

func goldenCandidate() Candidate {
	return Candidate{
		Registration: Registration{
			Identity: goldenID, Priority: -7, Role: Observer, UserVersion: goldenStamp.User,
			Metadata: map[string]string{"zone": "b", "addr": "10.0.0.1:80"},
		},
		LastHeartbeat: goldenTime, Heartbeats: 300, Versionstamp: goldenStamp, ReadySince: goldenStamp,
	}
}

func goldenNoted() Candidate {
	c := goldenCandidate()
	second := func(n int64) time.Time { return time.Unix(n, 0).UTC() }
	c.notes = &notes{
		run: goldenOther.Incarnation, since: second(1), validUntil: second(19), holdOff: second(29),
		seen: Observation{
			Term: 42, Nonce: goldenNonce, TermSince: second(5), Ballot: 1234567, BallotSince: second(9),
			Lease: 10 * time.Second, LostAt: second(2),
		},
		request: seenRequest{kind: PreemptionRequest, nonce: goldenNonce, counter: 9, since: second(11), changed: second(12)},
	}
	return c
}

// goldenUnready has not been ready since its registration.
func goldenUnready() Candidate {
	c := goldenCandidate()
	c.NotReady, c.ReadySince = "cache is cold", subspace.Versionstamp{}
	return c
}

// goldenDelayed is ready since its registration, and says why it does not claim.
func goldenDelayed() Candidate {
	c := goldenCandidate()
	c.Delay = Delay{Rule: "hold-off", Until: goldenTime.Add(time.Minute)}
	return c
}

// goldenReadyAgain was not ready, and is ready again since a later commit.
func goldenReadyAgain() Candidate {
	c := goldenNoted()
	c.ReadySince = subspace.Versionstamp{Transaction: [10]byte{0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0xff, 0, 3}, User: 2}
	return c
}

func goldenLeader() LeaderRecord {
	return LeaderRecord{
		Ballot: 1234567, Term: 42, Identity: goldenID, Priority: 100,
		LeaseExpiry: goldenTime.Add(10 * time.Second), LeaseDuration: 10 * time.Second,
		Versionstamp: goldenStamp, AcquiredAt: goldenTime, Accepted: true, Nonce: goldenNonce,
		AcquireReason: AcquirePreemption,
	}
}

var goldenRequest = Request{
	Kind: PreemptionRequest, Term: 42, Identity: goldenOther, Nonce: goldenNonce, Counter: 9, Priority: 101,
}

// goldenTracedRequest is by a challenger with a trace.
func goldenTracedRequest() Request {
	r := goldenRequest
	r.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	return r
}

var goldenEvent = Event{
	Term: 42, Kind: EventBegan, From: goldenOther, To: goldenID, Reason: "preemption",
	Ballot: 1234500, At: goldenTime, Nonce: goldenNonce,
}

func goldenRecords() []golden.Record {
	k := newKeys(goldenSpace)
	config, leader, candidate := goldenConfig(), goldenLeader(), goldenCandidate()
	held, noted := TermRecord{Token: leader.Token(), Held: true, Ballot: goldenEvent.Ballot}, goldenNoted()
	registering := candidate
	registering.Versionstamp, registering.ReadySince = subspace.IncompleteVersionstamp(2), subspace.IncompleteVersionstamp(2)
	unready, again, delayed, becomingReady := goldenUnready(), goldenReadyAgain(), goldenDelayed(), goldenReadyAgain()
	again.Delay = delayed.Delay
	becomingReady.ReadySince = subspace.IncompleteVersionstamp(2)
	voter := candidate
	voter.Role = Voter
	joining := voter
	joining.Versionstamp, joining.ReadySince = subspace.IncompleteVersionstamp(2), subspace.IncompleteVersionstamp(2)
	vacant, traced := leader.vacated(goldenTime), goldenTracedRequest()
	return []golden.Record{
		golden.Of("config", k.config, encodeConfig(config), func(k, v []byte) (any, error) { return decodeConfig(k, v) }, config),
		golden.Of("leader", k.leader, leader.encode(), func(k, v []byte) (any, error) { return decodeLeader(k, v) }, leader),
		golden.Of("leader, vacant", k.leader, vacant.encode(), func(k, v []byte) (any, error) { return decodeLeader(k, v) }, vacant),
		golden.Of("term", k.term, held.encode(), func(k, v []byte) (any, error) { return decodeTerm(k, v) }, held),
		golden.Of(
			"candidate", k.candidate("node-a"), candidate.encode(),
			func(key, v []byte) (any, error) {
				id, ok := k.candidateID(key)
				if !ok {
					return nil, errors.New("not the key of a candidate")
				}
				return decodeCandidate(key, id, v)
			}, candidate,
		),
		golden.Of(
			"candidate, with notes", k.candidate("node-a"), noted.encode(),
			func(key, v []byte) (any, error) { return decodeCandidate(key, "node-a", v) }, noted,
		),
		golden.Of(
			"candidate, not ready", k.candidate("node-a"), unready.encode(),
			func(key, v []byte) (any, error) { return decodeCandidate(key, "node-a", v) }, unready,
		),
		golden.Of(
			"candidate, ready again", k.candidate("node-a"), again.encode(),
			func(key, v []byte) (any, error) { return decodeCandidate(key, "node-a", v) }, again,
		),
		golden.Of(
			"candidate, delayed", k.candidate("node-a"), delayed.encode(),
			func(key, v []byte) (any, error) { return decodeCandidate(key, "node-a", v) }, delayed,
		),
		golden.Of("candidate, template", k.candidate("node-a"), registering.encode(), nil, nil),
		golden.Of("candidate, template if it becomes ready", k.candidate("node-a"), becomingReady.encode(), nil, nil),
		golden.Of(
			"rank", k.rankOf(&voter),
			[]byte{},
			func(key, _ []byte) (any, error) { ranked, _, err := k.ranked(key); return ranked, err },
			RankEntry{ID: "node-a", Priority: -7, Versionstamp: goldenStamp},
		),
		golden.Of("rank, template", k.rankOf(&joining), []byte{}, nil, nil),
		golden.Of("intent", k.request, goldenRequest.encode(), func(k, v []byte) (any, error) { return decodeRequest(k, v) }, goldenRequest),
		golden.Of("request, with a trace context", k.request, traced.encode(), func(k, v []byte) (any, error) { return decodeRequest(k, v) }, traced),
		golden.Of(
			"history", k.event(42, EventBegan), goldenEvent.encode(),
			func(key, v []byte) (any, error) { event, _, err := k.decodeEvent(key, v); return event, err }, goldenEvent,
		),
		golden.Of("notice, of the leader", k.leaderNotice, notice(goldenNonce, goldenEvent.Ballot), nil, nil),
		golden.Of("notice, of the candidates", k.candidatesNotice, registrationNotice(&candidate), nil, nil),
		golden.Of("notice, of a removal", k.candidatesNotice, subspace.AppendBool(registrationNotice(&candidate), true), nil, nil),
	}
}

// TestFormatIsGolden compares every record with testdata/format.txt, and reads it back.
func TestFormatIsGolden(t *testing.T) { golden.Check(t, goldenRecords()) }

// TestRecordsWithoutLaterElements reads records of programs from before some elements were
// added.
func TestRecordsWithoutLaterElements(t *testing.T) {
	k := newKeys(goldenSpace)
	before := func(text string) []byte { return golden.Value(t, text) }
	config, err := decodeConfig(k.config, before("15011501150330aaaaaaaabbbbccccddddeeeeeeeeeeee1902540be40018b2d05e0019037e11d60027271902540be40019012a05f200183b9aca0015801501"))
	require.NoError(t, err)
	want := goldenConfig()
	want.PreemptDelay = 0
	require.Equal(t, want, config)
	tenure, err := decodeTerm(k.term, before("1501152a026e6f64652d6100301111111122223333444455555555555530aaaaaaaabbbbccccddddeeeeeeeeeeee27"))
	require.NoError(t, err)
	require.Equal(t, TermRecord{Token: goldenLeader().Token(), Held: true}, tenure)
	candidate, err := decodeCandidate(nil, "node-a", before("150113f81c1886caf21c9634a616012c33000000123456789a00010002301111111122223333444455555555555526050261646472000231302e302e302e313a383000027a6f6e650002620000"))
	require.NoError(t, err)
	require.Equal(t, goldenCandidate(), candidate)
	request, err := decodeRequest(k.request, before("15011501152a026e6f64652d6200309999999988887777666655555555555530aaaaaaaabbbbccccddddeeeeeeeeeeee15091565"))
	require.NoError(t, err)
	require.Equal(t, goldenRequest, request)
}

// TestTraceContextIsValidOrDropped reads requests whose last element is not a valid
// traceparent. The request counts without it. An invalid one is not written either.
func TestTraceContextIsValidOrDropped(t *testing.T) {
	valid := goldenTracedRequest().TraceParent
	key := newKeys(goldenSpace).request
	plain := goldenRequest.encode()
	for name, element := range map[string][]byte{
		"empty":                    subspace.AppendString(nil, ""),
		"too long":                 subspace.AppendString(nil, valid+"0"),
		"very long":                subspace.AppendString(nil, strings.Repeat(valid, 1000)),
		"too short":                subspace.AppendString(nil, valid[:54]),
		"another version":          subspace.AppendString(nil, "01"+valid[2:]),
		"no hyphen":                subspace.AppendString(nil, strings.Replace(valid, "6-0", "600", 1)),
		"no hyphen at the end":     subspace.AppendString(nil, valid[:52]+"0"+valid[53:]),
		"upper case":               subspace.AppendString(nil, strings.ToUpper(valid)),
		"control characters":       subspace.AppendString(nil, valid[:40]+"\x1b[31m"+valid[45:]),
		"not ASCII":                subspace.AppendString(nil, valid[:40]+"é"+valid[42:]),
		"not UTF-8":                subspace.AppendString(nil, valid[:40]+"\xff"+valid[41:]),
		"the trace id is zero":     subspace.AppendString(nil, "00-"+strings.Repeat("0", 32)+valid[35:]),
		"the span id is zero":      subspace.AppendString(nil, valid[:36]+strings.Repeat("0", 16)+valid[52:]),
		"the flags are not digits": subspace.AppendString(nil, valid[:53]+"0g"),
		"a number":                 subspace.AppendInt(nil, 7),
		"cut off":                  subspace.AppendString(nil, valid)[:20],
		"no element":               {0xff},
	} {
		request, err := decodeRequest(key, append(slices.Clone(plain), element...))
		require.NoError(t, err, name)
		require.Equal(t, goldenRequest, request, name)
	}
	request, err := decodeRequest(key, subspace.AppendInt(subspace.AppendString(slices.Clone(plain), valid), 7))
	require.NoError(t, err, "a later element")
	require.Equal(t, goldenTracedRequest(), request)
}

// TestTemplatesPointAtTheStamp writes a versionstamp to the position that a template names, as
// a commit does, and reads the result.
func TestTemplatesPointAtTheStamp(t *testing.T) {
	k := newKeys(goldenSpace)
	c := goldenCandidate()
	c.Role = Voter
	unready := goldenUnready()
	again := goldenReadyAgain()
	again.Versionstamp.Transaction[9], again.ReadySince = 99, goldenStamp
	pending := subspace.IncompleteVersionstamp(2)
	for _, want := range []Candidate{c, unready, again} {
		template := want
		switch {
		case want.ReadySince != want.Versionstamp && want.Ready():
			template.ReadySince = pending
		case want.Ready():
			template.Versionstamp, template.ReadySince = pending, pending
		default:
			template.Versionstamp = pending
		}
		got, err := decodeCandidate(nil, "node-a", golden.Stamped(t, template.encode(), goldenStamp))
		require.NoError(t, err)
		require.Equal(t, want, got)
		if !want.Ready() {
			continue
		}
		rank, _, err := k.ranked(golden.Stamped(t, k.rankOf(&template), goldenStamp))
		require.NoError(t, err)
		require.Equal(t, goldenStamp, rank.Versionstamp)
	}
}

// FuzzDecode passes any bytes to every decoder. It returns a value or an InvalidStateError, and
// never panics. A value that was read can be written and read again.
func FuzzDecode(f *testing.F) {
	for i, r := range goldenRecords() {
		f.Add(i, r.Key, r.Value)
	}
	k := newKeys(goldenSpace)
	f.Fuzz(func(t *testing.T, _ int, key, value []byte) {
		check := func(err error) bool {
			if err != nil {
				require.ErrorIs(t, err, fdbelection.ErrInvalidState)
			}
			return err == nil
		}
		value = append([]byte{}, value...) // never nil, which would mean that there is no record
		if c, err := decodeConfig(key, value); check(err) {
			again, err := decodeConfig(key, encodeConfig(c))
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
		if l, err := decodeLeader(key, value); check(err) {
			again, err := decodeLeader(key, l.encode())
			require.NoError(t, err)
			require.Equal(t, clamped(l), again)
			require.Greater(t, l.vacated(goldenTime).Ballot, l.Ballot)
		}
		if x, err := decodeTerm(key, value); check(err) {
			again, err := decodeTerm(key, x.encode())
			require.NoError(t, err)
			require.Equal(t, x, again)
		}
		if i, err := decodeRequest(key, value); check(err) {
			again, err := decodeRequest(key, i.encode())
			require.NoError(t, err)
			require.Equal(t, i, again)
		}
		if c, err := decodeCandidate(key, "id", value); check(err) {
			_, err := decodeCandidate(key, "id", c.encode())
			require.NoError(t, err)
		}
		_, _, err := k.decodeEvent(key, value)
		check(err)
		_, _, _ = k.ranked(key)
		_, _ = k.candidateID(key)
	})
}

// clamped returns l with its times in the range that is stored.
func clamped(l LeaderRecord) LeaderRecord {
	l.LeaseExpiry, l.AcquiredAt = record.Instant(l.LeaseExpiry), record.Instant(l.AcquiredAt)
	return l
}
