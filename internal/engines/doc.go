// Package engines describes the engines of this module to the conformance
// suite, once for every test that runs it.
package engines
