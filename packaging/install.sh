#!/bin/sh
# Puts everything that is installed under a folder: the root of a package, or
# of this machine.
#
# Usage: packaging/install.sh [-u] PROGRAMS DESTINATION     -u: remove it instead
set -eu
cd "$(dirname "$0")/.."

remove=
if [ "$1" = -u ]; then
	remove=yes
	shift
fi
programs=$1
root=${2%/}

# put MODE SOURCE TARGET: a page of the manual is compressed.
put() {
	case $3 in *.gz) source=$(mktemp) && gzip -9n <"$2" >"$source" ;; *) source=$2 ;; esac
	if [ -n "$remove" ]; then
		rm -f "$root$3"
	else
		install -D -m "$1" "$source" "$root$3"
	fi
	[ "$source" = "$2" ] || rm -f "$source"
}

put 755 "$programs/culvertd" /usr/sbin/culvertd
put 755 "$programs/culvert-keeper" /usr/sbin/culvert-keeper
put 755 "$programs/l2tpconfig" /usr/bin/l2tpconfig
put 755 "$programs/culvert-bench" /usr/bin/culvert-bench
put 644 packaging/culvertd.service /usr/lib/systemd/system/culvertd.service
put 644 packaging/culvert-keeper.service /usr/lib/systemd/system/culvert-keeper.service
put 644 packaging/culvert-resolver.path /usr/lib/systemd/system/culvert-resolver.path
put 644 packaging/culvert-resolver.service /usr/lib/systemd/system/culvert-resolver.service
put 755 packaging/name-servers /usr/lib/culvert/name-servers
put 644 packaging/sysusers.conf /usr/lib/sysusers.d/culvert.conf
put 644 packaging/tmpfiles.conf /usr/lib/tmpfiles.d/culvert.conf
put 644 packaging/udev.rules /usr/lib/udev/rules.d/60-culvert.rules
put 644 packaging/udev-late.rules /usr/lib/udev/rules.d/99-z-culvert.rules
put 644 packaging/unmanaged.network /usr/lib/systemd/network/05-culvert.network
put 644 packaging/networkmanager.conf /usr/lib/NetworkManager/conf.d/10-culvert.conf
put 644 packaging/polkit.rules /usr/share/polkit-1/rules.d/culvert.rules
put 644 packaging/culvertd.conf /usr/share/culvert/culvertd.conf
put 644 packaging/default /etc/default/culvertd
put 644 packaging/logrotate /etc/logrotate.d/culvertd
for page in packaging/man/*.[1-8]; do
	[ -e "$page" ] || continue
	put 644 "$page" "/usr/share/man/man${page##*.}/$(basename "$page").gz"
done
# complete PROGRAM SHELL TARGET: what makes a shell complete the program's commands,
# unless the program is for another machine than this.
complete() {
	if "$programs/$1" completion "$2" >"$script" 2>/dev/null; then
		put 644 "$script" "$3"
	fi
}
script=$(mktemp)
for program in culvertd l2tpconfig culvert-bench; do
	complete $program bash /usr/share/bash-completion/completions/$program
	complete $program zsh /usr/share/zsh/vendor-completions/_$program
	complete $program fish /usr/share/fish/vendor_completions.d/$program.fish
done
rm -f "$script"
for example in examples/*.conf examples/openl2tpd/*.conf; do
	put 644 "$example" "/usr/share/doc/culvert/$example"
done
for page in operations shell openl2tp import api reference culvert-bench; do
	put 644 "docs/$page.md" "/usr/share/doc/culvert/$page.md"
done
