// Package interchange converts the value of an entry to environment variables and to files in several formats; see
// Format. It also reads values from files.
//
// All conversions keep the order of names and the digits of numbers. Errors contain names and line numbers but never a
// value, because values are secrets and errors end up in logs.
package interchange
