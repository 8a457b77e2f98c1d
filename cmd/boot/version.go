package boot

import (
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker (-X); see the Makefile.
var version, commit string

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

// Commit returns the Git commit that the linker set, else the commit that the go command recorded, else "unknown".
func Commit() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}

// Build describes how the program was built, as pairs of a name and a value.
func Build() [][2]string {
	return [][2]string{
		{"commit", Commit()},
		{"go", runtime.Version()},
		{"platform", runtime.GOOS + "/" + runtime.GOARCH},
	}
}
