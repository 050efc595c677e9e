package engine

// systemRows show what the parameters of the system do.
var systemRows = map[string][]row{}
