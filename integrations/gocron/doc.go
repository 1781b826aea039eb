// Package gocron tests that an Elector can be passed to gocron unchanged:
//
//	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(el))
//
// It is a module of its own, so that the library does not depend on gocron. A program does
// not need to import it.
//
// Every scheduler has its own timetable and calls IsLeader before each run of a job. The
// answer holds for the instant of the call. If a job runs for long or must not run twice,
// let it write with Leadership.Transact, with a Leadership of Run or Campaign.
package gocron
