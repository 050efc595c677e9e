package shell

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"culvert/internal/schema"
)

// A filter is what stands after a "|": what is done with a command's output.
type filter struct {
	name string
	text string // what it was given
	re   *regexp.Regexp
}

// A filterKind is a filter that there is.
type filterKind struct {
	name  string
	also  string // what others call it
	help  string
	takes string // what it must be given; empty: nothing
}

var filterKinds = []filterKind{
	{"match", "include", "Only lines that match a regular expression", "REGEXP"},
	{"except", "exclude", "Only lines that do not match a regular expression", "REGEXP"},
	{"begin", "", "From the first line that matches a regular expression", "REGEXP"},
	{"count", "", "How many lines there are, heads of tables apart", ""},
	{"json", "", "The output as JSON", ""},
	{"yaml", "", "The output as YAML", ""},
	{"save", "", "Into a file, which is replaced", "FILE"},
	{"no-more", "", "Without stopping at the end of a page", ""},
}

// splitFilters takes the filters from the end of a command.
func splitFilters(words []schema.Word) ([]schema.Word, []filter, error) {
	first := len(words)
	for i, w := range words {
		if isPipe(w) {
			first = i
			break
		}
	}
	var filters []filter
	for rest := words[first:]; len(rest) > 0; {
		end := 1
		for end < len(rest) && !isPipe(rest[end]) {
			end++
		}
		f, err := newFilter(rest[:end])
		if err != nil {
			return nil, nil, err
		}
		filters = append(filters, f)
		rest = rest[end:]
	}
	return words[:first], filters, nil
}

// isPipe reports whether a word is "|", or begins with it: "|match".
func isPipe(w schema.Word) bool { return !w.Quoted && strings.HasPrefix(w.Name, "|") }

// newFilter makes a filter of its words.
func newFilter(words []schema.Word) (filter, error) {
	pipe := words[0]
	words = words[1:]
	if name := strings.TrimPrefix(pipe.Name, "|"); name != "" || pipe.HasValue {
		pipe.Name = name
		words = append([]schema.Word{pipe}, words...)
	}
	if len(words) == 0 {
		return filter{}, wrong(pipe, "expected %s after \"|\"", orList(filterNames()))
	}
	kind, err := filterNamed(words[0])
	if err != nil {
		return filter{}, err
	}
	f := filter{name: kind.name, text: joinWords(words[1:])}
	switch {
	case kind.takes == "" && f.text != "":
		return f, wrong(words[1], "| %s: expected nothing after it", f.name)
	case kind.takes != "" && f.text == "":
		return f, wrong(words[0], "| %s: expected %s after it", f.name, kind.takes)
	case kind.takes == "REGEXP":
		if f.re, err = regexp.Compile(f.text); err != nil {
			return f, wrong(words[1], "| %s: expected a regular expression: %v", f.name, err)
		}
	}
	return f, nil
}

func filterNames() []string {
	var names []string
	for _, k := range filterKinds {
		names = append(names, k.name)
	}
	return names
}

func filterNamed(w schema.Word) (filterKind, error) {
	var found []filterKind
	var can []string
	for _, k := range filterKinds {
		word := strings.ToLower(w.Name)
		if k.name == word || k.also == word {
			return k, nil
		}
		if word != "" && (strings.HasPrefix(k.name, word) || strings.HasPrefix(k.also, word)) {
			found, can = append(found, k), append(can, k.name)
		}
	}
	switch len(found) {
	case 0:
		return filterKind{}, wrong(w, "%s", unknown("filter", w.Name, filterNames()))
	case 1:
		return found[0], nil
	}
	return filterKind{}, wrong(w, "filter %s is ambiguous: it can be %s", quoted(w.Name), orList(can))
}

func joinWords(words []schema.Word) string {
	var all []string
	for _, w := range words {
		text := w.Name
		if w.HasValue {
			text += "=" + w.Value
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// pipe puts filters before s.out. What it returns ends them, from the first to
// the last.
func (s *Shell) pipe(filters []filter) (finish func(error) error) {
	var ends []func(error) error
	for i := len(filters) - 1; i >= 0; i-- {
		switch f := filters[i]; f.name {
		case "json", "yaml":
			s.format = f.name
		case "no-more":
			if p, ok := s.out.(*pager); ok {
				s.out = p.t
			}
		case "save":
			var b bytes.Buffer
			s.out, s.width = &b, 0
			ends = append(ends, func(err error) error { return save(f.text, b.Bytes(), err) })
		default:
			lines := &lineFilter{filter: f, to: s.out}
			s.out = lines
			ends = append(ends, lines.end)
		}
	}
	return func(err error) error {
		var first error
		for i := len(ends) - 1; i >= 0; i-- {
			if e := ends[i](err); e != nil && first == nil {
				first = e
			}
		}
		return first
	}
}

// save writes the output of a command that succeeded.
func save(path string, text []byte, err error) error {
	if err != nil {
		return nil
	}
	if err := writePrivate(path, text); err != nil {
		return fmt.Errorf("saving the output: %w", err)
	}
	return nil
}

// A lineFilter passes some of the lines that it is given, or their number.
type lineFilter struct {
	filter
	to      io.Writer
	head    string // of a table, to be passed with its first line
	partial []byte // a line that has no end yet
	begun   bool
	count   int
}

func (f *lineFilter) Write(b []byte) (int, error) {
	f.partial = append(f.partial, b...)
	for {
		line, rest, ok := bytes.Cut(f.partial, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		f.partial = rest
		if err := f.line(string(line)); err != nil {
			return 0, err
		}
	}
}

func (f *lineFilter) line(line string) error {
	if !f.passes(unstyled(line)) {
		return nil
	}
	if f.count++; f.name == "count" {
		return nil
	}
	if f.head != "" {
		head := f.head
		f.head = ""
		if err := writeHead(f.to, head); err != nil {
			return err
		}
	}
	_, err := io.WriteString(f.to, line+"\n")
	return err
}

func (f *lineFilter) passes(line string) bool {
	switch f.name {
	case "match":
		return f.re.MatchString(line)
	case "except":
		return !f.re.MatchString(line)
	case "begin":
		f.begun = f.begun || f.re.MatchString(line)
		return f.begun
	}
	return true
}

// writeHead keeps the heads of a table until one of its lines passes: what the
// columns are should be seen beside the lines that match.
func (f *lineFilter) writeHead(line string) error {
	f.head = line
	return nil
}

// end passes what has no line end, and the number of lines.
func (f *lineFilter) end(err error) error {
	if len(f.partial) > 0 {
		if err := f.line(string(f.partial)); err != nil {
			return err
		}
	}
	if f.name == "count" && err == nil {
		_, err := fmt.Fprintf(f.to, "%d\n", f.count)
		return err
	}
	return nil
}
