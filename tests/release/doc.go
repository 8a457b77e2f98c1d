// Package release checks the files of a release.
package release
