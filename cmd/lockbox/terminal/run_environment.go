package terminal

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// ownVariables are the variables that hold secrets of Lockbox itself. For each variable, a second variable with the
// suffix _FILE names a file with the secret. A started program inherits none of these variables, but an entry can set
// them for the program.
var ownVariables = []string{
	"LOCKBOX_API_KEY", "LOCKBOX_ENCRYPTION_KEY", "LOCKBOX_IDENTITY", "LOCKBOX_SECRET_KEY",
	"LOCKBOX_SECRET_KEY_PREVIOUS", "LOCKBOX_DATABASE_URL", "LOCKBOX_INIT_TOKEN", "LOCKBOX_TLS_KEY",
	"LOCKBOX_DOCKER_TLS_KEY",
	"LOCKBOX_TRACES_HEADERS",
	"LOCKBOX_AUDIT_STREAM_HEADER",
}

// environment returns the environment of the started program: the inherited variables without Lockbox's own secrets,
// followed by the variables that the entries add. If a name occurs several times, the environment contains only the
// last value, at the position where the name occurred first.
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

// withoutOwn returns a copy of pairs without ownVariables. If the program calls Lockbox, an entry must supply the API
// key of the program.
func withoutOwn(pairs []string) []string {
	return slices.DeleteFunc(slices.Clone(pairs), func(pair string) bool {
		return slices.Contains(ownVariables, strings.TrimSuffix(nameOf(pair), "_FILE"))
	})
}

// nameOf returns the name of a NAME=value pair. On Windows, it returns the name in upper case, because Windows ignores
// the case of names. On Windows, a name can also begin with "=", for example "=C:".
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

// unsafeVariables can make common programs run code that an attacker has chosen. For example, they name a program to
// run, a library to load, or a directory in which an interpreter searches for code. A user who may write an entry could
// use them to take over the account that runs a program. The list cannot be complete, because every program has its own
// variables. It contains the variables that an attacker can use without knowing which program runs.
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
	"MANPAGER", "SYSTEMD_PAGER", "SUDO_EDITOR", "PSQLRC", "PSQL_PAGER", "RSYNC_RSH", "CVS_RSH", "SVN_SSH", "HGRCPATH",
	"GTK_MODULES", "QT_PLUGIN_PATH", "VIMINIT", "EXINIT",
	// Build tools.
	"MAKEFLAGS", "MAKEFILES", "GNUMAKEFLAGS", "MFLAGS", "CC", "CXX", "RUSTC", "RUSTC_WRAPPER",
	"RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_HOME", "GOFLAGS", "GOENV", "GOTOOLCHAIN", "NPM_CONFIG_NODE_OPTIONS",
	"NPM_CONFIG_SCRIPT_SHELL", "NPM_CONFIG_GIT", "NPM_CONFIG_PREFIX", "NPM_CONFIG_USERCONFIG",
	"NPM_CONFIG_GLOBALCONFIG", "PIP_CONFIG_FILE", "CURL_HOME", "WGETRC", "CARGO_BUILD_RUSTC_WRAPPER",
	"CMAKE_TOOLCHAIN_FILE", "ANSIBLE_CONFIG", "KUBECONFIG",
	// These variables name a package registry. A registry of an attacker could deliver packages with malicious code.
	"NPM_CONFIG_REGISTRY", "PIP_INDEX_URL",
	// Interpreters and virtual machines.
	"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE",
	"PYTHONWARNINGS", "PYTHONPYCACHEPREFIX",
	"NODE_OPTIONS", "NODE_PATH", "RUBYOPT", "RUBYLIB", "GEM_HOME", "GEM_PATH", "PERLLIB", "PHPRC", "PHP_INI_SCAN_DIR",
	"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_LIBS", "ELIXIR_ERL_OPTIONS", "R_PROFILE",
	"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_JAVAC_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "MAVEN_OPTS",
	"GRADLE_OPTS",
	"DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "CORECLR_PROFILER", "CORECLR_PROFILER_PATH",
	"COR_PROFILER", "COR_PROFILER_PATH",
}

