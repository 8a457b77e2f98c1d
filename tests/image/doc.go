// Package image tests docker-compose.yml and, in make e2e, the container image in a real Docker engine.
package image
