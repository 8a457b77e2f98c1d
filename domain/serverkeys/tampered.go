package serverkeys

import "fmt"

// TamperedRowsError lists the rows that a rekey could not move because they failed authentication.
type TamperedRowsError struct{ Rows []error }

// Error lists at most the first 20 rows, one per line.
func (e *TamperedRowsError) Error() string {
	const limit = 20
	text := fmt.Sprintf("%d rows under the old key failed authentication: "+
		"they were changed without Lockbox or are damaged, and their contents are lost:", len(e.Rows))
	for _, each := range e.Rows[:min(limit, len(e.Rows))] {
		text += "\n" + each.Error()
	}
	if len(e.Rows) > limit {
		text += "\n…"
	}
	return text
}

// tamperedError returns an error with all rows that failed authentication on the last pass, or nil if there are none.
func (r *rekeyRun) tamperedError() error {
	var rows []error
	for _, tampered := range r.tampered {
		rows = append(rows, tampered...)
	}
	if len(rows) == 0 {
		return nil
	}
	return &TamperedRowsError{Rows: rows}
}
