package shell

// Candidates returns what can stand at the end of a line, for the completion of
// a system shell: each with the blank that follows it, if one does, and after a
// TAB with its help.
func (s *Shell) Candidates(line string) []string {
	c := s.completing(line)
	return c.whole()
}

// Files returns the files whose names begin so, in the same form.
func (s *Shell) Files(typed string) []string {
	c := completion{scan: scanLine(typed)}
	for _, o := range files(s, &c) {
		if len(o.text) >= len(typed) && o.text[:len(typed)] == typed {
			c.add(o)
		}
	}
	return c.whole()
}

// whole gives each candidate as the whole word that it makes.
func (c *completion) whole() []string {
	var lines []string
	for _, o := range c.candidates {
		if rest, ok := c.rest(o); ok {
			lines = append(lines, c.last.raw+rest+"\t"+printable(o.help))
		}
	}
	return lines
}
