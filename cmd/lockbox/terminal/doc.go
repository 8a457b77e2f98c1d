// Package terminal holds the lockbox commands that call a server over HTTP, for people at a terminal and for scripts.
// Each file holds the commands for one noun or verb. The commands use the Go package client and import no package of
// the server.
//
// Three rules apply to every command:
//
//   - Standard output carries only the result, as text or, with --output json, as JSON. Prompts, progress, notices and
//     errors go to standard error.
//   - The exit code states the kind of failure; see exitCodes. Scripts rely on these codes.
//   - Secrets are never arguments, because other users of the machine can read the arguments of a process. Secrets
//     come from standard input, a file, the environment or a prompt without echo.
package terminal
