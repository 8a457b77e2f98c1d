package boot

import (
	"io"
	"log/slog"
)

// NewLog returns the log of the program. The log has the configured format and omits records below the configured
// level.
func NewLog(config Config, to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: config.LogLevel}
	if config.LogFormat == LogText {
		return slog.New(slog.NewTextHandler(to, options))
	}
	return slog.New(slog.NewJSONHandler(to, options))
}
