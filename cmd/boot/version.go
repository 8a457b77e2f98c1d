package boot

import "runtime/debug"

// version is set by the linker (-X); see the Makefile.
var version = ""

// Version returns the version that the linker set, else the version of the module, else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
