package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/lockbox-go/lockbox/client"
)

// Read the settings of a program from an entry. Environment variables name the entry.
func Example() {
	settings := struct {
		Listen   string
		Timeout  client.Duration
		Workers  int
		Database struct {
			Host     string
			Password client.Secret
		}
	}{Workers: 4} // fields that the entry lacks keep their defaults
	if err := client.Unmarshal(context.Background(), &settings); err != nil {
		log.Fatal(err)
	}
	fmt.Println(settings.Listen, settings.Timeout, settings.Workers, settings.Database.Host)
	fmt.Println(settings.Database.Password, len(settings.Database.Password.Reveal()))
	// Output:
	// :8080 5s 4 db.example.org
	// [client.Secret] 6
}

func ExampleNew() {
	key, err := client.ParseEncryptionKey(os.Getenv("LOCKBOX_ENCRYPTION_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{
		URL:           os.Getenv("LOCKBOX_API_URL"),
		Token:         client.NewSecret(os.Getenv("LOCKBOX_API_KEY")),
		EncryptionKey: key,
	})
	if err != nil {
		log.Fatal(err)
	}
	who, err := c.WhoAmI(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(who.Username, who.Role, who.Token.Kind)
	// Output: root admin api-key
}

func ExampleClient_ReadEntry() {
	c, err := client.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	entry, err := c.ReadEntry(context.Background(), "prod", "app", nil)
	switch {
	case errors.Is(err, client.ErrNotFound):
		log.Fatal("the entry does not exist, or the API key has no access to the box")
	case errors.Is(err, client.ErrEncryptionKeyMismatch):
		log.Fatal("the entry is encrypted under another key")
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(entry.Version, len(entry.Value) > 0)
	// Output: 1 true
}

// Use IfMatch to update an entry only if it has not changed in the meantime.
func ExampleClient_WriteEntry() {
	ctx := context.Background()
	c, err := client.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.DeleteBox(ctx, "counters") }()
	if err := c.CreateBox(ctx, "counters"); err != nil {
		log.Fatal(err)
	}
	written, err := c.WriteEntry(ctx, "counters", "visits", 1, &client.WriteOptions{IfNoneMatch: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", written.Version)
	_, err = c.WriteEntry(ctx, "counters", "visits", 2, &client.WriteOptions{IfMatch: written.Version})
	fmt.Println("update of version 1:", err)
	_, err = c.WriteEntry(ctx, "counters", "visits", 2, &client.WriteOptions{IfMatch: written.Version})
	fmt.Println("conflict on the second update:", errors.Is(err, client.ErrPrecondition))
	// Output:
	// version 1
	// update of version 1: <nil>
	// conflict on the second update: true
}

func ExampleClient_SignIn() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: os.Getenv("LOCKBOX_API_URL")})
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.SignIn(ctx, client.Credentials{Username: "root", Password: client.NewSecret("root-password")})
	if errors.Is(err, client.ErrTOTPRequired) {
		log.Fatal("ask for the TOTP code, and sign in with it as Code")
	}
	if err != nil {
		log.Fatal(err)
	}
	who, err := c.WithToken(session.Token).WhoAmI(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(who.Username, time.Until(session.ExpiresAt).Round(24*time.Hour))
	// Output: root 168h0m0s
}

// Sign in with a TOTP code, call the server with the access token, and refresh the token before it expires.
func ExampleAccounts_SignIn() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: os.Getenv("LOCKBOX_API_URL")})
	if err != nil {
		log.Fatal(err)
	}
	pair, err := c.Accounts().SignIn(ctx, client.Credentials{Username: "anna", Code: client.NewSecret("492039")})
	if err != nil {
		log.Fatal(err)
	}
	droplets, err := c.WithToken(pair.Access).ListDroplets(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(droplets), "droplets; refresh within", pair.ExpiresIn)
	if pair, err = c.Accounts().Refresh(ctx, pair.Refresh); err != nil {
		log.Fatal(err)
	}
}

func ExampleClient_BoxEvents() {
	c, err := client.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range c.BoxEvents(context.Background(), "prod", &client.EventFilter{Action: "entry.write"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Actor, event.Action, event.Key)
	}
	// Output: root entry.write app
}

func ExampleError() {
	c, err := client.New(client.Config{URL: os.Getenv("LOCKBOX_API_URL"), Token: client.NewSecret("expired")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.ListBoxes(context.Background())
	if failed, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(failed.Request, failed.Status, failed.Code)
	}
	fmt.Println(errors.Is(err, client.ErrUnauthenticated))
	// Output:
	// GET /boxes 401 unauthenticated
	// true
}

func ExampleSecret() {
	password := client.NewSecret("s3cret")
	fmt.Printf("%v %+v\n", password, client.Credentials{Username: "anna", Password: password})
	// Output: [client.Secret] {Username:anna Password:[client.Secret] Code:[client.Secret]}
}

func ExampleGenerateEncryptionKey() {
	key := client.GenerateEncryptionKey()
	again, err := client.ParseEncryptionKey(key.Reveal()) // store the result of Reveal outside of Lockbox
	fmt.Println(key, again.Generated(), err)
	// Output: [client.EncryptionKey] true <nil>
}
