// Package attack has clients that try to exhaust a server. Each attack runs in a process of its own and at low
// priority, so that it takes little processor time from the server and from the legitimate clients of the test. Attacks
// come from 127.0.0.2, an address that the legitimate clients do not use.
package attack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// environment is the environment variable that passes an Attack to its process.
const environment = "LOCKBOX_TEST_ATTACK"

// Attack describes one attack.
type Attack struct {
	// Name is the name of the attack. The map attacks must contain this name.
	Name string
	// Address is the host and port of the server.
	Address string
	// Token is a token of the attacker. The attacker may read the entry named Key in the box named Box. EncryptionKey
	// decrypts this entry.
	Token, Box, Key, EncryptionKey string
	// Duration is the length of the attack.
	Duration time.Duration
}

// attacks maps names to attacks. Each attack runs until ctx ends.
var attacks = map[string]func(*attacker, context.Context){
	"streams": (*attacker).streams,
	"headers": (*attacker).headers,
	"readers": (*attacker).readers,
	"hangups": (*attacker).hangups,
	"bodies":  (*attacker).bodies,
	"revoked": (*attacker).revoked,
	"one-box": (*attacker).oneBox,
	"tokens":  (*attacker).tokens,
	"audit":   (*attacker).audit,
}

// Start runs an attack in a second process of the test binary. The TestMain function of the binary must call Main. The
// returned function waits until the attack ends, and returns the counts of the attack as text.
func Start(a Attack) (wait func() (string, error), err error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command("nice", "-n", "19", self)
	command.Env = append(os.Environ(), environment+"="+string(text))
	var out strings.Builder
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return nil, err
	}
	return func() (string, error) {
		err := command.Wait()
		return strings.TrimSpace(out.String()), err
	}, nil
}

// Main runs the attack of this process and prints its counts. It returns false if the process was not started as an
// attack.
func Main() bool {
	text := os.Getenv(environment)
	if text == "" {
		return false
	}
	a := &attacker{counts: make(map[string]int)}
	if err := json.Unmarshal([]byte(text), &a.Attack); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.Duration)
	defer cancel()
	attacks[a.Name](a, ctx)
	fmt.Println(a.counts)
	return true
}

// attacker is a running attack. It counts each kind of result, such as each HTTP status.
type attacker struct {
	Attack

	mu     sync.Mutex // guards counts
	counts map[string]int
}

func (a *attacker) count(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[what]++
}

// repeat runs n workers. Each worker starts at a random time in the first second and calls work until ctx ends. After
// each call, the worker sleeps for the given pause.
func (a *attacker) repeat(ctx context.Context, n int, pause time.Duration, work func() error) {
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			sleep(ctx, rand.N(time.Second))
			for ctx.Err() == nil {
				if err := work(); err != nil && ctx.Err() == nil {
					a.count("failed")
				}
				sleep(ctx, pause)
			}
		})
	}
	workers.Wait()
}

// sleep waits for the given time, but at most until ctx ends.
func sleep(ctx context.Context, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// dialer connects from the attacker's address.
var dialer = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 5 * time.Second}

