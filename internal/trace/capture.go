package trace

// A Capture is one who wants to see control messages.
type Capture struct{}
