// Command bench is the benchmark suite: culvertd beside other LNSs and beside the bare
// kernel calls, in one run of one virtual machine, all driven by culvert-bench. "make
// bench" measures and writes docs/benchmarks.
//
// Measuring is TestMeasure, in a binary made by "go test -c" for the virtual machine:
//
//	measure_vm_test.go  TestMeasure: what is measured, and in which order
//	subject_vm_test.go  the LNSs: how each is started, its processes, what it must end
//	client_vm_test.go   culvert-bench in the other namespace
//	bare_vm_test.go     the same kernel objects with no protocol
//	meter_vm_test.go    memory and processor time
//
// The program reads what that wrote and makes the page:
//
//	main.go result.go   the results as JSON
//	targets.go          what they are held against
//	page.go chart.go    the page and its charts
package main
