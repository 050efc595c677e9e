// Package deb tests the Debian package and what is in it. On the host: lintian,
// the unit's exposure, the manual's pages, that it is built the same twice. In a
// virtual machine with systemd as process 1 (vm -systemd): the life of an
// installation, from dpkg --install to --purge.
package deb
