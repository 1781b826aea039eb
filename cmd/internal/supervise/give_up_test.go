package supervise

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A command has failed too often if the window holds as many failures as the limit.
func TestFailures(t *testing.T) {
	epoch := time.Unix(0, 0)
	for _, test := range []struct {
		after   int
		seconds []int  // when the command failed
		want    string // after each failure, + if that was too often
	}{
		{0, []int{0, 0, 0}, "---"},
		{1, []int{0, 100, 200}, "+++"},
		{3, []int{0, 1, 2, 3}, "--++"},
		{3, []int{0, 5, 10, 16, 17, 20}, "--+-+" + "+"},
		{3, []int{0, 11, 22, 33}, "----"},
		{2, []int{0, 10, 21, 22}, "-+-+"},
	} {
		t.Run(fmt.Sprint(test.after, test.seconds), func(t *testing.T) {
			var f failures
			got := ""
			for _, s := range test.seconds {
				if f.add(epoch.Add(time.Duration(s)*time.Second), GiveUp{After: test.after, Window: 10 * time.Second}) {
					got += "+"
				} else {
					got += "-"
				}
			}
			require.Equal(t, test.want, got)
			require.LessOrEqual(t, len(f), test.after)
		})
	}
}
