// Package browsertest tests the page of "fdbelect serve" in a headless Chromium, against the real
// server on stores in memory. .ci/browser runs it. It is a module of its own, so that the command
// does not require a client of browsers.
package browsertest
