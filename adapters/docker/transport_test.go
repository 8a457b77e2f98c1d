package docker

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// hostile returns a host and runs a server in place of its engine. For every request except the version negotiation,
// the server calls the function answer. hostile also returns a counter of the bytes that the server wrote before the
// client closed the connection.
func hostile(t *testing.T, answer func(w http.ResponseWriter, write func(text string) bool)) (host *Host,
	sent *atomic.Int64) {
	t.Helper()
	sent = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", "1.47")
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, func(text string) bool {
			n, err := io.WriteString(w, text)
			sent.Add(int64(n))
			return err == nil
		})
	}))
	host, err := New(Config{
		Address:      "tcp://" + strings.TrimPrefix(server.URL, "http://"),
		Installation: "here",
		Prefix:       "droplet",
		LogBytes:     1 << 20,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, host.Close())
		server.Close()
	})
	return host, sent
}

// calls are the requests that the host sends to the engine, by name.
var calls = map[string]func(ctx context.Context, h *Host) error{
	"list": func(ctx context.Context, h *Host) error { _, err := h.List(ctx); return err },
	"create": func(ctx context.Context, h *Host) error {
		_, err := h.Create(ctx, ports.NewDroplet{Name: "droplet01", Image: "image"})
		return err
	},
	"start":   func(ctx context.Context, h *Host) error { return h.Start(ctx, someContainer) },
	"stop":    func(ctx context.Context, h *Host) error { return h.Stop(ctx, someContainer) },
	"restart": func(ctx context.Context, h *Host) error { return h.Restart(ctx, someContainer) },
	"remove":  func(ctx context.Context, h *Host) error { return h.Remove(ctx, someContainer) },
}

var someContainer = strings.Repeat("0f", 32)

// TestEndlessReasons makes the engine send an endless error message. Each request must stop reading this message. The
// returned error must not contain the message.
func TestEndlessReasons(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		for _, form := range []string{`{"message":"`, "plain "} {
			for _, status := range []int{400, 404, 409, 500} {
				host, sent := hostile(t, func(w http.ResponseWriter, write func(string) bool) {
					if form != "plain " {
						w.Header().Set("Content-Type", "application/json")
					}
					w.WriteHeader(status)
					for more := write(form); more; {
						more = write(strings.Repeat("x", 4<<10))
					}
				})
				err := call(t.Context(), host)
				require.Equal(t, domain.ErrDropletHostUnavailable.Code, domain.CodeOf(err), "%s %d", name, status)
				require.ErrorContains(t, err, "response is longer", name)
				require.NotContains(t, err.Error(), "xx", name)
				require.Less(t, sent.Load(), int64(16<<20), name)
			}
		}
	}
}

// TestEndlessLists verifies that an endless list, and a list of too many containers, use bounded memory.
func TestEndlessLists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ begin, repeat, want string }{
		"containers":       {"[{}", ",{}", "more than 1000 containers"},
		"large containers": {"[", `{"Status":"` + strings.Repeat("x", 64<<10) + `"},`, "response is longer"},
		"one name":         {`[{"Names":["`, strings.Repeat("x", 4<<10), "response is longer"},
		"names":            {`[{"Names":[""`, `,""`, "response is longer"},
		"ports":            {`[{"Ports":[{}`, `,{}`, "response is longer"},
		"labels":           {`[{"Labels":{"a":""`, `,"a":""`, "response is longer"},
		"unknown fields":   {`[{"a":0`, `,"a":0`, "response is longer"},
		"blanks":           {"", strings.Repeat(" ", 4<<10), "response is longer"},
		"blanks after it":  {"[", strings.Repeat(" ", 4<<10), "response is longer"},
		"arrays":           {"", strings.Repeat("[", 4<<10), "not a JSON array"},
	} {
		for _, status := range []int{200, 201, 300} {
			host, sent := hostile(t, func(w http.ResponseWriter, write func(string) bool) {
				w.WriteHeader(status)
				text := strings.Repeat(c.repeat, 1+(4<<10)/len(c.repeat))
				for more := write(c.begin); more; {
					more = write(text)
				}
			})
			_, err := host.List(t.Context())
			require.Equal(t, domain.ErrDropletHostUnavailable.Code, domain.CodeOf(err), "%s %d: %v", name, status, err)
			require.ErrorContains(t, err, c.want, "%s %d", name, status)
			require.Less(t, sent.Load(), int64(16<<20), name)
		}
	}
}

