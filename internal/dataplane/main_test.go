package dataplane_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a data plane leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
