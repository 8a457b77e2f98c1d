// Package image tests docker-compose.yml and files in the folder deploy. Under `make e2e`, it also tests the container
// image in a real Docker engine.
package image
