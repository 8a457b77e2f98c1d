package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/lockbox/terminal"
)

// commands returns all descendants of a command that have no subcommands. If the command itself has no subcommands,
// commands returns only this command. The result omits the help command and all other commands that cobra adds at run
// time.
func commands(command *cobra.Command) []*cobra.Command {
	if !command.HasSubCommands() {
		return []*cobra.Command{command}
	}
	var all []*cobra.Command
	for _, child := range command.Commands() {
		all = append(all, commands(child)...)
	}
	return all
}

// TestCommandHelp checks that each command has a short summary, an example that calls the command, and a description of
// each flag.
func TestCommandHelp(t *testing.T) {
	t.Parallel()
	all := commands(root())
	require.Greater(t, len(all), 40)
	for _, command := range all {
		path := command.CommandPath()
		assert.NotEmpty(t, command.Short, path)
		assert.False(t, strings.HasSuffix(command.Short, "."), path)
		assert.LessOrEqual(t, len(command.Short), 100, path)
		assert.Contains(t, command.Example, " "+path, path)
		command.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
			assert.NotEmpty(t, flag.Usage, "%s --%s", path, flag.Name)
		})
	}
}

// TestEmptyValues verifies that each command refuses an empty argument, an empty value of a flag, and an empty element
// in a list. Such values occur if a script uses a variable that is not set.
func TestEmptyValues(t *testing.T) {
	t.Parallel()
	refused := func(args ...string) error {
		program := root()
		program.SetArgs(args)
		return program.ExecuteContext(t.Context())
	}
	flags := 0
	for _, command := range commands(root()) {
		path := strings.Fields(command.CommandPath())[1:]
		check := func(flag *pflag.Flag) {
			values := []string{"", " "}
			if strings.HasPrefix(flag.Value.Type(), "string") && flag.Value.Type() != "string" {
				values = append(values, "x,")
			}
			if flag.Value.Type() == "stringArray" {
				values = []string{""} // a comma does not separate its elements
			}
			for _, value := range values {
				err := refused(append(path, "--"+flag.Name+"="+value)...)
				if assert.Error(t, err, "%s --%s=%q", path, flag.Name, value) {
					assert.Equal(t, 2, terminal.ExitCode(err), "%s --%s=%q: %v", path, flag.Name, value, err)
					assert.Contains(t, err.Error(), "--"+flag.Name, path)
				}
			}
			flags++
		}
		command.LocalFlags().VisitAll(check)
		command.InheritedFlags().VisitAll(check)
		err := refused(append(path, "")...)
		if assert.Error(t, err, path) {
			assert.Equal(t, 2, terminal.ExitCode(err), "%s: %v", path, err)
		}
	}
	assert.Greater(t, flags, 200)
}

// TestExamplesAreValid checks that the examples contain only existing commands and flags.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	program := root()
	for _, command := range commands(program) {
		for line := range strings.Lines(command.Example) {
			for _, call := range calls(line) {
				found := checkCall(t, program, call)
				assert.True(t, found != nil && found.Runnable(), call)
			}
		}
	}
}

// calls finds each call of lockbox in a line of a shell script. It returns the arguments of each call.
func calls(line string) [][]string {
	var all [][]string
	for _, part := range regexp.MustCompile(`[|<>#()]| -- |&&`).Split(line, -1) {
		if call, found := strings.CutPrefix(strings.TrimSpace(part), "lockbox "); found {
			all = append(all, strings.Fields(call))
		}
	}
	return all
}

// checkCall checks that the called command and its flags exist, and returns the command.
func checkCall(t *testing.T, program *cobra.Command, call []string) *cobra.Command {
	t.Helper()
	found, rest, err := program.Find(call)
	if !assert.NoError(t, err, call) {
		return nil
	}
	if found.HasSubCommands() && len(rest) > 0 && rest[0] == strings.ToLower(rest[0]) && rest[0] != "--help" {
		t.Errorf("%v: unknown command %s %s", call, found.CommandPath(), rest[0])
	}
	for _, word := range call {
		if word == "--help" {
			continue // cobra adds this flag at run time
		}
		name, _, _ := strings.Cut(word, "=")
		if long, is := strings.CutPrefix(name, "--"); is && long != "" {
			assert.True(t, found.Flags().Lookup(long) != nil || found.InheritedFlags().Lookup(long) != nil,
				"%v: unknown flag %s", call, name)
		} else if short, is := strings.CutPrefix(name, "-"); is && len(short) == 1 {
			assert.True(t, found.Flags().ShorthandLookup(short) != nil ||
				found.InheritedFlags().ShorthandLookup(short) != nil,
				"%v: unknown flag %s", call, name)
		}
	}
	return found
}

// TestTerminalPage checks that docs/terminal.md describes each command that works over HTTP, and its flags in the same
// section. It also checks that all commands and flags on the page exist.
func TestTerminalPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/terminal.md")
	require.NoError(t, err)
	page, program := string(text), root()
	program.InitDefaultCompletionCmd() // cobra does this at run time
	sections := strings.Split(page, "\n## ")
	for _, top := range program.Commands() {
		if top.GroupID == "" || top.GroupID == groupServer {
			continue
		}
		for _, command := range commands(top) {
			path := command.CommandPath()
			named := regexp.MustCompile(regexp.QuoteMeta(path) + `[^\w-]`)
			var where []string
			for _, section := range sections {
				if named.MatchString(section) {
					where = append(where, section)
				}
			}
			if !assert.NotEmpty(t, where, "docs/terminal.md does not name %s", path) {
				continue
			}
			command.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
				assert.Regexp(t, `--`+flag.Name+`[^\w-]`, strings.Join(where, "\n"),
					"docs/terminal.md does not describe --%s of %s", flag.Name, path)
			})
		}
		top.PersistentFlags().VisitAll(func(flag *pflag.Flag) { assert.Contains(t, page, "--"+flag.Name) })
	}
	for _, block := range regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			for _, call := range calls(line) {
				checkCall(t, program, call)
			}
		}
	}
	for _, code := range regexp.MustCompile("`(lockbox [^`]+)`").FindAllStringSubmatch(page, -1) {
		for _, call := range calls(strings.NewReplacer("[", "", "]", "", "|", " ").Replace(code[1])) {
			checkCall(t, program, call)
		}
	}
}
