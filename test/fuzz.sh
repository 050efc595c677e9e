#!/bin/sh
# Runs every fuzz target for FUZZTIME (default 20s), FUZZJOBS (default 2) at a
# time, each with one worker. Prints a target's output only when it fails.
#
# Usage: test/fuzz.sh [package...]      default: ./...
set -eu
export CGO_ENABLED=0 FUZZTIME="${FUZZTIME:-20s}"

# Lines "package target" from the files themselves: "go test -list" would build
# every package first.
targets=$(go list -f '{{$d := .Dir}}{{$p := .ImportPath}}{{range .TestGoFiles}}{{$p}} {{$d}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$p}} {{$d}}/{{.}}
{{end}}' "${@:-./...}" | while read -r package file; do
	[ -z "$package" ] || sed -n "s,^func \(Fuzz[A-Za-z0-9_]*\)(.*,$package \1,p" "$file"
done)
if [ -z "$targets" ]; then
	echo "fuzz: no targets"
	exit 0
fi
echo "fuzz: $(echo "$targets" | wc -l) targets, $FUZZTIME each"
echo "$targets" | xargs -P "${FUZZJOBS:-2}" -L 1 sh -c '
	if out=$(go test -run "^$" -fuzz "^$2\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x -parallel 1 "$1" 2>&1); then
		echo "ok   $1 $2 $(echo "$out" | grep execs: | tail -1 | sed "s/.*execs:/execs:/")"
	elif echo "$out" | grep -q "^ *context deadline exceeded$" &&
		! echo "$out" | grep -q "Failing input written" &&
		echo "$out" | grep execs: | tail -2 | head -1 | grep -vq "(0/sec)"; then
		# Go sometimes calls it a failure that the time was up while an input was
		# tried. One that hung would show as a rate of zero before the end.
		echo "ok   $1 $2, time up while an input was tried"
	else
		printf "FAIL %s %s\n%s\n" "$1" "$2" "$out"
		exit 1
	fi' fuzz
