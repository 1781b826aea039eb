// Package electorfake is for unit tests of code that uses an Elector. A Fake has an Elector that
// leads, is in jeopardy, and loses leadership when the test says so.
//
//	fake := electorfake.New(t, elector.Options{})
//	go service.Run(ctx, fake.Elector) // the code under test
//	fake.Lead()
//	fake.Lose()
//
// The Elector is a real one, on an engine in memory and on a clock that stands still between
// two commands. So callbacks, contexts, causes, terms and fencing tokens are those of
// production, Leadership.Transact is refused after a loss, and no test waits for a lease.
package electorfake
