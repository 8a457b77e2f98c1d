// Package style checks how the repository is written: plain words, the share of comments, and the layout of literals.
package style
