package chart

import (
	"fmt"
	"math"
	"strings"
)

// ceiling is the next number from v on that is easily read.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 5} {
		if v <= m*scale {
			return m * scale
		}
	}
	return 10 * scale
}

// Number writes a number with the three digits that mean something: 0.25, 99.8, 1234, 20k.
func Number(v float64) string {
	switch {
	case v >= 1e6:
		return short(v/1e6) + "M"
	case v >= 1e4:
		return short(v/1e3) + "k"
	}
	return short(v)
}

func short(v float64) string {
	switch {
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return fmt.Sprintf("%.3g", v)
}
