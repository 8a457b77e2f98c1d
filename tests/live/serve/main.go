// Command serve runs a test server for the tests of another module. It prints the server's URL and stops at the end of
// its standard input.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lockbox-go/lockbox/tests/live"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	server, err := live.Open()
	if err != nil {
		return err
	}
	fmt.Println(server.URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, server.Stop())
}
