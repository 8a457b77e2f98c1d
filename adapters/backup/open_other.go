//go:build !unix

package backup

// noWait is needed only on Unix, where a folder can contain named pipes.
const noWait = 0