// TestUnusableAnswers verifies that List and Create treat a response in the wrong format like a missing response.
func TestUnusableAnswers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `{}`, `[1]`, `[{"Id":7}]`, `[{}`, `"x"`, `[{}{}]`} {
		host, _ := hostile(t, func(_ http.ResponseWriter, write func(string) bool) { write(text) })
		_, err := host.List(t.Context())
		require.ErrorIs(t, err, domain.Unavailable, text)
	}
	for _, text := range []string{``, `{}`, `{"Id":"../../x"}`, `{"Id":"` + strings.Repeat("0", 32<<10) + `"}`, `[`,
		`{"Warnings":["` + strings.Repeat("x", 1<<20) + `"]}`} {
		host, _ := hostile(t, func(w http.ResponseWriter, write func(string) bool) {
			w.WriteHeader(http.StatusCreated)
			write(text)
		})
		_, err := host.Create(t.Context(), ports.NewDroplet{Name: "droplet01", Image: "image"})
		require.ErrorIs(t, err, domain.Unavailable, text[:min(len(text), 40)])
	}
}

// TestUsableLists verifies that the limits accept large valid lists.
func TestUsableLists(t *testing.T) {
	t.Parallel()
	mine := `{"Id":"` + someContainer + `","Names":["/other/link","/droplet01"],` +
		`"Labels":{"lockbox.installation":"here"},"Created":1,"State":"running","Status":"Up 2 hours",` +
		`"Image":"x","Mounts":[],"HostConfig":{"NetworkMode":"x"},` +
		`"Ports":[{"IP":"0.0.0.0","PrivatePort":22,"PublicPort":2201,"Type":"tcp"},{"PrivatePort":80,"Type":"tcp"}]}`
	large := `{"Id":"` + someContainer + `","Labels":{"about":"` + strings.Repeat("x", 18<<10) + `"}}`
	for text, want := range map[string]int{
		`null`: 0, `[]`: 0, "[]\n": 0, `[` + mine + "]\n": 1, `[{},` + mine + `,{"Id":"x"}]`: 1,
		`[` + strings.Repeat(large+",", 98) + mine + `]`: 1, `[` + strings.Repeat(`{},`, 999) + mine + `]`: 1,
	} {
		host, _ := hostile(t, func(_ http.ResponseWriter, write func(string) bool) { write(text) })
		droplets, err := host.List(t.Context())
		require.NoError(t, err)
		require.NotNil(t, droplets)
		require.Len(t, droplets, want)
		for _, droplet := range droplets {
			require.Equal(t, domain.DropletName("droplet01"), droplet.Name)
			require.Equal(t, "Up 2 hours", droplet.Status)
			require.True(t, droplet.Started)
			require.Equal(t, []domain.PublishedPort{{
				Port:     22,
				Protocol: "tcp",
				HostIP:   "0.0.0.0",
				HostPort: 2201,
			}}, droplet.Ports)
		}
	}
}

// TestLogLimit verifies that the log files of a droplet take at most the configured size in total.
func TestLogLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int64]string{64 << 10: "32768", 10 << 20: "5242880", 1 << 40: "549755813888"} {
		host := &Host{config: Config{LogBytes: limit}}
		log := host.hostConfig(nil).LogConfig
		require.Equal(t, "json-file", log.Type)
		require.Equal(t, map[string]string{"max-file": "2", "max-size": want}, log.Config)
	}
}
