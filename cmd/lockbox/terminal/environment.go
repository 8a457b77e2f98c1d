package terminal

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// input returns a reader of standard input. After ctx has ended, every read returns an error. A read from s.in itself
// would not return on Ctrl-C, so the program would wait until more input arrives.
func (s *session) input(ctx context.Context) io.Reader { return &cancellableReader{ctx, s.in} }

// cancellableReader is a reader whose method Read returns an error as soon as ctx ends.
type cancellableReader struct {
	ctx context.Context //nolint:containedctx // io.Reader has no other way to pass one
	in  io.Reader
}

// Read reads in a goroutine, because a read cannot be cancelled. After ctx has ended, the goroutine stays blocked until
// the read returns; this is harmless, because the program ends soon afterwards.
func (r *cancellableReader) Read(into []byte) (int, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		// Read into a separate buffer: after ctx has ended, the caller may reuse its buffer while the read still runs.
		text := make([]byte, len(into))
		n, err := r.in.Read(text)
		read <- result{text[:n], err}
	}()
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case got := <-read:
		return copy(into, got.text), got.err
	}
}

// env returns the value of an environment variable, or "". An empty variable counts as unset.
func (s *session) env(name string) string { return os.Getenv(name) }

// environmentOrFile returns the value of the environment variable with the given name. If this variable is not set, the
// result is the content of a file. The path of this file is in another variable, whose name has the suffix _FILE: for
// LOCKBOX_API_KEY, it is in LOCKBOX_API_KEY_FILE. A file keeps secrets out of the environment, which other processes of
// the same user can read.
func (s *session) environmentOrFile(name string) (string, error) {
	if text := s.env(name); text != "" {
		return text, nil
	}
	path := s.env(name + "_FILE")
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return "", fmt.Errorf("cannot read the file that %s_FILE names: %w", name, err)
	}
	return trimNewline(text), nil
}

// sameServer reports whether two URLs address the same server. It ignores trailing slashes. Letter case matters only in
// the path. It does not resolve host names, so localhost and 127.0.0.1 are different servers. In doubt, the servers
// count as different, because the result decides whether a token or an encryption key may be sent.
func sameServer(one, other string) bool { return canonicalURL(one) == canonicalURL(other) }

// canonicalURL returns the form in which URLs are compared. If the text is not a URL, canonicalURL returns it
// unchanged.
func canonicalURL(text string) string {
	parsed, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return text
	}
	return strings.ToLower(parsed.Scheme+"://"+parsed.Host) + parsed.EscapedPath()
}
