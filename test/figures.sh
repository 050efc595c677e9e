#!/bin/sh
# Prints the first figures of docs/performance.md, each in the run in which it
# is compared: what an idle session costs, how long a restart takes, and how fast sessions come up over the
# kernel's data plane beside what the same kernel calls cost alone.
#
# Usage: test/figures.sh        after make vmrun vmtests
set -eu
cd "$(dirname "$0")/.."
export CGO_ENABLED=0

echo "idle sessions, and a restart with 10,000 (internal/engine, BenchmarkIdleSessions and BenchmarkRestart):"
out=$(go test -run '^$' -bench '^Benchmark(IdleSessions|Restart)$' -benchtime 1x ./internal/engine 2>&1) || { echo "$out"; exit 1; }
echo "$out" | grep ^Benchmark

echo "set-up in the virtual machine, 1,000 sessions in 8 tunnels (kernel and test/e2e, BenchmarkSetUp):"
out=$(build/vmrun -timeout 9m -env CULVERT_TEST_KERNEL=1 -- sh -ec '
	cd kernel
	../build/test/kernel.test -test.run "^$" -test.bench "^BenchmarkSetUp$/^numbered$/^workers=512$" -test.benchtime 1000x
	cd ../test/e2e
	../../build/test/e2e.test -test.run "^$" -test.bench "^BenchmarkSetUp$/^sessions=1000$" -test.benchtime 1x') || { echo "$out"; exit 1; }
echo "$out" | grep -e ^Benchmark -e sessions/s
echo "$out" | awk '
	/^BenchmarkSetUp/ { for (i = 2; i <= NF; i++) if ($i == "sessions/s") { if (/workers/) kernel = $(i-1); else ours = $(i-1) } }
	END {
		if (!kernel || !ours) { print "figures: a benchmark gave no rate"; exit 1 }
		printf "culvertd sets up at %.0f%% of the rate of the kernel calls alone\n", 100 * ours / kernel
	}'
