package boot

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/net/http/httpguts"

	"github.com/lockbox-go/lockbox/adapters/auditstream"
	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// StreamTarget is the destination to which the audit stream delivers events. The zero StreamTarget means no stream. It
// has no String method, because the URL of a webhook may contain a secret and must not appear in a log.
type StreamTarget struct {
	stdout  bool
	file    string
	webhook string
}

// UnmarshalText parses stdout, file:/PATH or the URL of a webhook.
func (t *StreamTarget) UnmarshalText(text []byte) error {
	target := string(text)
	if target == "stdout" {
		t.stdout = true
		return nil
	}
	if path, isFile := strings.CutPrefix(target, "file:"); isFile {
		path = strings.TrimPrefix(path, "//") // file:///path
		if !filepath.IsAbs(path) || strings.HasSuffix(path, "/") {
			return rule("must name a file by its absolute path, such as file:/var/log/lockbox/audit.jsonl")
		}
		t.file = path
		return nil
	}
	address, err := url.Parse(target)
	switch {
	case err != nil || address.Hostname() == "" || address.Scheme != "https" && address.Scheme != "http":
		return rule("must be stdout, file:/path or the https URL of a webhook")
	case address.User != nil:
		return rule("must be a URL without a user name: set LOCKBOX_AUDIT_STREAM_HEADER instead")
	case address.Scheme == "http" && !isLoopback(address.Hostname()):
		return rule("must be an https URL, because plain HTTP exposes the events and the header; " +
			"http is allowed only if the webhook is on this machine")
	}
	t.webhook = target
	return nil
}

// isLoopback reports whether connections to a host stay on this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// IsZero reports whether there is no stream.
func (t StreamTarget) IsZero() bool { return t == StreamTarget{} }

// isWebhook reports whether events are sent to a webhook, in HTTP requests.
func (t StreamTarget) isWebhook() bool { return t.webhook != "" }

// kind returns the description of the target for the log. It omits the URL of a webhook.
func (t StreamTarget) kind() string {
	switch {
	case t.stdout:
		return "standard output"
	case t.isWebhook():
		return "webhook"
	default:
		return t.file
	}
}

// streamHeader splits the setting AUDIT_STREAM_HEADER into the name and the value of a header. If the setting is empty,
// name and value are "" and ok is true. ok is false if the setting is not a valid header.
func (c Config) streamHeader() (name, value string, ok bool) {
	if len(c.AuditStreamHeader.Bytes()) == 0 {
		return "", "", true
	}
	name, value, found := strings.Cut(string(c.AuditStreamHeader.Bytes()), ":")
	value = strings.TrimSpace(value)
	ok = found && value != "" && httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value)
	return name, value, ok
}

// streamDestination opens the destination of the audit stream.
func (c Config) streamDestination() (auditstream.Destination, error) {
	switch target := c.AuditStream; {
	case target.stdout:
		// If standard output is a pipe, its reader may exit. The next write then raises SIGPIPE. By default, this
		// signal ends the server.
		signal.Ignore(syscall.SIGPIPE)
		return auditstream.NewWriter(os.Stdout), nil
	case target.isWebhook():
		name, value, _ := c.streamHeader()
		return auditstream.NewWebhook(auditstream.WebhookConfig{
			URL:         target.webhook,
			HeaderName:  name,
			HeaderValue: value,
			UserAgent:   "lockbox/" + Version(),
		}), nil
	default:
		file, err := auditstream.OpenFile(target.file)
		if err != nil {
			return nil, mistake("AUDIT_STREAM", "names a file that cannot be opened: "+err.Error())
		}
		return file, nil
	}
}

// openStream opens the destination of the audit stream at the start of the server, so a wrong path prevents the start.
// If the setting is empty, openStream does nothing. Call closeStream after the stream has ended.
func (c *core) openStream(ctx context.Context, log *slog.Logger) (closeStream func(), err error) {
	if c.config.AuditStream.IsZero() {
		return func() {}, nil
	}
	destination, err := c.config.streamDestination()
	if err != nil {
		return nil, err
	}
	log.Info("audit events are delivered", slog.String("to", c.config.AuditStream.kind()))
	c.stream = auditstream.New(auditstream.Config{
		Queue:       c.store.NewEventQueue(),
		Destination: destination,
		Encode:      httpapi.EncodeEvent,
		Server:      c.ids.New(),
		Log:         log,
	})
	closeStream = func() { _ = destination.Close() } // an error loses nothing, because nothing is buffered
	if err := c.stream.Begin(ctx); err != nil {
		closeStream()
		return nil, err
	}
	return closeStream, nil
}
