// Package engine gives tests a Docker engine.
package engine
