package engine

// pppRows show what the parameters of a PPP profile do. The usual place of one
// is the default profile of the host at lacAddr; at: lnsAddr is the other one.
var pppRows = map[string][]row{
	"mtu": {{value: "1200", show: func(s *scene) {
		s.wantUp(1)
		s.wantPlane(s.lac, "mtu 1200")
	}}},
}
