// Package engine provides a Docker engine for tests.
package engine
