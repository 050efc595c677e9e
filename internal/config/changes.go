package config

import (
	"google.golang.org/protobuf/proto"

	"culvert/internal/schema"
)

// A Change is what became of one object between two configurations.
type Change struct {
	// Old is what was configured, nil if nothing was; New is what is now.
	Old, New proto.Message
}

// Changes returns what became of the objects that are not live, in the order in
// which a configuration is written; what is gone follows what is there, of each kind. It
// costs little where little changed.
func Changes(old, now *Snapshot) []Change {
	var all []Change
	for _, k := range schema.Kinds() {
		if k.Live || old.table(k) == now.table(k) {
			continue
		}
		was, is := old.table(k), now.table(k)
		for n, b := range is.all() {
			// Objects are copied before they are changed: most are the same ones.
			a := was.get(n)
			if a == nil || a != b && !proto.Equal(a, b) {
				all = append(all, Change{Old: a, New: b})
			}
		}
		for n, a := range was.all() {
			if is.get(n) == nil {
				all = append(all, Change{Old: a})
			}
		}
	}
	return all
}
