// Command vm runs a program as root on a stock Debian kernel under QEMU.
//
// Usage:
//
//	vm [flags] [--] command [arguments]
//	vm -shell
//
// The command sees a Debian root file system with the peers that Culvert is
// tested against, and the host's build tree at the same path, so that
//
//	go test -exec "build/vmrun --" ./kernel
//
// works as it does on the host. Standard output and standard error come back
// live and apart from each other; the exit code of the command becomes that of
// vm. Exit code 125 means that the machine could not be made or did not finish.
//
// One binary has three parts, in this order of reading:
//
//	main.go       flags, and what is shared with the guest
//	rootfs.go     the root file system, made once by mmdebstrap
//	initramfs.go  kernel modules and this very binary, packed for the boot
//	qemu.go       the host's side of a run: QEMU, console, time limit
//	kvm.go        whether hardware virtualisation works here
//	guest.go      process 1 of the guest: mounts, modules, power off
//	systemd.go    systemd as process 1 instead, for -systemd
//	console.go    what the kernel said
//	agent.go      the guest's process that runs the command
package main
