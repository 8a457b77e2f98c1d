package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// loader is the process that sends the requests.
type loader struct {
	command *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	replies *json.Decoder
}

func startLoad(ctx context.Context) (*loader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &loader{command: exec.CommandContext(ctx, self, "load")}
	l.command.Stderr = os.Stderr
	if l.in, err = l.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.orders, l.replies = json.NewEncoder(l.in), json.NewDecoder(out)
	return l, l.command.Start()
}

// tell sends an order to the load driver and waits for its reply.
func (l *loader) tell(order load.Order) (load.Reply, error) {
	var reply load.Reply
	if err := l.orders.Encode(order); err != nil {
		return reply, fmt.Errorf("the load's process: %w", err)
	}
	if err := l.replies.Decode(&reply); err != nil {
		return reply, fmt.Errorf("the load's process: %w", err)
	}
	if reply.Error != "" {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

func (l *loader) stop() {
	l.in.Close()
	_ = l.command.Wait() // the process has no more output
}

func (l *loader) pid() int { return l.command.Process.Pid }
