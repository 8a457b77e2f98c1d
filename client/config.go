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

// Config configures a Client. Only URL is required. In every other field, the zero value selects the default.
type Config struct {
	// URL is the base URL of the server, such as "https://lockbox.example.org". If a proxy serves Lockbox below a path,
	// the URL includes this path. A URL with http:// is accepted if its host is a loopback address (localhost,
	// 127.0.0.0/8, ::1) or if AllowHTTP is set. A user name or password in the URL is refused.
	URL string
	// Token is an API key or a token that SignIn, Accounts.SignIn or Accounts.Refresh returned. Without a token, only
	// Initialize, SignIn, AcceptInvitation, Accounts.SignIn, Accounts.Refresh, Welcome, Healthy and Ready work.
	// CreateUser works too if the server allows open registration.
	Token Secret
	// EncryptionKey encrypts and decrypts values. A key in the options of a call takes precedence over EncryptionKey.
	// If Identity is set, EncryptionKey is used only for boxes without a keyring.
	EncryptionKey EncryptionKey
	// Identity finds the keys of boxes that have a keyring, so reads and writes in these boxes need no EncryptionKey.
	// keys.NewHolder in package client/keys returns a value for this field. If Identity is set, each read and write
	// begins with a request for the keyring. The server responds to this request with 304 if the keyring has not
	// changed.
	Identity BoxKeys
	// Box and Entry name the entry that Unmarshal reads. Other methods ignore them.
	Box, Entry string

	// AllowHTTP permits http:// even if the server runs on another machine. The client then does not encrypt the
	// connection. Set AllowHTTP only if something else encrypts the traffic, such as a service mesh.
	AllowHTTP bool
	// HTTPClient sends the requests. New copies HTTPClient, and the copy does not follow redirects. The transport sees
	// tokens and encryption keys. Nil means a client with the settings of http.DefaultTransport.
	HTTPClient *http.Client
	// UserAgent is the User-Agent header, "lockbox-go" by default.
	UserAgent string

	// MaxAttempts is the maximum number of attempts to send a request, including the first. The default is 4. The value
	// 1 disables retries.
	MaxAttempts int
	// RetryWait is the wait before the first retry, 100 ms by default. The wait doubles with each retry. The client
	// shortens each wait at random, by at most half.
	RetryWait time.Duration
	// MaxRetryWait is the maximum wait before a retry, 10 s by default. If the server sends a longer wait in the header
	// Retry-After, the call fails immediately. Error.RetryAfter then contains this longer wait.
	MaxRetryWait time.Duration
	// AttemptTimeout limits the time of one attempt. This time includes reading the response. The default is 30 s. The
	// context of a call limits the time of all attempts and waits together.
	AttemptTimeout time.Duration
	// MaxResponseBytes is the maximum size of a response body, 16 MiB by default.
	MaxResponseBytes int64
}

// Client calls one Lockbox server as one user. It is safe for concurrent use. It keeps connections open between calls
// and needs no Close. Its printed form is its URL, without the token or the encryption key.
type Client struct {
	base   string // the base URL, without a slash at the end
	config Config
	http   *http.Client
}

// New returns a Client for config. It sends no request. If fields of config are invalid, New returns one ErrInvalid for
// each of them, joined by errors.Join.
func New(config Config) (*Client, error) {
	base, problems := parseURL(config.URL, config.AllowHTTP)
	if !isToken(config.Token) {
		problems = append(problems, invalid("invalid_token", "Token",
			"Token contains a space, a line end or another character that cannot be in a token: copy it again"))
	}
	if config.Entry != "" && config.Box == "" {
		problems = append(problems,
			invalid("box_required", "Box", "Entry is set, but Box is not: set Box to the name of the box"))
	}
	if !isHeaderText(config.UserAgent) {
		problems = append(problems, invalid("invalid_user_agent", "UserAgent",
			"UserAgent must be printable ASCII without leading or trailing spaces"))
	}
	problems = append(problems, config.setDefaults()...)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return &Client{base: base, config: config, http: httpClient(config.HTTPClient)}, nil
}

