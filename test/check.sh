#!/bin/sh
# Checks what needs no test: format, vet, staticcheck, Go's modernizers, and
# that generated files are current. Prints every finding, then fails.
set -u
export CGO_ENABLED=0
failed=0

# section NAME COMMAND...: the command must succeed and print nothing, but for
# what Go says when it downloads modules.
section() {
	name=$1
	shift
	out=$("$@" 2>&1)
	code=$?
	out=$(printf '%s' "$out" | grep -v '^go: downloading ')
	if [ $code != 0 ] || [ -n "$out" ]; then
		echo "check: $name:"
		echo "$out"
		failed=1
	fi
}

# generated makes the generated files in a copy of the tree and compares.
generated() {
	copy=$(mktemp -d)
	git ls-files -z -co --exclude-standard | tar -c --ignore-failed-read --null -T - 2>/dev/null | tar -x -C "$copy"
	(cd "$copy" && go generate ./...) && diff -r api "$copy/api" &&
		diff docs/reference.md "$copy/docs/reference.md" && diff -r packaging/man "$copy/packaging/man"
	code=$?
	rm -rf "$copy"
	return $code
}

section 'gofmt (run "gofmt -w" on these)' sh -c \
	'git ls-files -co --exclude-standard -- "*.go" | xargs -r gofmt -l'
section 'go vet' go vet ./...
section 'staticcheck' go tool -modfile=go.tool.mod staticcheck ./...
section 'go fix (run "go fix ./...")' go fix -diff ./...
section 'generated files (run "go generate ./...")' generated
exit $failed
