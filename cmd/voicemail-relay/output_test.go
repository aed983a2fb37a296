package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestResultsThatNobodyGotAreNoSuccess(t *testing.T) {
	for _, args := range []string{"--help", "version", "version --json", "schema", "schema call.ended", "config", "config init", "completion bash", "help failed", "simulate --calls 1h@1"} {
		var stderr bytes.Buffer
		if code := run(context.Background(), strings.Fields(args), strings.NewReader(""), full{}, &stderr, nil); code != exitFailed || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit %d, want 1; %s", args, code, stderr.String())
		}
	}
}
