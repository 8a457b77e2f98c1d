package main

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// maxAnswer is the maximum length of a response body in bytes. exchange ignores all further bytes.
const maxAnswer = 4 << 20

// exchange sends a request and returns the status and the body of the response.
func exchange(ctx context.Context, method, address, body string, header map[string]string) (int, string, error) {
	status, _, text, err := exchangeWith(ctx, http.DefaultClient, method, address, body, header)
	return status, text, err
}

// exchangeWith is like exchange, but uses the given client and also returns the response header.
func exchangeWith(ctx context.Context, client *http.Client, method, address, body string,
	header map[string]string) (int, http.Header, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, response.Header, string(text), err
}
