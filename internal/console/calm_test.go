package console

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// written is how many lines of a message, and how many were said to be left out.
func written(logs *observer.ObservedLogs, msg string) (lines, leftOut int) {
	for _, e := range logs.All() {
		switch {
		case e.Message == msg:
			lines++
		case e.Message == "more lines were left out" && e.ContextMap()["of"] == msg:
			leftOut += int(e.ContextMap()["count"].(int64))
		}
	}
	return lines, leftOut
}

func TestStormsAreLoggedInPart(t *testing.T) {
	rows := []struct {
		name         string
		level        zapcore.Level
		storm        int
		lines, count int
	}{
		{"few", zap.WarnLevel, 10, 10, 0},
		{"warnings", zap.WarnLevel, 20_000, 10, 19_990},
		{"errors", zap.ErrorLevel, 11, 10, 1},
		{"debug lines", zap.DebugLevel, 5000, 1000, 4000},
		{"the trail of calls", zap.InfoLevel, 20_000, 20_000, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.DebugLevel)
				log := zap.New(Calm(core))
				for range row.storm {
					log.Log(row.level, "storm")
				}
				<-time.After(time.Second) // virtual
				synctest.Wait()
				if lines, count := written(logs, "storm"); lines != row.lines || count != row.count {
					t.Errorf("%d lines and %d left out, want %d and %d", lines, count, row.lines, row.count)
				}
				log.Log(row.level, "storm")
				if lines, _ := written(logs, "storm"); lines != row.lines+1 {
					t.Errorf("a second later %d lines, want one more than %d", lines, row.lines)
				}
			})
		})
	}
}

func TestStormsAreCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		log := zap.New(Calm(core))
		for range 15 {
			log.Debug("storm") // not even enabled
			log.Warn("storm")
			log.Error("storm")
			log.Warn("another")
			log.With(zap.String("account", "a")).Warn("storm") // each With counts anew
		}
		if err := log.Sync(); err != nil { // the process ends within the second
			t.Fatal(err)
		}
		if lines, count := written(logs, "storm"); lines != 10+10+15 || count != 5+5 {
			t.Errorf("%d lines and %d left out, want 35 and 10", lines, count)
		}
		if lines, count := written(logs, "another"); lines != 10 || count != 5 {
			t.Errorf("%d lines and %d left out, want 10 and 5", lines, count)
		}
		<-time.After(time.Minute)
		if _, count := written(logs, "storm"); count != 10 {
			t.Errorf("%d were said to be left out, want each once", count)
		}
		for i := range 3000 { // messages that are never twice the same
			log.Warn(fmt.Sprint("number ", i))
		}
		if n := logs.Len(); n > 1200 {
			t.Errorf("%d lines of messages without end, want about a thousand", n)
		}
	})
}
