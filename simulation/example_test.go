package simulation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/simulation"
)

// Run one seed. Set Trace to see what happens.
func ExampleRun() {
	result := simulation.Run(simulation.Options{Seed: 7, Faulty: 30 * time.Second})
	if result.Failed() {
		fmt.Println(result.Violations[0].Error())
	}
	fmt.Println("tenures:", result.Tenures > 0, "fenced writes:", result.Fenced > 0)
	// Output: tenures: true fenced writes: true
}

// Run many seeds, and print how each failure came about.
func ExampleSweep() {
	summary := simulation.Sweep(context.Background(), simulation.SweepOptions{
		First: 1, Seeds: 10, Jobs: 2, Twice: 10, Linearize: 10,
	})
	for i := range summary.Failures {
		report, _ := simulation.Explain(simulation.Options{}, &summary.Failures[i], 40)
		fmt.Println(report)
	}
	fmt.Printf("%d seeds, %d failed\n", summary.Seeds, len(summary.Failures))
	// Output: 10 seeds, 0 failed
}
