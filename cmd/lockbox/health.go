package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// healthCommand checks whether a server is ready.
func healthCommand() *cobra.Command {
	var url string
	command := &cobra.Command{
		Use:   "health",
		Short: "Exit with code 0 if the server on this machine is ready, and with code 1 otherwise",
		Long: `Send a request to /readyz of the server on this machine. The address comes from LOCKBOX_HTTP_ADDR, which
must be set as for the server. Containers use this command as their health check.

With --url, send the request to that server instead, and verify its certificate. No setting is needed.`,
		Example: "  lockbox health\n  lockbox health --url https://lockbox.example.org",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if url != "" {
				return checkHealth(command.Context(), strings.TrimRight(url, "/"), nil)
			}
			config, _, err := settings()
			if err != nil {
				return err
			}
			// The certificate is for the public host name, but the request goes to an IP address of this machine. The
			// client therefore does not verify the certificate. This is safe, because neither the request nor the
			// response contains a secret.
			insecure := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
			return checkHealth(command.Context(), localURL(config), insecure)
		},
	}
	command.Flags().StringVar(&url, "url", "", "check the server at this URL instead of the server on this machine")
	return command
}

// Health checks often stop a command after 5 s. healthTimeout is shorter, so the command can print why the server is
// not ready.
const healthTimeout = 4 * time.Second

// localURL returns the URL at which programs on this machine can reach a server with these settings.
func localURL(config boot.Config) string {
	host, port := config.HTTPAddr.Host, config.HTTPAddr.Port
	// A server that listens on all interfaces also accepts connections on loopback.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if config.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// checkHealth returns nil if the server at a URL answers /readyz with 200. If config is nil and the URL begins with
// https, the server needs a valid certificate.
func checkHealth(ctx context.Context, url string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}}
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
