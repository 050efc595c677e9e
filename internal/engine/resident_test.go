package engine

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"culvert/internal/config"
	"culvert/internal/pool"
)

func debugFree() { debug.FreeOSMemory() }

// statm reads the resident memory of the process, in bytes.
func statm() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic("engine: " + err.Error())
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		panic("engine: " + err.Error())
	}
	return resident * int64(os.Getpagesize())
}

func newPools(t testing.TB, store *config.Store) *pool.Pools {
	t.Helper()
	pools := pool.New()
	if err := pools.Configure(poolConfigs(store.Snapshot())); err != nil {
		t.Fatal(err)
	}
	return pools
}
