// Package engines describes the engines of this module for the conformance suite.
package engines
