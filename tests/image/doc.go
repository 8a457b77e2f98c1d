// Package image tests what a team installs: docker-compose.yml as it is written,
// and, with make e2e, the container image in a real Docker engine.
package image
