package terminal

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// ownVariables are Lockbox's own secrets, each also with _FILE after it. A program that is run gets none of them, unless
// an entry sets it.
var ownVariables = []string{
	"LOCKBOX_API_KEY", "LOCKBOX_ENCRYPTION_KEY", "LOCKBOX_SECRET_KEY", "LOCKBOX_SECRET_KEY_PREVIOUS",
	"LOCKBOX_DATABASE_URL", "LOCKBOX_INIT_TOKEN", "LOCKBOX_TLS_KEY", "LOCKBOX_DOCKER_TLS_KEY",
}

// environment is what a program is started with: the environment of lockbox without its secrets, and the values. A later
// value goes before an earlier one of the same name.
func environment(inherited, values []string) []string {
	var names []string
	last := map[string]string{}
	for _, pair := range append(withoutOwn(inherited), values...) {
		name := nameOf(pair)
		if _, known := last[name]; !known {
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

func withoutOwn(pairs []string) []string {
	return slices.DeleteFunc(slices.Clone(pairs), func(pair string) bool {
		return slices.Contains(ownVariables, strings.TrimSuffix(nameOf(pair), "_FILE"))
	})
}

// nameOf returns the name of a variable as the system compares it. Windows has names such as "=C:".
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

// steering are variables that make a program load or run code that they name, whatever the program is, or that say where
// the code of common interpreters is: an entry could take over whoever runs a program with it. The list cannot be
// complete, for every program has variables of its own; it has what works without knowing the program.
var steering = []string{
	"PATH", "PATHEXT", "COMSPEC", "HOME", "XDG_CONFIG_HOME", "SHELL", "IFS", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS",
	"ZDOTDIR",
	"PROMPT_COMMAND", "PROMPT", "RPROMPT", "SPROMPT", "PS0", "PS1", "PS2", "PS3", "PS4", "CDPATH", "FPATH",
	"MODULE_PATH", "BASH_LOADABLES_PATH",
	"INPUTRC", "HISTFILE", "MAILPATH", "NULLCMD", "READNULLCMD",
	"RANDOM", "SRANDOM", "OPTIND", "HISTCMD", // bash computes what they are set to, and runs what stands in $(…) there
	"GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "GETCONF_DIR", "OPENSSL_CONF", "OPENSSL_MODULES",
	"OPENSSL_ENGINES",
	"EDITOR", "VISUAL", "PAGER", "BROWSER", "LESSOPEN", "LESSCLOSE", "SSH_ASKPASS", "SUDO_ASKPASS",
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_DIR", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_EDITOR",
	"GIT_SEQUENCE_EDITOR", "GIT_PAGER",
	"GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND",
	"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE",
	"PYTHONWARNINGS", "PYTHONPYCACHEPREFIX",
	"NODE_OPTIONS", "NODE_PATH", "RUBYOPT", "RUBYLIB", "GEM_HOME", "GEM_PATH", "PERLLIB", "PHPRC", "PHP_INI_SCAN_DIR",
	"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_LIBS",
	"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_JAVAC_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "MAVEN_OPTS",
	"DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER", "CORECLR_PROFILER_PATH", "COR_PROFILER", "COR_PROFILER_PATH",
}

// steeringPrefixes are families of such variables: Lua has one for each version, which counts before the plain one.
var steeringPrefixes = []string{"LD_", "DYLD_", "BASH_FUNC_", "PERL5", "GIT_CONFIG", "LUA_INIT", "LUA_PATH",
	"LUA_CPATH"}

// checkNames refuses variables that steer programs, unless they are allowed by name.
func checkNames(pairs, allowed []string) error {
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if steers(name) && !slices.Contains(allowed, name) {
			return fmt.Errorf("it sets %s, which can make programs run other code; if that is meant, say --allow %[1]s",
				name)
		}
	}
	return nil
}

func steers(name string) bool {
	upper := strings.ToUpper(name)
	return slices.Contains(steering, upper) || slices.ContainsFunc(steeringPrefixes, func(prefix string) bool {
		return strings.HasPrefix(upper, prefix)
	})
}

// The exit codes of shells for programs that cannot be started.
const (
	exitNotProgram = 126
	exitNoProgram  = 127
)
