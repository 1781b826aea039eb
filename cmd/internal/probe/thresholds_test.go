package probe

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Results in a row change the verdict at the thresholds. A process is not ready before the
// first result.
func TestThresholds(t *testing.T) {
	for _, test := range []struct {
		success, failure int
		results          string // + is a success and - a failure
		verdicts         string // after each result, + if the process is ready
	}{
		{1, 1, "+-+-", "+-+-"},
		{1, 3, "+--+---+", "++++" + "++-+"},
		{1, 3, "-+", "-+"},
		{1, 3, "--+--+--+---", "--++++++++" + "+-"},
		{2, 1, "++-+-++", "-+----+"},
		{3, 2, "+++-+--++-+++", "--++++----" + "--+"},
	} {
		t.Run(fmt.Sprintf("%d,%d,%s", test.success, test.failure, test.results), func(t *testing.T) {
			var v verdict
			limits := Thresholds{Success: test.success, Failure: test.failure}
			require.Error(t, v.unready(limits), "before the first result")
			var verdicts strings.Builder
			for i, r := range test.results {
				var result error
				if r == '-' {
					result = fmt.Errorf("failure %d", i)
				}
				v = v.next(result, limits)
				unready := v.unready(limits)
				switch {
				case unready == nil:
					verdicts.WriteByte('+')
					continue
				case result != nil:
					require.Equal(t, result, unready, "the newest failure is the reason")
				}
				verdicts.WriteByte('-')
			}
			require.Equal(t, test.verdicts, verdicts.String())
		})
	}
}

// Between a failure and the last success that is needed, the reason says how many there were.
func TestReasonBelowTheSuccessThreshold(t *testing.T) {
	limits := Thresholds{Success: 3, Failure: 1}
	v := verdict{}.next(errors.New("down"), limits).next(nil, limits)
	require.EqualError(t, v.unready(limits), "1 of 3 successful checks in a row")
	require.EqualError(t, v.next(nil, limits).unready(limits), "2 of 3 successful checks in a row")
	require.EqualError(t, verdict{}.unready(limits), "0 of 3 successful checks in a row")
}
