package config

import (
	"culvert/api"
	"culvert/internal/schema"
)

// PPPTraceFlags returns the trace flags of the PPP profiles that have any, by
// their names.
func (s *Snapshot) PPPTraceFlags() map[string]schema.TraceFlags {
	profiles := objects[*api.PPPProfile](s)
	base, _ := find[*api.PPPProfile](s, Default)
	var all map[string]schema.TraceFlags
	for _, p := range profiles {
		flags := base.GetTraceFlags()
		if p.TraceFlags != nil {
			flags = p.GetTraceFlags()
		}
		if flags == 0 {
			continue
		}
		if all == nil {
			all = make(map[string]schema.TraceFlags)
		}
		all[p.GetProfileName()] = schema.TraceFlags(flags)
	}
	return all
}
