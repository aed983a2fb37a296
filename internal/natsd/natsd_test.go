package natsd

import (
	"strings"
	"testing"
)

// Two servers in one store would each confirm what the other one loses.
func TestStoreIsHeldByOneServer(t *testing.T) {
	cfg := Config{StoreDir: t.TempDir()}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := Start(cfg); err == nil {
		other.Shutdown()
		t.Error("a second server starts in the same store")
	} else if !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), cfg.StoreDir) {
		t.Errorf("the error is %q, want the store and the cause named", err)
	}
	s.Shutdown()
	again, err := Start(cfg)
	if err != nil {
		t.Fatalf("when the first has ended: %v", err)
	}
	again.Shutdown()
}
