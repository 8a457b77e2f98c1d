package terminal

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sync/errgroup"
)

// codeAt returns the TOTP code of a time step of 30 seconds. Step 0 is the current step. A server accepts a code during
// its time step, the step before it and the step after it, but only once.
func codeAt(secret string, step int) (string, error) {
	return totp.GenerateCode(secret, time.Now().Add(time.Duration(step)*30*time.Second))
}

// enrolled contains the fields that the scripts need from the JSON of an enrolment.
type enrolled struct {
	Secret        string
	RecoveryCodes []string
}

func readEnrolled(ts *testscript.TestScript, path string) (enrolment enrolled) {
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(path)), &enrolment))
	return enrolment
}

func write(ts *testscript.TestScript, path, text string) {
	ts.Check(ts.Exec("sh", "-c", `printf '%s\n' "$1" > "$2"`, "sh", text, path))
}

// The following functions implement commands of the scripts; see TestScripts.

func totpCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: totp STEP ENROLLED TO")
	}
	step, err := strconv.Atoi(args[0])
	ts.Check(err)
	code, err := codeAt(readEnrolled(ts, args[1]).Secret, step)
	ts.Check(err)
	write(ts, args[2], code)
}

func recovery(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: recovery ENROLLED TO")
	}
	write(ts, args[1], readEnrolled(ts, args[0]).RecoveryCodes[0])
}

func many(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: many N")
	}
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	var group errgroup.Group
	group.SetLimit(8)
	for range count {
		group.Go(func() error {
			_, err := send(ts.Getenv("LOCKBOX_API_URL"), ts.Getenv("ROOT"), "GET", "/boxes/prod/entries/app%2Fdb", "",
				nil)
			return err
		})
	}
	ts.Check(group.Wait())
}
