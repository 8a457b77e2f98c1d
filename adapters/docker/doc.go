// Package docker runs droplets on a Docker host over the Engine API.
//
// It never runs a shell or the docker command. No user input becomes part of an API path. A path identifies a container
// by the identifier that the engine itself returned.
package docker
