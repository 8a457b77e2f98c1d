// Package interchange converts the value of an entry to and from other forms: the environment of a program, and files
// in the formats dotenv, JSON, YAML, shell and Kubernetes.
//
// Values keep the order of their names and the digits of their numbers in every form. Errors contain names and line
// numbers but never a value, because values are secrets and errors end up in logs.
package interchange
