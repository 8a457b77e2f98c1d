package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// healthCommand asks a server on this machine whether it is ready.
func healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Check whether the server on this machine is ready: exit code 0 if it is, 1 otherwise",
		Long: `Send a request to /readyz of the server on this machine. The address comes from LOCKBOX_HTTP_ADDR, which
must be set as for the server. Containers use this command as their health check.`,
		Example: "  lockbox health",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, _, err := settings()
			if err != nil {
				return err
			}
			return checkHealth(command.Context(), config)
		},
	}
}

// healthTimeout is shorter than the timeout of common health checks (5 s), so the command can still report the reason.
const healthTimeout = 4 * time.Second

// checkHealth returns nil if the server with these settings answers /readyz with 200.
func checkHealth(ctx context.Context, config boot.Config) error {
	host, port := config.HTTPAddr.Host, config.HTTPAddr.Port
	// A server that listens on all interfaces also accepts connections on loopback.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if config.TLSCert != "" {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/readyz",
		nil)
	if err != nil {
		return err
	}
	// The certificate is valid for the public host name and not for this address. Skipping the check is safe, because
	// the request and the response contain no secret.
	insecure := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
	client := http.Client{Transport: &http.Transport{TLSClientConfig: insecure}}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", answer.Status)
	}
	return nil
}