// stall opens a connection, sends the text and reads the response. If deaf is set, it reads nothing, and keeps the
// connection open until ctx ends.
func (a *attacker) stall(ctx context.Context, text string, deaf bool) error {
	conn, err := dialer.DialContext(ctx, "tcp", a.Address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	a.count("connections")
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if deaf {
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	if deaf {
		<-ctx.Done()
		return nil
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	a.count(response.Status)
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Body.Close()
}

// headers keeps 6,000 connections open. It replaces each connection 3 seconds after the server has closed it. A third
// of the connections send a large, incomplete header. Another third send a header of 28 KiB and a body that stalls. The
// others send a header of 7 KiB and a body that stalls.
func (a *attacker) headers(ctx context.Context) {
	large, small := strings.Repeat("x", 28<<10), strings.Repeat("x", 7<<10)
	texts := []string{
		"GET / HTTP/1.1\r\nHost: x\r\nA: " + large,
		"POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000\r\nA: " +
			large + "\r\n\r\n{",
		"POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000\r\nA: " +
			small + "\r\n\r\n" + small,
	}
	var third sync.WaitGroup
	for _, text := range texts {
		third.Go(func() { a.repeat(ctx, 2000, 3*time.Second, func() error { return a.stall(ctx, text, false) }) })
	}
	third.Wait()
}

// The method entry returns a request that reads the attacker's entry.
func (a *attacker) entry() string {
	return "GET /boxes/" + a.Box + "/entries/" + a.Key + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + a.Token +
		"\r\nX-Encryption-Key: " + a.EncryptionKey + "\r\n\r\n"
}

// readers is an attack with 400 connections. Each connection requests the attacker's large entry and does not read the
// response.
func (a *attacker) readers(ctx context.Context) {
	a.repeat(ctx, 400, time.Second, func() error { return a.stall(ctx, a.entry(), true) })
}

// hangups sends requests over 64 connections, and resets each connection while the server works on the response.
func (a *attacker) hangups(ctx context.Context) {
	a.repeat(ctx, 64, 10*time.Millisecond, func() error {
		conn, err := dialer.DialContext(ctx, "tcp", a.Address)
		if err != nil {
			return err
		}
		a.count("connections")
		_ = conn.(*net.TCPConn).SetLinger(0)
		_, err = io.WriteString(conn, a.entry())
		time.Sleep(rand.N(4 * time.Millisecond))
		_ = conn.Close()
		return err
	})
}

// bodies is an attack without a token: over 1,100 connections, it sends the beginning of a large body and then nothing.
func (a *attacker) bodies(ctx context.Context) {
	text := "POST /api/v1/user/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
		"Content-Length: 60000\r\n\r\n" + strings.Repeat(" ", 8<<10)
	a.repeat(ctx, 1100, time.Second, func() error { return a.stall(ctx, text, false) })
}

// revoked is an attack with a revoked API key: over 64 connections, it sends the beginning of a large body and then
// nothing.
func (a *attacker) revoked(ctx context.Context) {
	text := "POST /boxes/" + a.Box + "/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
		"Authorization: Bearer " + a.Token + "\r\nX-Encryption-Key: " + a.EncryptionKey +
		"\r\nContent-Length: 500000\r\n\r\n{"
	a.repeat(ctx, 64, 100*time.Millisecond, func() error { return a.stall(ctx, text, false) })
}

// send sends a complete request over a connection that is reused, and reads the response.
func (a *attacker) send(ctx context.Context, client *http.Client, method, path, token, body string) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+a.Address+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("X-Encryption-Key", a.EncryptionKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	a.count(response.Status)
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if response.StatusCode >= 400 {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// newClient returns a client that keeps n connections open.
func newClient(n int) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: n}}
}

// oneBox is an attack with 50 connections. All its requests change the same box, so they wait for the same lock.
func (a *attacker) oneBox(ctx context.Context) {
	client := newClient(50)
	serial := make(chan int)
	go func() {
		for i := 0; ; i++ {
			serial <- i
		}
	}()
	a.repeat(ctx, 50, 0, func() error {
		i := <-serial
		if i%2 == 0 {
			return a.send(ctx, client, "PUT", "/boxes/"+a.Box+"/users/hog/permissions", a.Token,
				`["readEntryKeys","readEntry","createEntry","deleteEntry"]`)
		}
		return a.send(ctx, client, "POST", "/boxes/"+a.Box+"/entries", a.Token,
			fmt.Sprintf(`{"key":"new-%d","value":1}`, i))
	})
}

// tokens is an attack with 700 connections. Each request has a different made-up opaque token.
func (a *attacker) tokens(ctx context.Context) {
	client := newClient(700)
	a.repeat(ctx, 700, 0, func() error {
		return a.send(ctx, client, "GET", "/boxes/"+a.Box+"/entries/"+a.Key, randomToken(), "")
	})
}

// audit is an attack with 20 connections. Each request searches the box's audit log for a user without events.
func (a *attacker) audit(ctx context.Context) {
	client := newClient(20)
	a.repeat(ctx, 20, 100*time.Millisecond, func() error {
		return a.send(ctx, client, "GET", "/boxes/"+a.Box+"/audit?user=unknown", a.Token, "")
	})
}
