package schema

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// DidYouMean returns `; did you mean "x"?` for the word nearest to word, or
// nothing if none is near.
func DidYouMean(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+2
	for _, c := range candidates {
		if len(word) > 1 && strings.HasPrefix(c, strings.ToLower(word)) {
			best = c
			break
		}
		if d := distance(strings.ToLower(word), c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" && len(word) > 3 {
		i := slices.IndexFunc(candidates, func(c string) bool {
			first, _, _ := strings.Cut(c, "_")
			return strings.HasSuffix(c, "_"+strings.ToLower(word)) ||
				distance(strings.ToLower(word), first) < 2
		})
		if i >= 0 {
			best = candidates[i]
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + quoted(best) + "?"
}

// distance counts the insertions, deletions and replacements between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// quoted puts what somebody wrote between quotes, on one line of a bearable length.
func quoted(s string) string { return `"` + bounded(s) + `"` }

// bounded replaces control characters and cuts what is long.
func bounded(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxQuoted {
			b.WriteString("...")
			break
		}
		if !unicode.IsPrint(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxQuoted is how many characters of a wrong word an error repeats.
const maxQuoted = 64
