package serve_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, nil) }
