// Package gocron holds nothing but the proof that an elector takes the place of
// gocron's Elector as it is:
//
//	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(el))
//
// It is a module of its own, so that the library does not depend on gocron. A
// program that has both needs nothing from here.
//
// Every scheduler keeps its own timetable, and asks its elector at each turn of a
// job. What IsLeader says holds for the instant of the call: a job that runs for
// long, or that must not run twice, fences what it writes with a Leadership of
// its own, from Run or Campaign.
package gocron
