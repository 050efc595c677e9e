package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"culvert/internal/shell"
)

// complete prints what can stand at the end of a command line, for the
// completion of bash, zsh and fish: one a line, with its help after a TAB.
func complete(s *shell.Shell, line string, stdout io.Writer) int {
	flags := pflag.NewFlagSet("l2tpconfig", pflag.ContinueOnError)
	addFlags(flags, s)
	_, rest, _ := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	for {
		rest = strings.TrimLeft(rest, " \t")
		word, after, ended := strings.Cut(rest, " ")
		if !strings.HasPrefix(word, "-") {
			break
		}
		f := flagOf(flags, word)
		if !ended {
			completeFlag(flags, word, stdout)
			return 0
		}
		_, value, given := strings.Cut(word, "=")
		switch {
		case f == nil:
			return 0
		case f.Value.Type() == "bool":
			value = "true"
		case !given:
			if value, after, ended = strings.Cut(strings.TrimLeft(after, " \t"), " "); !ended {
				completeFlagValue(s, f.Name, value, stdout)
				return 0
			}
		}
		_ = flags.Set(f.Name, value)
		rest = after
	}
	for _, line := range s.Candidates(rest) {
		fmt.Fprintln(stdout, line)
	}
	return 0
}

// flagOf finds a flag by what was typed for it.
func flagOf(flags *pflag.FlagSet, word string) *pflag.Flag {
	name, _, _ := strings.Cut(word, "=")
	if long, ok := strings.CutPrefix(name, "--"); ok {
		return flags.Lookup(long)
	}
	if len(name) != 2 {
		return nil
	}
	return flags.ShorthandLookup(name[1:])
}

func completeFlag(flags *pflag.FlagSet, word string, stdout io.Writer) {
	flags.VisitAll(func(f *pflag.Flag) {
		if strings.HasPrefix("--"+f.Name, word) && !f.Hidden {
			fmt.Fprintf(stdout, "--%s \t%s\n", f.Name, f.Usage)
		}
	})
}

// completeFlagValue completes what is a choice or a file.
func completeFlagValue(s *shell.Shell, name, typed string, stdout io.Writer) {
	switch name {
	case "output":
		for _, o := range shell.Outputs {
			if strings.HasPrefix(o, typed) {
				fmt.Fprintln(stdout, o+" \t")
			}
		}
	case "socket", "cert", "key", "ca":
		for _, line := range s.Files(typed) {
			fmt.Fprintln(stdout, line)
		}
	}
}
