package terminal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// rekeyed is the JSON output of lockbox box rekey.
type rekeyed struct {
	KeyID      string               `json:"keyId"`
	KeyChanged bool                 `json:"keyChanged"`
	Dropped    []client.KeyringUser `json:"dropped"`
	// Rewritten, Current and Foreign are set only with --rewrite or --resume; see keys.Rewritten.
	Rewritten *int     `json:"rewritten,omitempty"`
	Current   *int     `json:"current,omitempty"`
	Foreign   []string `json:"foreign,omitempty"`
}

// boxRekeyCommand changes the key of a box (PUT /boxes/{box}/keyring). With --rewrite, it also encrypts the current
// version of each entry under the new key. To continue an interrupted run, the user runs the same command again; see
// rewriteMark.
func boxRekeyCommand(s *session) *cobra.Command {
	var rewrite, resume bool
	command := &cobra.Command{
		Use:   "rekey BOX",
		Short: "Change the key of a box, and with --rewrite re-encrypt its entries",
		Long: `Change the key of a box. The recipients get the new key, except recipients who are no longer active
members or have replaced their identity. New versions are encrypted under the new key. Older versions stay readable
under the earlier keys.

With --rewrite, the command also encrypts the current version of every entry under the new key. You can stop the
command at any time. Run the same command again to continue without another change of the key. --resume continues the
work of another machine. The command does not overwrite entries that change in the meantime.`,
		Example: "  lockbox box rekey prod\n  lockbox box rekey prod --rewrite",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			return s.rekey(ctx, server, holder, strings.ToLower(args[0]), rewrite || resume, resume)
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	command.Flags().BoolVar(&rewrite, "rewrite", false,
		"also encrypt the current version of every entry under the new key")
	command.Flags().BoolVar(&resume, "resume", false,
		"do not change the key; only encrypt the remaining entries under the current key")
	command.MarkFlagsMutuallyExclusive("rewrite", "resume")
	return command
}

// rekey implements boxRekeyCommand.
func (s *session) rekey(ctx context.Context, server *client.Client, holder *keys.Holder, box string,
	rewrite, resume bool) error {
	members, err := holder.Members(ctx, server, box)
	if err != nil {
		return err
	}
	mark, err := newRewriteMark(members.Anchor.Box)
	if err != nil {
		return err
	}
	if rewrite && !resume && mark.of(members.Anchor.Key) {
		resume = true
		s.report("Continuing the re-encryption that was interrupted. The key does not change again.")
	}
	result := rekeyed{KeyChanged: !resume, Dropped: []client.KeyringUser{}}
	if !resume {
		dropped, err := holder.Rekey(ctx, server, box)
		if err != nil {
			return err
		}
		s.reportDropped(box, dropped)
		result.Dropped = orEmpty(dropped)
		if members, err = holder.Members(ctx, server, box); err != nil {
			return err
		}
		s.report("Changed the key of %s.", box)
	}
	result.KeyID = members.Anchor.Key.String()
	if rewrite {
		if err := s.rewrite(ctx, server, holder, box, mark, &result); err != nil {
			return err
		}
	}
	if s.output == formatJSON {
		return s.showJSON(result)
	}
	return nil
}

// rewrite re-encrypts the entries of a box under the current key of the box. It shows a progress bar.
func (s *session) rewrite(ctx context.Context, server *client.Client, holder *keys.Holder, box string,
	mark rewriteMark, result *rekeyed) error {
	if err := mark.set(result.KeyID); err != nil {
		return err
	}
	bar := s.progress("Encrypting", 1)
	done, err := holder.Rewrite(ctx, server, box, func(_, total int) {
		bar.total = total
		bar.step()
	})
	bar.end()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			s.report("Stopped. To continue, run: lockbox box rekey %s --rewrite", box)
			return err
		}
		return &detailedError{error: err, suffix: "; run the same command again to continue"}
	}
	result.Rewritten, result.Current, result.Foreign = &done.Entries, &done.Current, done.Foreign
	s.report("Encrypted %d entries of %s under the current key; %d entries already used it.",
		done.Entries, box, done.Current)
	if len(done.Foreign) > 0 {
		s.warn("these entries are unchanged, because no key of the keyring decrypts them: %s",
			strings.Join(done.Foreign, ", "))
	}
	return mark.remove()
}

// rewriteMark is a file that exists while the entries of a box are re-encrypted. The file contains the id of the new
// key. A repeated command finds this id, continues the work and does not change the key again. If the file is lost, a
// repeated command changes the key once more.
type rewriteMark struct{ path string }

func newRewriteMark(box keys.ID) (rewriteMark, error) {
	path, err := profile.Path()
	return rewriteMark{filepath.Join(filepath.Dir(path), "rekeys", box.String())}, err
}

// of reports whether m marks an unfinished re-encryption under the key with the given id.
func (m rewriteMark) of(key keys.KeyID) bool {
	text, err := os.ReadFile(m.path)
	return err == nil && strings.TrimSpace(string(text)) == key.String()
}

func (m rewriteMark) set(keyID string) error {
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(m.path, []byte(keyID+"\n"), 0o600)
}

func (m rewriteMark) remove() error { return os.Remove(m.path) }
