// Package bench compares groups and elections with those of other systems, on the same machine
// and in the same run. It is a module of its own, since the other systems are heavy. Command peers
// measures elections. The benchmarks of this package measure groups.
package bench
