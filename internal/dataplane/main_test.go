package dataplane_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a data plane leaves a goroutine behind. With a variable set the
// binary is the process that a test kills.
func TestMain(m *testing.M) {
	if role := os.Getenv(victimRole); role != "" {
		os.Exit(victim(role))
	}
	goleak.VerifyTestMain(m)
}
