package keys

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/lockbox-go/lockbox/client"
)

func (s *server) listEntries(_ http.ResponseWriter, r *http.Request) (int, any) {
	names := []string{}
	for name := range s.boxes[r.PathValue("box")].entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return 200, names
}

// keyIDOf returns the id of the encryption key that was sent. If the box has no keyring, it returns "".
func (b *box) keyIDOf(sent string) string {
	key, err := client.ParseEncryptionKey(sent)
	boxKey, ok := BoxKeyOf(key)
	if b.keyring == nil || err != nil || !ok {
		return ""
	}
	return boxKey.ID().String()
}

// current reports whether the box accepts writes under the key with the given id.
func (b *box) current(id string) bool {
	if b.keyring == nil {
		return true
	}
	head, _ := ParseHead(b.keyring.Head)
	return id == head.Key.String()
}

func (s *server) writeEntry(w http.ResponseWriter, r *http.Request) (int, any) {
	var sent struct {
		Key   string
		Value json.RawMessage
	}
	_ = json.NewDecoder(r.Body).Decode(&sent)
	b, key := s.boxes[r.PathValue("box")], r.Header.Get("X-Encryption-Key")
	versions := b.entries[sent.Key]
	if match := r.Header.Get("If-Match"); match != "" && match != strconv.Quote(strconv.Itoa(len(versions))) {
		return 412, "precondition_failed"
	}
	id := b.keyIDOf(key)
	if !b.current(id) {
		return 409, "key_not_current"
	}
	b.entries[sent.Key] = append(versions, version{sent.Value, key, id})
	w.Header().Set("ETag", strconv.Quote(strconv.Itoa(len(versions)+1)))
	return 201, nil
}

func (s *server) readEntry(w http.ResponseWriter, r *http.Request) (int, any) {
	versions := s.boxes[r.PathValue("box")].entries[r.PathValue("key")]
	number := len(versions)
	if text := r.URL.Query().Get("version"); text != "" {
		number, _ = strconv.Atoi(text)
	}
	if number < 1 || number > len(versions) {
		return 404, "entry_not_found"
	}
	v := versions[number-1]
	if v.id != "" {
		w.Header().Set("X-Encryption-Key-Id", v.id)
	}
	if v.key != r.Header.Get("X-Encryption-Key") {
		return 403, "encryption_key_mismatch"
	}
	w.Header().Set("ETag", strconv.Quote(strconv.Itoa(number)))
	return 200, v.value
}

func (s *server) listVersions(_ http.ResponseWriter, r *http.Request) (int, any) {
	versions := s.boxes[r.PathValue("box")].entries[r.PathValue("key")]
	listed := []client.Version{}
	for i, each := range slices.Backward(versions) {
		listed = append(listed, client.Version{Version: uint64(i + 1), Current: i == len(versions)-1, KeyID: each.id})
	}
	return 200, listed
}

func (s *server) restoreEntry(w http.ResponseWriter, r *http.Request) (int, any) {
	var sent struct{ Version int }
	_ = json.NewDecoder(r.Body).Decode(&sent)
	b, name := s.boxes[r.PathValue("box")], r.PathValue("key")
	v := b.entries[name][sent.Version-1]
	if !b.current(v.id) {
		return 409, "key_not_current"
	}
	b.entries[name] = append(b.entries[name], v)
	w.Header().Set("ETag", strconv.Quote(strconv.Itoa(len(b.entries[name]))))
	return 201, nil
}
