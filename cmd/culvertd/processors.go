package main

import (
	"os"
	"runtime"
)

// spareProcessors is by how many goroutines more may run at once than there are processors.
//
// A goroutine that waits in the kernel keeps its place among those until the run time
// notices, 20 microseconds to 10 milliseconds later. With the kernel's data plane
// hundreds wait for the RTNL lock and for grace periods, and the shards, which
// never wait, would stand in line behind them (docs/performance.md).
const spareProcessors = 1

// makeRoom lets them run. Who has set GOMAXPROCS gets what is asked for. It is called once
// there are as many shards and pollers as there are processors.
func makeRoom() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcessors)
	}
}
