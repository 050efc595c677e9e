package service

import (
	"cmp"
	"log/slog"
	"runtime"
	"slices"
	"strings"
)

// maxFrames is how many functions of a goroutine are told.
const maxFrames = 12

// LogDump logs how much memory the process uses, and where its goroutines are:
// one line for all that are at the same place. It tells names of functions,
// and no value of any variable.
func LogDump(log *slog.Logger) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	log.Info("memory", "heap", mem.HeapAlloc, "heap_objects", mem.HeapObjects, "system", mem.Sys,
		"stacks", mem.StackInuse, "collections", mem.NumGC, "goroutines", runtime.NumGoroutine())
	places := goroutines()
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.stack, b.stack))
	})
	for _, p := range places {
		log.Info("goroutines", "count", p.count, "at", p.stack)
	}
}

// A place is where some goroutines are: the functions, the innermost first.
type place struct {
	stack string
	count int
}

func goroutines() []place {
	records := make([]runtime.StackRecord, runtime.NumGoroutine()+64)
	n, ok := runtime.GoroutineProfile(records)
	for ; !ok; n, ok = runtime.GoroutineProfile(records) {
		records = make([]runtime.StackRecord, n+64)
	}
	counts := make(map[string]int)
	for _, r := range records[:n] {
		counts[stackText(r.Stack())]++
	}
	places := make([]place, 0, len(counts))
	for stack, count := range counts {
		places = append(places, place{stack, count})
	}
	return places
}

func stackText(stack []uintptr) string {
	var names []string
	for frames := runtime.CallersFrames(stack); len(names) < maxFrames; {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			names = append(names, f.Function[strings.LastIndex(f.Function, "/")+1:])
		}
		if !more {
			break
		}
	}
	return strings.Join(names, " < ")
}
