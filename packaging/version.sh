#!/bin/sh
# Prints the version: the tag of the commit, or what comes before the next one.
# VERSION in the environment is taken as it is.
set -eu
cd "$(dirname "$0")/.."
if [ -n "${VERSION-}" ]; then
	echo "$VERSION"
elif tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
	echo "${tag#v}"
elif when=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S 2>/dev/null); then
	echo "0.1~git$when.$(git rev-parse --short=7 HEAD)"
else
	echo 0.1~unknown
fi
