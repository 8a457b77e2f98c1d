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
)

// commands returns the commands below a command that can be run. Commands that cobra adds itself are not included.
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

// TestEveryCommandIsExplained verifies that every command has a short help, an example of a call, and help for its flags.
func TestEveryCommandIsExplained(t *testing.T) {
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

// TestExamplesCanBeRun verifies that the commands and flags of all examples exist.
func TestExamplesCanBeRun(t *testing.T) {
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

// calls returns the words after "lockbox" for each call in a shell line, up to the next shell operator.
func calls(line string) [][]string {
	var all [][]string
	for _, part := range regexp.MustCompile(`[|<>#()]| -- |&&`).Split(line, -1) {
		if call, found := strings.CutPrefix(strings.TrimSpace(part), "lockbox "); found {
			all = append(all, strings.Fields(call))
		}
	}
	return all
}

// checkCall returns the command of a call, and verifies that its flags exist.
func checkCall(t *testing.T, program *cobra.Command, call []string) *cobra.Command {
	t.Helper()
	found, rest, err := program.Find(call)
	if !assert.NoError(t, err, call) {
		return nil
	}
	if found.HasSubCommands() && len(rest) > 0 && rest[0] == strings.ToLower(rest[0]) && rest[0] != "--help" {
		t.Errorf("%v: there is no command %s %s", call, found.CommandPath(), rest[0])
	}
	for _, word := range call {
		if word == "--help" {
			continue // cobra adds it when it runs
		}
		name, _, _ := strings.Cut(word, "=")
		if long, is := strings.CutPrefix(name, "--"); is && long != "" {
			assert.True(t, found.Flags().Lookup(long) != nil || found.InheritedFlags().Lookup(long) != nil,
				"%v: there is no %s", call, name)
		} else if short, is := strings.CutPrefix(name, "-"); is && len(short) == 1 {
			assert.True(t, found.Flags().ShorthandLookup(short) != nil ||
				found.InheritedFlags().ShorthandLookup(short) != nil,
				"%v: there is no %s", call, name)
		}
	}
	return found
}

// TestTerminalPage verifies that docs/terminal.md names every command that works over HTTP, with its flags in the same
// section, and that all commands and flags on the page exist.
func TestTerminalPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/terminal.md")
	require.NoError(t, err)
	page, program := string(text), root()
	program.InitDefaultCompletionCmd() // cobra does so when it runs
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
