// Package docker runs droplets on a Docker host over the Engine API.
//
// It never runs a shell or the docker command. No user input becomes part of an API path. The only variable part of a
// path is a container identifier, which the engine itself has returned.
package docker
