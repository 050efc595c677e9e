#!/bin/sh
# Builds the Debian package of the programs in a folder.
#
# Usage: packaging/deb.sh PROGRAMS VERSION ARCHITECTURE OUTPUT
#
# The same commit makes the same bytes: every time in the package is the
# commit's, or SOURCE_DATE_EPOCH. DEB_COMPRESSION is that of dpkg-deb.
set -eu
programs=$(realpath "$1") version=$2 arch=$3 output=$(realpath -m "$4")
cd "$(dirname "$0")/.."
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
umask 022

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
packaging/install.sh "$programs" "$tree"

doc=$tree/usr/share/doc/culvert
install -D -m 644 packaging/debian/copyright "$doc/copyright"
printf 'culvert (%s) unstable; urgency=medium\n\n  * Built from its source.\n\n -- %s  %s\n' "$version" \
	"$(sed -n 's/^Maintainer: //p' packaging/debian/control.in)" \
	"$(date -uRd "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"

install -D -m 644 packaging/debian/lintian-overrides "$tree/usr/share/lintian/overrides/culvert"
mkdir "$tree/DEBIAN"
size=$(du -sk --apparent-size "$tree" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" \
	packaging/debian/control.in >"$tree/DEBIAN/control"
(cd "$tree" && find etc -type f | sort | sed 's|^|/|') >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr etc -type f | LC_ALL=C sort | xargs md5sum) >"$tree/DEBIAN/md5sums"
install -m 755 packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$tree/DEBIAN"
find "$tree" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$(dirname "$output")"
dpkg-deb --root-owner-group "-Z${DEB_COMPRESSION:-xz}" --build "$tree" "$output" >/dev/null
