package engine

import (
	"culvert/l2tp"
)

// tunnelRows show what the parameters of a tunnel do.
var tunnelRows = map[string][]row{
	"host_name": {{value: "branch", show: func(s *scene) {
		same(s, "Host Name", firstSent[*l2tp.SCCRQ](s, lacAddr).HostName, "branch")
	}}},
	"mtu": {{value: "1300", show: func(s *scene) {
		s.wantUp(1)
		s.wantPlane(s.lac, "mtu 1300")
	}}},
}
