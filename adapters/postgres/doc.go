// Package postgres keeps everything in PostgreSQL, versions 14 to 18.
//
// Statements stand beside the method that runs them. There are no triggers, sequences, advisory locks or temporary
// tables, and identifiers and times come from the program, so that what happens can be read here.
package postgres
