package keys

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// memoryDir is the name of the directory of the memory. The profile file of the lockbox command is in the same parent
// directory.
const memoryDir = "known"

// UserMemory returns the memory in the directory lockbox/known of the user's configuration directory. The lockbox
// command and other programs of the user share this memory. UserMemory returns ErrMemoryUnwritable if the user has no
// configuration directory, as in a container without HOME.
func UserMemory() (*Memory, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return nil, fault(client.ErrMemoryUnwritable, "there is no directory in which this client can store the "+
			"boxes and users that it knows: set HOME or XDG_CONFIG_HOME, or give the box's anchor (lba1_…)", err)
	}
	return OpenMemory(filepath.Join(folder, "lockbox", memoryDir)), nil
}

// HolderFromEnv returns a Holder with the identity in LOCKBOX_IDENTITY, or in the file that LOCKBOX_IDENTITY_FILE
// names. If neither variable is set, it returns a nil Holder, which is a valid Identity of a client.Config. ParseBundle
// describes the text. The Holder uses the memory that UserMemory returns. A program without a configuration directory
// needs an anchor.
func HolderFromEnv() (*Holder, error) {
	text, path := os.Getenv("LOCKBOX_IDENTITY"), os.Getenv("LOCKBOX_IDENTITY_FILE")
	switch {
	case text == "" && path == "":
		return nil, nil
	case text != "" && path != "":
		return nil, fault(client.ErrIdentityInvalid,
			"LOCKBOX_IDENTITY and LOCKBOX_IDENTITY_FILE are both set: set only one of them", nil)
	case path != "":
		content, err := os.ReadFile(path) //nolint:gosec // the path is a setting of this program
		if err != nil {
			return nil, fault(client.ErrIdentityInvalid, "LOCKBOX_IDENTITY_FILE: "+err.Error(), err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	}
	id, anchors, err := ParseBundle(text)
	if err != nil {
		return nil, err
	}
	memory, err := UserMemory()
	if err != nil {
		if len(anchors) == 0 {
			return nil, err
		}
		memory = MemoryInProcess()
	}
	return NewHolder(Config{Identity: id, Memory: memory, Anchors: anchors}), nil
}
