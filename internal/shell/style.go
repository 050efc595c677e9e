package shell

import (
	"os"
	"regexp"
)

// A style colours text for a terminal, or leaves it as it is.
type style bool

// style tells whether the output of the command that runs is in colour: only
// where it goes to a terminal that knows colours, and whose user did not ask
// for none.
func (s *Shell) style() style {
	return style(s.width > 0 && s.Terminal != nil && s.Terminal.colour)
}

// wantsColour reports whether the environment allows colours.
// https://no-color.org
func wantsColour() bool {
	term := os.Getenv("TERM")
	return os.Getenv("NO_COLOR") == "" && term != "" && term != "dumb"
}

func (c style) paint(code, text string) string {
	if !c || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (c style) bold(text string) string { return c.paint("1", text) }
func (c style) dim(text string) string  { return c.paint("2", text) }
func (c style) red(text string) string  { return c.paint("31", text) }

// state colours the state of a tunnel or session.
func (c style) state(text string) string {
	switch text {
	case "up", "established":
		return c.paint("32", text)
	case "closing", "idle", "down":
		return c.paint("31", text)
	}
	return c.paint("33", text)
}

var styles = regexp.MustCompile("\x1b\\[[0-9;]*m")

// unstyled takes the colours out of text.
func unstyled(text string) string { return styles.ReplaceAllString(text, "") }