// setDefaults replaces zero values with their defaults and returns an error for each negative value.
func (c *Config) setDefaults() []error {
	var problems []error
	for _, field := range []struct {
		name string
		bad  bool
	}{
		{"MaxAttempts", c.MaxAttempts < 0}, {"RetryWait", c.RetryWait < 0}, {"MaxRetryWait", c.MaxRetryWait < 0},
		{"AttemptTimeout", c.AttemptTimeout < 0}, {"MaxResponseBytes", c.MaxResponseBytes < 0},
	} {
		if field.bad {
			problems = append(problems,
				invalid("negative", field.name, field.name+" must not be negative; 0 means the default"))
		}
	}
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 4)
	c.RetryWait = cmp.Or(c.RetryWait, 100*time.Millisecond)
	c.MaxRetryWait = cmp.Or(c.MaxRetryWait, 10*time.Second)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, 30*time.Second)
	c.MaxResponseBytes = cmp.Or(c.MaxResponseBytes, 16<<20)
	c.UserAgent = cmp.Or(c.UserAgent, "lockbox-go")
	return problems
}

// parseURL validates the base URL and returns it without a trailing slash. The URL may contain a password, so no
// message repeats the URL.
func parseURL(text string, allowHTTP bool) (string, []error) {
	bad := func(message string) (string, []error) { return "", []error{invalid("invalid_url", "URL", message)} }
	if text == "" {
		return bad("URL is missing: set it to the server's address, such as https://lockbox.example.org")
	}
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Host == "" || at.Opaque != "" || at.Scheme != "http" && at.Scheme != "https":
		return bad("URL is not an address of the form https://lockbox.example.org")
	case at.User != nil:
		return bad("URL must not contain a user name or password: set Token instead")
	case at.RawQuery != "" || at.ForceQuery || at.Fragment != "":
		return bad("URL must not contain a query (?) or a fragment (#)")
	case at.Scheme == "http" && !allowHTTP && !isLoopback(at.Hostname()):
		return bad("URL must use https:// for a server on another machine, " +
			"because http:// exposes tokens, encryption keys and values on the network; " +
			"set AllowHTTP (LOCKBOX_API_ALLOW_HTTP=true) only if something else encrypts the traffic")
	}
	return at.Scheme + "://" + at.Host + strings.TrimRight(at.EscapedPath(), "/"), nil
}

// isToken reports whether the token can be sent in the Authorization header. It returns true for the zero Secret, which
// means that there is no token.
func isToken(token Secret) bool {
	return isHeaderText(token.Reveal()) && !strings.Contains(token.Reveal(), " ")
}

// isLoopback reports whether a URL's host is this machine. The only accepted host name is localhost; other names are
// not resolved.
func isLoopback(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// httpClient returns a copy of the given client, or a new client if given is nil. The result does not follow redirects,
// because a redirect could send the token and the encryption key to another host, or turn a write into a GET.
func httpClient(given *http.Client) *http.Client {
	own := http.Client{}
	if given != nil {
		own = *given
	} else if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport := standard.Clone()
		transport.MaxIdleConnsPerHost = 16 // the default of 2 would close connections that concurrent callers reuse
		own.Transport = transport
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// WithToken returns a Client that uses another token and shares the connections of c. The zero Secret means no token.
// If the token cannot be sent in a header, the new Client sends no token, and its requests return ErrUnauthenticated.
func (c *Client) WithToken(token Secret) *Client {
	other := *c
	other.config.Token = token
	if !isToken(token) {
		other.config.Token = Secret{}
	}
	return &other
}

// WithEncryptionKey returns a Client that uses another encryption key and shares the connections of c.
func (c *Client) WithEncryptionKey(key EncryptionKey) *Client {
	other := *c
	other.config.EncryptionKey = key
	return &other
}

// URL returns the base URL of the server, without a trailing slash.
func (c *Client) URL() string { return c.base }

// Format implements fmt.Formatter. Every formatting verb prints only the URL.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil {
		_, _ = f.Write([]byte("<nil>"))
		return
	}
	_, _ = f.Write([]byte("client of " + c.base))
}
