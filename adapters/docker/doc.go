// Package docker runs droplets on a Docker host, over the Engine API. It never runs a shell or the docker command, and
// nothing that a user typed becomes a part of a path of the API: containers are asked for by the identifiers that the
// engine itself listed.
package docker
