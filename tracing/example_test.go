package tracing_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
	"github.com/fdbelection/fdbelection/tracing"
)

// A service traces its elector. It leads once and leaves.
func Example() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	exporter := tracetest.NewInMemoryExporter() // in a service: otlptracegrpc.New, for example
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	// begin traces
	el, err := elector.New(db, election.New(subspace.New("orders")), elector.Options{
		NodeID: "a",
		Tracer: tracing.New(provider),
	})
	// end traces
	if err != nil {
		fmt.Println(err)
		return
	}
	err = el.Run(ctx, func(context.Context, *elector.Leadership) error { return elector.ErrDone })
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, span := range exporter.GetSpans() {
		fmt.Print(span.Name, ":")
		for _, attribute := range span.Attributes {
			switch attribute.Key {
			case "fdbelection.outcome", "fdbelection.state.from", "fdbelection.state.to":
				fmt.Print(" ", attribute.Value.AsString())
			}
		}
		fmt.Println()
	}
	// Output:
	// change state: stopped candidate
	// change state: candidate leader
	// claim leadership: elected
	// change state: leader candidate
	// change state: candidate stopped
	// hand over leadership: resigned
}
