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

echo "set-up in the virtual machine, 8 tunnels (kernel and test/e2e, BenchmarkSetUp), taking turns:"
out=$(build/vmrun -timeout 20m -mem 3072 -env CULVERT_TEST_KERNEL=1 -- sh -ec '
	ulimit -n 100000
	for sessions in 1000 2000 1000 2000; do
		cd kernel
		../build/test/kernel.test -test.run "^$" -test.bench "^BenchmarkSetUp$/^unnumbered$/workers=(64|512)$" -test.benchtime ${sessions}x
		cd ../test/e2e
		../../build/test/e2e.test -test.run "^$" -test.bench "^BenchmarkSetUp$/sessions=$sessions$" -test.benchtime 1x
		cd ../..
	done') || { echo "$out"; exit 1; }
echo "$out" | grep -e ^Benchmark
# The LAC is a process on the same processors, and its sessions need nothing of the kernel.
echo "$out" | awk '
	/^BenchmarkSetUp/ {
		for (i = 2; i <= NF; i++) if ($i == "sessions/s") rate = $(i-1)
		if (/workers/) { if (rate > bare[$2]) bare[$2] = rate } else { split($1, name, /[=-]/); if (rate > both[name[2]]) both[name[2]] = rate }
	}
	END {
		for (n in both) if (bare[n]) { found = 1; printf "%d sessions: culvertd %.0f/s, the same kernel calls %.0f/s, the best of each: %.0f%%\n", n, both[n], bare[n], 100 * both[n] / bare[n] }
		if (!found) { print "figures: a benchmark gave no rate"; exit 1 }
	}'
