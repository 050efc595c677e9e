package buildinfo

import "runtime/debug"

// Version returns the release that a program was built as, which the makers of a package say by
// the linker's -X main.release. Without one it is the module's version, or the commit
// that the program was built from.
func Version(release string) string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}
