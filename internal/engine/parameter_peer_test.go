package engine

// peerRows show what the parameters of a peer profile do.
var peerRows = map[string][]row{}
