package client

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config says which server a Client speaks to, as whom, and how patiently. URL alone is required.
type Config struct {
	// URL is where the server is: "https://lockbox.example.org", with a path where a proxy serves it below one. Without
	// TLS, "http://…" is accepted for this machine alone (localhost, 127.0.0.0/8, ::1), unless AllowHTTP is set. Names
	// and passwords in it are refused.
	URL string
	// Token is an API key, or what SignIn, SignInWithCode or Refresh returned. Without one, only what needs no token
	// works: Initialize, SignIn, SignInWithCode, Refresh, Welcome, Healthy, Ready, and CreateUser where the server lets
	// anybody register.
	Token Secret
	// EncryptionKey is what values are written and read under when a call does not bring its own.
	EncryptionKey EncryptionKey
	// Box and Entry are what Unmarshal reads. A call that names a box does not look at them.
	Box, Entry string

	// AllowHTTP lets tokens, encryption keys and values cross a network in the clear. Set it where something else
	// encrypts the way, such as the service mesh of a cluster.
	AllowHTTP bool
	// HTTPClient sends the requests; nil is one with the settings of http.DefaultTransport. It is copied, and
	// the copy follows no redirects. Its transport sees tokens and keys.
	HTTPClient *http.Client
	// UserAgent is the header User-Agent; "lockbox-go" by default.
	UserAgent string

	// MaxAttempts is how often one request is sent at most: 4 by default, 1 never tries again.
	MaxAttempts int
	// RetryWait is the wait after the first attempt, doubled after each: 100 ms by default. Between half of it and the
	// whole is waited, at random.
	RetryWait time.Duration
	// MaxRetryWait bounds one wait: 10 s by default. When the server asks for a longer one in Retry-After, the call fails
	// at once, and Error.RetryAfter says how long it is.
	MaxRetryWait time.Duration
	// AttemptTimeout bounds one attempt, the reading of its answer included: 30 s by default. The whole call is bounded by
	// its context.
	AttemptTimeout time.Duration
	// MaxAnswerBytes bounds the body of an answer: 16 MiB by default.
	MaxAnswerBytes int64
}

// Client calls one Lockbox as one user. It is safe for use by many goroutines, keeps connections open between calls and
// is never closed. Printing it shows its URL and nothing else.
type Client struct {
	base   string // without a slash at the end
	config Config
	http   *http.Client
}

// New makes a Client and sends nothing. All mistakes in config are reported at once; each is ErrInvalid.
func New(config Config) (*Client, error) {
	base, mistakes := parseURL(config.URL, config.AllowHTTP)
	if !isToken(config.Token) {
		mistakes = append(mistakes, invalid("invalid_token", "Token",
			"Token has characters that no token has: was it cut out with a line end or a space?"))
	}
	if config.Entry != "" && config.Box == "" {
		mistakes = append(mistakes,
			invalid("box_required", "Box", "Entry is set and Box is not: set the box that the entry is in"))
	}
	if !isHeaderText(config.UserAgent) {
		mistakes = append(mistakes, invalid("invalid_user_agent", "UserAgent",
			"UserAgent must be printable ASCII without spaces at its ends"))
	}
	mistakes = append(mistakes, config.setDefaults()...)
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return &Client{base: base, config: config, http: httpClient(config.HTTPClient)}, nil
}

// setDefaults fills what is zero, and returns what is below zero.
func (c *Config) setDefaults() []error {
	var mistakes []error
	for _, field := range []struct {
		name string
		bad  bool
	}{
		{"MaxAttempts", c.MaxAttempts < 0}, {"RetryWait", c.RetryWait < 0}, {"MaxRetryWait", c.MaxRetryWait < 0},
		{"AttemptTimeout", c.AttemptTimeout < 0}, {"MaxAnswerBytes", c.MaxAnswerBytes < 0},
	} {
		if field.bad {
			mistakes = append(mistakes,
				invalid("negative", field.name, field.name+" is negative: leave it 0 for the default"))
		}
	}
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 4)
	c.RetryWait = cmp.Or(c.RetryWait, 100*time.Millisecond)
	c.MaxRetryWait = cmp.Or(c.MaxRetryWait, 10*time.Second)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, 30*time.Second)
	c.MaxAnswerBytes = cmp.Or(c.MaxAnswerBytes, 16<<20)
	c.UserAgent = cmp.Or(c.UserAgent, "lockbox-go")
	return mistakes
}

// parseURL returns the URL without a slash at its end.
func parseURL(text string, allowHTTP bool) (string, []error) {
	bad := func(message string) (string, []error) { return "", []error{invalid("invalid_url", "URL", message)} }
	if text == "" {
		return bad("URL is missing: set where the server is, such as https://lockbox.example.org")
	}
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Host == "" || at.Opaque != "" || at.Scheme != "http" && at.Scheme != "https":
		// without repeating it: it may hold a password
		return bad("URL is not an address such as https://lockbox.example.org")
	case at.User != nil:
		return bad("URL must not hold a name or a password: the token goes into Token")
	case at.RawQuery != "" || at.ForceQuery || at.Fragment != "":
		return bad("URL must end with its host or its path, without ? and #")
	case at.Scheme == "http" && !allowHTTP && !isLoopback(at.Hostname()):
		return bad("URL is http:// beyond this machine: tokens, encryption keys and values could be read on the way. " +
			"Use https://, or set AllowHTTP (LOCKBOX_API_ALLOW_HTTP=true) where something else encrypts the way")
	}
	return at.Scheme + "://" + at.Host + strings.TrimRight(at.EscapedPath(), "/"), nil
}

func isToken(token Secret) bool {
	return isHeaderText(token.Reveal()) && !strings.Contains(token.Reveal(), " ")
}

func isLoopback(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// httpClient copies a client to one that follows no redirects: a redirect could carry the token and the encryption key
// to somebody else, or turn a write into a read.
func httpClient(given *http.Client) *http.Client {
	own := http.Client{}
	if given != nil {
		own = *given
	} else if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport := standard.Clone()
		transport.MaxIdleConnsPerHost = 16
		own.Transport = transport
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// WithToken returns a Client that speaks to the same server, over the same connections, with another token; the zero
// Secret is nobody. A token that cannot stand in a header is sent as none.
func (c *Client) WithToken(token Secret) *Client {
	other := *c
	other.config.Token = token
	if !isToken(token) {
		other.config.Token = Secret{}
	}
	return &other
}

// WithEncryptionKey returns a Client that writes and reads under another key.
func (c *Client) WithEncryptionKey(key EncryptionKey) *Client {
	other := *c
	other.config.EncryptionKey = key
	return &other
}

// URL returns where the server is, without a slash at its end.
func (c *Client) URL() string { return c.base }

// Format writes the URL and nothing else, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil {
		_, _ = f.Write([]byte("<nil>"))
		return
	}
	_, _ = f.Write([]byte("client of " + c.base))
}
