package shell

import "slices"

// verbs returns every command that is no operation on an object.
func verbs() []*verb {
	return slices.Concat(
		configVerbs(),
		objectVerbs(),
		dropVerbs(),
		debugVerbs(),
		watchingVerbs(),
		showVerbs(),
		serverVerbs(),
		ownVerbs(),
	)
}
