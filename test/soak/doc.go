// Package soak runs culvertd for long under half of what it can bear, over a path that
// loses packets, while peers and it itself are killed and stopped, and sees that
// nothing of it grows.
//
// The programs are the real ones: culvertd with culvert-keeper, a second culvertd that
// calls it, and two of culvert-bench. One of these holds sessions for the whole time,
// and not one of them may end or be negotiated anew; the other has sessions come and
// go. After each cycle of that nothing may be left but those that stay: the same
// descriptors, goroutines and kernel objects as before, exactly, and no more memory
// than chance explains (growthOf says how that is judged).
//
// TestSoak has the kernel's data plane, and kills of the daemon and the keeper. TestNativeSoak
// has none of these, but a hundred times the sessions, by which small leaks are found.
// Both are short unless CULVERT_TEST_SOAK says for how long they are to run.
//
//	growth.go         what is growth
//	soak_test.go      the cycles
//	disturb_test.go   what happens during each
//	scene_test.go     who takes part; what is there when it is quiet
//	load_test.go      culvert-bench
//	sample_test.go    what is measured
//	limit_test.go     GOMEMLIMIT is kept
package soak
