// Package leases is for tests: the leases of an API server in memory. In contrast to client-go's fake
// clientset, it refuses an update of an outdated version, as an API server does.
package leases

import (
	"strconv"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/kubernetes/typed/coordination/v1/fake"
	"k8s.io/client-go/testing"
)

// New returns a client of a server without leases.
func New() coordination.LeasesGetter {
	s := &server{leases: map[string]*coordinationv1.Lease{}}
	f := &testing.Fake{}
	f.AddReactor("*", "leases", s.react)
	return &fake.FakeCoordinationV1{Fake: f}
}

type server struct {
	mu      sync.Mutex
	leases  map[string]*coordinationv1.Lease
	version int
}

func (s *server) react(action testing.Action) (handled bool, result runtime.Object, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resource := action.GetResource().GroupResource()
	if get, ok := action.(testing.GetActionImpl); ok {
		stored := s.leases[get.Namespace+"/"+get.Name]
		if stored == nil {
			return true, nil, apierrors.NewNotFound(resource, get.Name)
		}
		return true, stored.DeepCopy(), nil
	}
	written, ok := action.(interface{ GetObject() runtime.Object })
	if !ok {
		return false, nil, nil
	}
	lease, ok := written.GetObject().DeepCopyObject().(*coordinationv1.Lease)
	if !ok {
		return false, nil, nil
	}
	key := action.GetNamespace() + "/" + lease.Name
	stored := s.leases[key]
	switch {
	case action.GetVerb() == "create" && stored != nil:
		return true, nil, apierrors.NewAlreadyExists(resource, lease.Name)
	case action.GetVerb() == "update" && stored == nil:
		return true, nil, apierrors.NewNotFound(resource, lease.Name)
	case action.GetVerb() == "update" && stored.ResourceVersion != lease.ResourceVersion:
		return true, nil, apierrors.NewConflict(resource, lease.Name, nil)
	}
	s.version++
	lease.ResourceVersion = strconv.Itoa(s.version)
	s.leases[key] = lease
	return true, lease.DeepCopy(), nil
}
