package bench

import "io"

func (r *Report) WriteHTML(w io.Writer) error { return nil }
