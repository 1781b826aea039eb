// Package bench is "fdbelect bench": it measures the operations of an election on a store.
package bench
