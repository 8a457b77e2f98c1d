package keys

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// memoryDir is the name of the memory's directory. Its parent directory also contains the profile file of the lockbox
// command.
const memoryDir = "known"

// UserMemory returns the memory that the lockbox command and the other programs of the user share. It is stored in
// lockbox/known below the user's configuration directory. UserMemory returns ErrMemoryUnwritable if the user has no
// configuration directory, as in a container without HOME.
func UserMemory() (*Memory, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return nil, fault(client.ErrMemoryUnwritable,
			"there is no directory in which this client can store the boxes and users that it knows: "+
				"set HOME or XDG_CONFIG_HOME, "+
				"or append the anchor of the box to the identity in LOCKBOX_IDENTITY (lbid1_…~lba1_…)", err)
	}
	return OpenMemory(filepath.Join(folder, "lockbox", memoryDir)), nil
}

// HolderFromEnv returns a Holder for the identity in the variable LOCKBOX_IDENTITY. The variable LOCKBOX_IDENTITY_FILE
// can name a file that contains the identity instead. ParseBundle describes the format. If neither variable is set,
// HolderFromEnv returns a nil Holder, which is valid as client.Config.Identity.
//
// The Holder uses the memory that UserMemory returns. If there is no configuration directory, the identity must be
// followed by an anchor, and the Holder uses MemoryInProcess.
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
