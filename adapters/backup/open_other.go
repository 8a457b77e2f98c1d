//go:build !unix

package backup

// noWait is only needed on Unix, where a folder can contain named pipes.
const noWait = 0
