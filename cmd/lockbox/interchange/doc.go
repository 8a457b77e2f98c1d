// Package interchange carries the value of an entry out of Lockbox and back: as the environment of a program, and as files
// of the formats dotenv, JSON, YAML, shell and Kubernetes. Its errors say names and line numbers, never a value.
package interchange
