package boot

import "runtime/debug"

// version is set by the linker (-X); see the Makefile.
var version = ""

// Version returns the release, or what the build knows of the source.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
