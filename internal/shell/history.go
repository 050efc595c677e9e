package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"culvert/internal/schema"
)

// A history keeps what was typed, in a file that only the user may read. It
// never has a secret.
type history struct {
	path  string // empty: nothing is kept
	limit int    // lines
	lines []string
}

// historyLines is how many lines are kept if L2TP_HISTFILESIZE does not say.
const historyLines = 500

// openHistory reads the history of the user, which L2TP_HISTFILE and
// L2TP_HISTFILESIZE can change as with openl2tp. That it cannot be read is no
// reason not to work.
func openHistory() *history {
	h := &history{limit: historyLines}
	if n, err := strconv.Atoi(os.Getenv("L2TP_HISTFILESIZE")); err == nil && n >= 0 {
		h.limit = n
	}
	path, set := os.LookupEnv("L2TP_HISTFILE")
	if home, err := os.UserHomeDir(); !set && err == nil {
		path = filepath.Join(home, ".l2tp_history")
	}
	if h.limit == 0 {
		path = ""
	}
	h.path = path
	if text, err := os.ReadFile(path); err == nil {
		h.lines = strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	}
	h.lines = h.lines[max(len(h.lines)-h.limit, 0):]
	return h
}

// add keeps a line and returns it as it is kept, or nothing if it is not.
func (h *history) add(line string) string {
	line = withoutSecrets(strings.TrimSpace(line))
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return ""
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > h.limit {
		h.lines = h.lines[len(h.lines)-h.limit:]
	}
	h.write()
	return line
}

// write replaces the file, so that it never has more than it should. Two shells
// at a time write one after the other; the last one wins.
func (h *history) write() {
	if h.path == "" {
		return
	}
	next := fmt.Sprintf("%s.%d", h.path, os.Getpid())
	if os.WriteFile(next, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600) == nil {
		_ = os.Rename(next, h.path)
	}
}

// withoutSecrets puts asterisks in place of the secrets in a line. A line that
// cannot be read and could have one is left out.
func withoutSecrets(line string) string {
	commands, err := schema.Lex(line)
	if err != nil {
		if strings.Contains(line, "=") {
			return ""
		}
		return line
	}
	secret := false
	for _, words := range commands {
		for i := range words {
			if w := &words[i]; w.HasValue && w.Value != "" && maySecret(words, w.Name) {
				w.Value, secret = schema.Masked, true
			}
		}
	}
	if !secret {
		return line
	}
	var texts []string
	for _, words := range commands {
		texts = append(texts, writeWords(words))
	}
	return strings.Join(texts, "; ")
}

// maySecret reports whether the value of that name can be a secret: it is one of
// the object's, or it could be an abbreviation of one.
func maySecret(words []schema.Word, name string) bool {
	kinds, taken := schema.Kinds(), func(*schema.Param) bool { return true }
	if n, _, err := grammar().resolve(words); err == nil && n.kind != nil {
		kinds = []*schema.Kind{n.kind}
		taken = func(p *schema.Param) bool { return p.Takes(n.op, n.kind) }
	}
	return slices.ContainsFunc(kinds, func(k *schema.Kind) bool {
		if p := k.Param(name); p != nil {
			return p.Secret
		}
		return slices.ContainsFunc(k.Params, func(p *schema.Param) bool {
			return p.Secret && taken(p) && strings.HasPrefix(p.Name, strings.ToLower(name))
		})
	})
}

// writeWords writes a command so that it can be read again.
func writeWords(words []schema.Word) string {
	var parts []string
	for _, w := range words {
		text := quoteIfNeeded(w.Name)
		if w.HasValue {
			text += "=" + quoteIfNeeded(w.Value)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func quoteIfNeeded(text string) string {
	switch {
	case !strings.ContainsAny(text, " \t\n;#\"'="):
		return text
	case strings.Contains(text, `"`):
		return "'" + text + "'"
	}
	return `"` + text + `"`
}
