// Peers measures this project beside other systems and writes docs/benchmarks.md.
package main

import (
	"os"

	"github.com/fdbelection/fdbelection/bench/internal/program"
	"github.com/fdbelection/fdbelection/bench/internal/system"
)

func main() { os.Exit(program.Main(system.All())) }
