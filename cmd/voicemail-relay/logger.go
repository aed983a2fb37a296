package main

import (
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"voicemail-relay/internal/console"
	"voicemail-relay/internal/settings"
)

// logger writes to w: JSON lines, or for people at a terminal.
func logger(w io.Writer, l settings.Log) *zap.Logger { return leveled(w, l.Format, level(l)) }

// level is the one that settings name.
func level(l settings.Log) zap.AtomicLevel {
	level := zap.NewAtomicLevel()
	_ = level.UnmarshalText([]byte(l.Level)) // settings have checked it
	return level
}

// leveled is a logger whose level can be changed while it is in use.
func leveled(w io.Writer, format string, level zap.AtomicLevel) *zap.Logger {
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	cfg.TimeKey, cfg.MessageKey = "time", "msg"
	enc := zapcore.NewJSONEncoder(cfg)
	if format == "console" {
		cfg.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		enc = zapcore.NewConsoleEncoder(cfg)
	}
	return zap.New(console.Calm(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), level)))
}
