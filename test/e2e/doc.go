// Package e2e runs culvertd against the peers that it will meet, and against
// itself, with real traffic.
//
// Files *_vm_test.go need root and a kernel with L2TP and PPP, as the virtual
// machine has; files *_native_test.go need root and /dev/net/tun only. Tests
// that cannot run here are skipped, unless CULVERT_TEST_KERNEL=1 or
// CULVERT_TEST_ROOT=1 says that they can.
//
//	site_test.go      site: culvertd in a namespace, and what must be gone after it
//	carry_test.go     what every session must do: ping, transfers, counters
//	config_test.go    configuration files
//	cases_test.go     culvertd with culvertd, on any data plane
package e2e
