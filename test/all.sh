#!/usr/bin/env bash
# What "make test" runs: everything, section by section, with the time each
# took. It goes on after a failed section, and ends with what failed and how to
# repeat it.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
start=$SECONDS
for section in setup check test-unit test-native test-runner test-vm test-deb figures fuzz; do
	printf '\n######## make %s\n' "$section"
	began=$SECONDS
	if make --no-print-directory "$section"; then
		echo "######## $section passed in $((SECONDS - began)) s"
	else
		echo "######## $section FAILED after $((SECONDS - began)) s"
		failed+=("$section")
	fi
done

printf '\n######## %d s in all\n' $((SECONDS - start))
if ((${#failed[@]})); then
	echo "failed; repeat with: make ${failed[*]}"
	exit 1
fi
echo "all passed"