// divertingVariables can make common programs send secrets to a server of an attacker: they turn off the verification
// of certificates, add certificate authorities, or name a proxy. Like unsafeVariables, this list cannot be complete.
var divertingVariables = []string{
	// Verification off.
	"NODE_TLS_REJECT_UNAUTHORIZED", "GIT_SSL_NO_VERIFY", "PYTHONHTTPSVERIFY", "PERL_LWP_SSL_VERIFY_HOSTNAME",
	"NPM_CONFIG_STRICT_SSL", "GOINSECURE", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "PIP_TRUSTED_HOST",
	"CARGO_HTTP_CHECK_REVOKE", "AWS_NO_VERIFY_SSL", "VAULT_SKIP_VERIFY", "DOCKER_TLS_VERIFY",
	"HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "COMPOSER_DISABLE_TLS", "CLOUDSDK_AUTH_DISABLE_SSL", "PGSSLMODE",
	"LOCKBOX_API_ALLOW_HTTP",
	// Servers.
	"LOCKBOX_API_URL", "DOCKER_HOST",
	// Certificate authorities.
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
	"NODE_USE_SYSTEM_CA", "NODE_USE_ENV_PROXY", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_PROXY_SSL_CAINFO",
	"PERL_LWP_SSL_CA_FILE", "PERL_LWP_SSL_CA_PATH", "HTTPS_CA_FILE", "HTTPS_CA_DIR", "PIP_CERT", "CARGO_HTTP_CAINFO",
	"NPM_CONFIG_CA", "NPM_CONFIG_CAFILE", "DENO_CERT", "DENO_TLS_CA_STORE", "VAULT_CACERT", "VAULT_CAPATH",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "PGSSLROOTCERT", "SSLKEYLOGFILE", "NIX_SSL_CERT_FILE",
	"HTTPLIB2_CA_CERTS", "COMPOSER_CAFILE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
	// Proxies.
	"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY", "SOCKS_PROXY", "RSYNC_PROXY", "WSS_PROXY",
	"NPM_CONFIG_PROXY", "NPM_CONFIG_HTTP_PROXY", "NPM_CONFIG_HTTPS_PROXY", "NPM_CONFIG_NOPROXY", "PIP_PROXY",
	"CARGO_HTTP_PROXY", "GRPC_PROXY", "CGI_HTTP_PROXY", "GLOBAL_AGENT_HTTP_PROXY", "GLOBAL_AGENT_HTTPS_PROXY",
	"SOCKS_SERVER", "GOPROXY", "SOCKS5_PROXY", "YARN_HTTP_PROXY", "YARN_HTTPS_PROXY",
}

// divertingSuffixes are the usual endings of diverting variables. The suffixes also match variables that are missing
// from divertingVariables.
var divertingSuffixes = []string{"_PROXY", "_CA_CERTS", "_CA_BUNDLE", "_CERT_FILE", "_SSL_NO_VERIFY",
	"_TLS_REJECT_UNAUTHORIZED"}

// unsafePrefixes match unsafe variables by the beginning of the name. For example, the prefix LUA_INIT also matches
// LUA_INIT_5_4, which Lua 5.4 reads instead of LUA_INIT.
var unsafePrefixes = []string{"LD_", "DYLD_", "BASH_FUNC_", "PERL5", "GIT_CONFIG", "LUA_INIT", "LUA_PATH",
	"LUA_CPATH"}

// checkNames refuses unsafe variables and diverting variables, unless allowed contains their names; see unsafeVariables
// and divertingVariables. Names in allowed must match exactly. The lists of unsafe and diverting variables match names
// in any letter case. The reason is that Windows ignores the case of names, and that many programs also read proxy
// variables in lower case. The error names the variable and not its value.
func checkNames(pairs, allowed []string) error {
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(allowed, name) {
			continue
		}
		if danger := dangerOf(name); danger != "" {
			return fmt.Errorf("the variable %s can make programs %s; if that is intended, use --allow %[1]s",
				name, danger)
		}
	}
	return nil
}

// The dangers of a variable. In the message of checkNames, these texts follow the words "can make programs".
const (
	runsCode = "run other code"
	diverts  = "send secrets to another server"
)

// dangerOf returns the danger of a variable, or "" if the lists above do not contain the variable. It ignores the case
// of the name.
func dangerOf(name string) string {
	upper := strings.ToUpper(name)
	switch {
	case slices.Contains(divertingVariables, upper),
		slices.ContainsFunc(divertingSuffixes, func(suffix string) bool { return strings.HasSuffix(upper, suffix) }):
		return diverts
	case slices.Contains(unsafeVariables, upper),
		slices.ContainsFunc(unsafePrefixes, func(prefix string) bool { return strings.HasPrefix(upper, prefix) }):
		return runsCode
	}
	return ""
}

// selectNames returns the pairs whose names are in the list of --only, or all pairs if that list is empty. It drops the
// other variables without an error. If another user adds a variable to the entry, a program that is started with --only
// does not get that variable.
func selectNames(pairs, only []string) []string {
	if len(only) == 0 {
		return pairs
	}
	return slices.DeleteFunc(slices.Clone(pairs), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return !slices.Contains(only, name)
	})
}

// checkOnly returns an error if a variable that --only names is missing from pairs. The program probably needs this
// variable, so it must not start.
func checkOnly(pairs, only []string) error {
	for _, name := range only {
		if !slices.ContainsFunc(pairs, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
			return fmt.Errorf("--only names the variable %s, but no entry sets it", name)
		}
	}
	return nil
}
