package bus

import (
	"errors"
	"strings"
	"testing"
)

func TestServersBefore212AreRefused(t *testing.T) {
	for v, old := range map[string]bool{"2.11.10": true, "2.9.0": true, "1.4.1": true, "v2.11.0-RC.1": true, "2.12.0": false, "2.12.0-RC.3": false, "2.15.2": false, "3.0.0": false, "a build of its own": false} {
		err := checkVersion(v)
		if (err != nil) != old {
			t.Errorf("server %s: %v, want refused: %v", v, err, old)
		}
		if err != nil && (!errors.Is(err, ErrServer) || !strings.Contains(err.Error(), "run nats-server 2.12 or later")) {
			t.Errorf("server %s: %v, want ErrServer and the cure", v, err)
		}
	}
}

func TestServersIntoWhichNoVerdictFitsAreRefused(t *testing.T) {
	for most, small := range map[int64]bool{512: true, 16<<10 - 1: true, 16 << 10: false, 1 << 20: false} {
		err := checkPayload(most)
		if (err != nil) != small {
			t.Errorf("max_payload %d: %v, want refused: %v", most, err, small)
		}
		if err != nil && (!errors.Is(err, ErrServer) || !strings.Contains(err.Error(), "max_payload") || !strings.Contains(err.Error(), "raise it to 16384")) {
			t.Errorf("max_payload %d: %v, want ErrServer and the cure", most, err)
		}
	}
}
