// Package system gives this project and its peers one shape, so that one scenario measures them
// all. Each peer is used the way its documentation advises.
//
// The servers of Redis, PostgreSQL and ZooKeeper are the packages of Debian, as processes on
// loopback. They end with the benchmark, also if it is killed. That needs Linux, so this package
// compiles on Linux only.
package system
