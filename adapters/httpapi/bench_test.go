package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// BenchmarkDecode reads the body of a write of 1 KiB, and the headers that come with it. Some of what it allocates is the
// request itself, which a server has made before.
func BenchmarkDecode(b *testing.B) {
	a := &API{Config: Config{MaxBodyBytes: 1 << 20}}
	body := []byte(`{"key":"db/password","value":"` + strings.Repeat("x", 1022) + `"}`)
	e := echo.New()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest("POST", "/boxes/default/entries", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set(encryptionKeyHeader, "passphrase")
		c := e.NewContext(request, httptest.NewRecorder())
		var into struct {
			Key   string          `json:"key"`
			Value json.RawMessage `json:"value"`
		}
		if _, err := takeHeader(c, encryptionKeyHeader); err != nil {
			b.Fatal(err)
		}
		if err := a.bind(c, &into); err != nil || len(into.Value) != 1024 {
			b.Fatal(err, len(into.Value))
		}
	}
}
