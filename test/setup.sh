#!/bin/sh
# Installs what the tests and the demo need and this host lacks: build tools,
# QEMU, network tools. No kernel and no daemon: those are in the virtual machine.
#
# Usage: test/setup.sh [-n]      -n: only say what is missing
set -eu

# command and the Debian package that has it
needs='
qemu-system-x86_64 qemu-system-x86
mmdebstrap         mmdebstrap
ip                 iproute2
tc                 iproute2
nft                nftables
ping               iputils-ping
tcpdump            tcpdump
tshark             tshark
git                git
curl               curl
lintian            lintian
mandoc             mandoc
man                man-db
systemd-analyze    systemd
'

PATH=$PATH:/usr/sbin:/sbin
packages=$(echo "$needs" | while read -r command package; do
	[ -z "$command" ] || command -v "$command" >/dev/null || echo "$package"
done | sort -u)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages="$packages ca-certificates"
packages=$(echo $packages)

if ! command -v go >/dev/null; then
	echo "setup: no go command: install Go $(sed -n 's/^go //p' go.mod) or newer (https://go.dev/dl)" >&2
	exit 1
fi
[ -n "$packages" ] || exit 0

if [ "${1-}" = -n ] || [ "$(id -u)" != 0 ]; then
	echo "setup: missing: $packages" >&2
	echo "setup: as root on Debian: apt-get install --no-install-recommends $packages" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null; then
	echo "setup: this is no Debian: install what provides (Debian's names): $packages" >&2
	exit 1
fi

echo "setup: installing by apt-get, no services started: $packages"
# Debian's tshark asks whether users may capture, and packages start their
# services; neither happens here. invoke-rc.d reads the policy file.
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
fi
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1; then
	tail -20 "$log" >&2
	echo "setup: apt-get failed, see above and $log" >&2
	exit 1
fi
rm -f "$log"
