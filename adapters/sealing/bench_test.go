package sealing

import (
	"bytes"
	"testing"

	"github.com/lockbox-go/lockbox/ports"
)

func benchmark(b *testing.B) (c *entryCipher, text []byte, sealed ports.SealedValue) {
	b.Helper()
	c, text = newRig(b).prepare(b, generatedKey(b, 1)), bytes.Repeat([]byte("x"), 1024)
	sealed, err := c.Seal(place, text)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	return c, text, sealed
}

func BenchmarkSeal(b *testing.B) {
	c, text, _ := benchmark(b)
	for b.Loop() {
		if _, err := c.Seal(place, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	c, _, sealed := benchmark(b)
	for b.Loop() {
		if _, err := c.Open(place, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead measures the cost of a read with a generated key: Prepare and Open.
func BenchmarkRead(b *testing.B) {
	c, _, sealed := benchmark(b)
	key, at := generatedKey(b, 1), ports.Sealed{Place: place, Envelope: sealed.Envelope}
	for b.Loop() {
		reader, err := c.sealer.PrepareOpen(b.Context(), key, at)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := reader.Open(place, sealed); err != nil {
			b.Fatal(err)
		}
		reader.Clear()
	}
}
