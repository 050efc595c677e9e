package engine

// sessionRows show what the parameters of a session do.
var sessionRows = map[string][]row{}
