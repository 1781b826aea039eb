// Package processtest runs fdbelect as a process of a test. Main makes the test binary the
// command, Start starts "fdbelect run", and a Monitor checks the leader record meanwhile.
package processtest
