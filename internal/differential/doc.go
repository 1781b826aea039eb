// Package differential compares two engines. It plays the same random script of
// interleaved transactions on both and compares every result. It finds differences
// that no case of the conformance suite covers. Half of the scripts contain only valid
// operations. The others also contain invalid ones, resets and watches.
//
// If the results of a script differ, the package reduces the script to the steps
// that are necessary, and prints it with both results and the seed that replays it.
//
// Versions and versionstamps differ between engines. A stamp is compared by the
// commit that it belongs to, and a version only by whether there is one.
package differential
