package terminal

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// ownVariables are the variables that hold secrets of Lockbox itself; each also exists with the suffix _FILE. A
// started program inherits none of them. It gets such a variable only if an entry sets it.
var ownVariables = []string{
	"LOCKBOX_API_KEY", "LOCKBOX_ENCRYPTION_KEY", "LOCKBOX_IDENTITY", "LOCKBOX_SECRET_KEY",
	"LOCKBOX_SECRET_KEY_PREVIOUS", "LOCKBOX_DATABASE_URL", "LOCKBOX_INIT_TOKEN", "LOCKBOX_TLS_KEY",
	"LOCKBOX_DOCKER_TLS_KEY",
}

// environment returns the environment of the started program: the inherited variables without Lockbox's own secrets,
// and the values. If a name occurs several times, the last value wins and takes the position of the first. The order
// of the inherited variables is kept, and new ones follow.
func environment(inherited, values []string) []string {
	// Duplicate names would be ambiguous, because some programs read the first value and some the last.
	var names []string
	last := map[string]string{}
	for _, pair := range append(withoutOwn(inherited), values...) {
		name := nameOf(pair)
		if _, exists := last[name]; !exists {
			names = append(names, name)
		}
		last[name] = pair
	}
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = last[name]
	}
	return pairs
}

// withoutOwn returns a copy of pairs without ownVariables. Programs that must call Lockbox themselves get their own
// API key from an entry.
func withoutOwn(pairs []string) []string {
	return slices.DeleteFunc(slices.Clone(pairs), func(pair string) bool {
		return slices.Contains(ownVariables, strings.TrimSuffix(nameOf(pair), "_FILE"))
	})
}

// nameOf returns the name of a NAME=value pair in the form in which the operating system compares names: Windows
// ignores the case. On Windows a name can begin with "=", for example "=C:".
func nameOf(pair string) string {
	end := 0
	if pair != "" {
		end = 1 + strings.IndexByte(pair[1:], '=')
	}
	name := pair[:max(end, 0)]
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// unsafeVariables can make common programs run other code: they name code to load or run, or the place where an
// interpreter searches for code. A user who may write an entry could use them to take over the account that runs a
// program. The list cannot be complete, because every program has variables of its own. It contains variables that an
// attacker can use without knowing the program.
var unsafeVariables = []string{
	// Shells.
	"PATH", "PATHEXT", "COMSPEC", "HOME", "XDG_CONFIG_HOME", "SHELL", "IFS", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS",
	"ZDOTDIR", "PROMPT_COMMAND", "PROMPT", "RPROMPT", "SPROMPT", "PS0", "PS1", "PS2", "PS3", "PS4", "CDPATH", "FPATH",
	"MODULE_PATH", "BASH_LOADABLES_PATH", "INPUTRC", "HISTFILE", "MAILPATH", "NULLCMD", "READNULLCMD",
	// bash evaluates the values of these variables as arithmetic expressions and runs a $(…) in them.
	"RANDOM", "SRANDOM", "OPTIND", "HISTCMD",
	// The C library and OpenSSL.
	"GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "GETCONF_DIR", "OPENSSL_CONF", "OPENSSL_MODULES",
	"OPENSSL_ENGINES",
	// Helpers that other programs start.
	"EDITOR", "VISUAL", "PAGER", "BROWSER", "LESSOPEN", "LESSCLOSE", "SSH_ASKPASS", "SUDO_ASKPASS",
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_DIR", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_EDITOR",
	"GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND",
	// Interpreters and virtual machines.
	"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE",
	"PYTHONWARNINGS", "PYTHONPYCACHEPREFIX",
	"NODE_OPTIONS", "NODE_PATH", "RUBYOPT", "RUBYLIB", "GEM_HOME", "GEM_PATH", "PERLLIB", "PHPRC", "PHP_INI_SCAN_DIR",
	"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_LIBS",
	"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_JAVAC_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "MAVEN_OPTS",
	"DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER", "CORECLR_PROFILER_PATH", "COR_PROFILER", "COR_PROFILER_PATH",
}

// unsafePrefixes are families of unsafe variables. For example, Lua has a variable for each version. LUA_INIT_5_4 takes
// precedence over LUA_INIT.
var unsafePrefixes = []string{"LD_", "DYLD_", "BASH_FUNC_", "PERL5", "GIT_CONFIG", "LUA_INIT", "LUA_PATH",
	"LUA_CPATH"}

// checkNames refuses unsafe variables that are not in allowed. Names in allowed must match exactly. The list of unsafe
// variables matches in any letter case, because Windows ignores the case. The error names the variable and not its
// value.
func checkNames(pairs, allowed []string) error {
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if isUnsafe(name) && !slices.Contains(allowed, name) {
			return fmt.Errorf("the variable %s can make programs run other code; if that is intended, use "+
				"--allow %[1]s", name)
		}
	}
	return nil
}

// isUnsafe reports whether a variable is in the lists above, ignoring the case.
func isUnsafe(name string) bool {
	upper := strings.ToUpper(name)
	return slices.Contains(unsafeVariables, upper) || slices.ContainsFunc(unsafePrefixes, func(prefix string) bool {
		return strings.HasPrefix(upper, prefix)
	})
}
