package httpapi

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// BenchmarkDecode reads the headers and decodes the body of a write of 1 KiB. Some of the allocations belong to the
// creation of the request. In a server, these allocations happen before the handler is called.
func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"key":"db/password","value":"` + strings.Repeat("x", 1022) + `"}`)
	e := echo.New()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		sent := httptest.NewRequest("POST", "/boxes/default/entries", bytes.NewReader(text))
		sent.Header.Set("Content-Type", "application/json")
		sent.Header.Set(headerEncryptionKey, "passphrase")
		r := &request{Context: e.NewContext(sent, httptest.NewRecorder()), body: body{limit: 1 << 20}}
		if _, err := r.encryptionKey(); err != nil {
			b.Fatal(err)
		}
		if entry, err := bind[entryBody](r); err != nil || len(entry.Value) != 1024 {
			b.Fatal(err, len(entry.Value))
		}
	}
}
