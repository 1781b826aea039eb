package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/clock"
)

func TestWrongClock(t *testing.T) {
	boot := clock.Boot()
	c := newWrongClock(0.5)
	begin := c.Now()
	fired := make(chan time.Duration, 1)
	c.AfterFunc(20*time.Millisecond, func() { fired <- clock.Boot() })
	require.GreaterOrEqual(t, <-fired-boot, 40*time.Millisecond, "its timers are slow")
	half := c.Now().Sub(begin)
	require.GreaterOrEqual(t, half, 19*time.Millisecond)
	require.LessOrEqual(t, half, (clock.Boot()-boot)/2+time.Millisecond)

	before := c.Now()
	c.setRate(2)
	after := c.Now()
	require.GreaterOrEqual(t, after.Sub(before), time.Duration(0), "it never steps")
	require.Less(t, after.Sub(before), time.Second)

	c.setStep(-time.Hour)
	require.InDelta(t, -time.Hour, time.Until(c.Wall()), float64(time.Minute))
}
