// Package controllerruntime runs work in a manager of controller-runtime under the leadership of
// an Elector:
//
//	err := mgr.Add(controllerruntime.Runnable{Elector: el, Work: work})
//
// It replaces the leader election of the manager, so leave manager.Options.LeaderElection off. In
// contrast to it, leadership is released after the work has returned, and a loss ends only the
// tenure: the process campaigns again and need not exit. Other runnables of the manager, such as
// webhooks, run all the time.
//
// A controller of controller-runtime can be started only once. Make it in the work, once for each
// tenure, with controller.NewUnmanaged, and let its reconciler write with the Leadership.
//
// To keep the leader election of the manager and its controllers as they are, use the Lock of
// integrations/clientgo instead. This package is in a module of its own, so that the library does
// not depend on Kubernetes.
package controllerruntime

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fdbelection/fdbelection/elector"
)

// Runnable is a manager.Runnable that campaigns with Elector and calls Work for each tenure.
type Runnable struct {
	// Elector campaigns from Start until the manager stops. Nothing else may start it.
	Elector *elector.Elector
	// Work is called as by Elector.Run. It should return soon after its context has ended.
	Work func(ctx context.Context, lead *elector.Leadership) error
}

var _ manager.LeaderElectionRunnable = Runnable{}

// Start is Elector.Run. When the manager stops, the work ends, leadership is released and the
// candidate leaves. Options.DrainLimit and Options.LeaveLimit of the Elector should together be
// shorter than the GracefulShutdownTimeout of the manager. If the Elector stops by itself, so does
// the manager.
func (r Runnable) Start(ctx context.Context) error { return r.Elector.Run(ctx, r.Work) }

// NeedLeaderElection returns false: the Elector decides when Work runs, and not the manager.
func (r Runnable) NeedLeaderElection() bool { return false }
