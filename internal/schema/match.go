package schema

import (
	"fmt"
	"slices"
	"strings"
)

// match finds the word among candidates, by its beginning if that is allowed.
func (s Syntax) match(what, word string, candidates []string) (string, error) {
	if slices.Contains(candidates, word) {
		return word, nil
	}
	if !s.Abbreviate || word == "" {
		return "", fmt.Errorf("%s", unknown(what, word, candidates))
	}
	var found []string
	for _, c := range candidates {
		if strings.HasPrefix(c, strings.ToLower(word)) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s", unknown(what, word, candidates))
	case 1:
		return found[0], nil
	}
	if slices.Contains(found, strings.ToLower(word)) {
		return strings.ToLower(word), nil
	}
	return "", fmt.Errorf("%s %s is ambiguous: it can be %s", what, quoted(word), orList(found))
}

func unknown(what, word string, candidates []string) string {
	msg := fmt.Sprintf("unknown %s %s", what, quoted(word))
	if hint := DidYouMean(word, candidates); hint != "" {
		return msg + hint
	}
	if len(candidates) <= 12 {
		return msg + ": expected " + orList(candidates)
	}
	return fmt.Sprintf("%s: expected one of its %d", msg, len(candidates))
}

func quoteAll(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quoted(w)
	}
	return all
}
