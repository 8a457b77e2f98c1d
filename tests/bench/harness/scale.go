package main

import (
	"context"
	"errors"
)

func (b *bench) scale(ctx context.Context) error { return errors.New("not yet") }
func (b *bench) queue(ctx context.Context) error { return errors.New("not yet") }
