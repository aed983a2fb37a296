package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"voicemail-relay/internal/smartassist/smartassisttest"
)

func (a *app) emulateCommand() *cobra.Command {
	var addr, script string
	cfg := smartassisttest.Config{}
	cmd := &cobra.Command{
		Use:   "emulate",
		Short: "Run the API's emulator alone",
		Long: `Emulate serves an emulator of SmartAssist's voicemail API on loopback: it checks tokens, leaves voicemails for some sessions after
realistic lags, and serves their recordings. --script answers every session alike, step by step, such as 'not_yet*2,ready:Hello' or
'503*3,ready'; the last step repeats.`,
		Example: `  voicemail-relay emulate --share 0.5 --speed 10
  voicemail-relay emulate --app-id cs-test --secret test --script not_yet*2,ready:Hello`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var steps []smartassisttest.Step
			if script != "" {
				var err error
				if steps, err = smartassisttest.ParseScript(script); err != nil {
					return usageError{err}
				}
			}
			switch {
			case !(cfg.Share >= 0 && cfg.Share <= 1): // NaN is neither
				return usagef("--share must be from 0 to 1")
			case !(cfg.Speed > 0):
				return usagef("--speed must be over 0")
			case cfg.RateLimit < 0:
				return usagef("--rate-limit must be at least 0; 0: no limit")
			case cfg.Algorithm != "HS256" && cfg.Algorithm != "HS512":
				return usagef("--algorithm must be HS256 or HS512")
			}
			return a.emulate(cmd.Context(), addr, cfg, steps)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "addr", "127.0.0.1:8099", "loopback address to listen on")
	f.StringVar(&cfg.AppID, "app-id", "cs-test", "client id that is let in")
	f.StringVar(&cfg.Secret, "secret", "test", "its secret")
	f.StringVar(&cfg.Algorithm, "algorithm", "HS256", "of tokens: HS256 or HS512")
	f.BoolVar(&cfg.EnforceJTI, "enforce-jti", false, "refuse tokens without a fresh jti")
	f.IntVar(&cfg.RateLimit, "rate-limit", 60, "requests in any 60 s; 0: no limit")
	f.Uint64Var(&cfg.Seed, "seed", 1, "of what becomes of sessions")
	f.Float64Var(&cfg.Share, "share", 0.15, "of sessions that leave a voicemail")
	f.Float64Var(&cfg.Speed, "speed", 1, "lags run so much faster")
	f.StringVar(&script, "script", "", "answers for every session")
	return cmd
}

func (a *app) emulate(ctx context.Context, addr string, cfg smartassisttest.Config, steps []smartassisttest.Step) error {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--addr must be a loopback address with a port, such as 127.0.0.1:8099")
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("emulate: %w; set another --addr, or port 0 for any", err)
	}
	emu := smartassisttest.New(cfg)
	if steps != nil {
		emu.ScriptEvery(steps...)
	}
	fmt.Fprintf(a.stdout, "emulating SmartAssist's voicemail API on http://%s for app id %s\n", l.Addr(), cfg.AppID)
	return serveHTTP(ctx, l, emu)
}

// serveHTTP serves until ctx ends; nil then.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
