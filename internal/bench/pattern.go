package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// A Pattern is a name with room for a number: user%d, line%05d. One without is the
// same for all.
type Pattern string

// verb is what stands for the number. %% is a percent sign.
var verb = regexp.MustCompile(`%(%|0?[0-9]{0,2}d)`)

// ParsePattern checks a pattern.
func ParsePattern(text string) (Pattern, error) {
	rest, numbers := verb.ReplaceAllString(text, ""), 0
	for _, v := range verb.FindAllString(text, -1) {
		if v != "%%" {
			numbers++
		}
	}
	if strings.Contains(rest, "%") || numbers > 1 {
		return "", fmt.Errorf(
			"pattern %q: expected at most one %%d or the like, and %%%% for a percent sign", text)
	}
	return Pattern(text), nil
}

// HasNumber reports whether the pattern makes a name for each number.
func (p Pattern) HasNumber() bool {
	return strings.Contains(strings.ReplaceAll(string(p), "%%", ""), "%")
}

// For is the name with number n.
func (p Pattern) For(n int) string {
	if !strings.Contains(string(p), "%") {
		return string(p)
	}
	return verb.ReplaceAllStringFunc(string(p), func(v string) string {
		if v == "%%" {
			return "%"
		}
		return fmt.Sprintf(v, n)
	})
}
