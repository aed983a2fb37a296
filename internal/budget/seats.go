package budget

import "sync"

// Seats bound the requests that are under way at once, over all accounts of a process.
type Seats struct {
	mu   sync.Mutex
	free int
	wake wake
}

// NewSeats makes n seats.
func NewSeats(n int) *Seats { return &Seats{free: n} }

// take takes up to n seats and returns how many it got; with none, the channel tells when some may be free.
func (s *Seats) take(n int) (int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	if n == 0 {
		return 0, s.wake.wait()
	}
	s.free -= n
	return n, nil
}

// wanted says that somebody waits for one.
func (s *Seats) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake.ch != nil
}

// left is how many are free.
func (s *Seats) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// give puts seats back, and says whether somebody waited for one.
func (s *Seats) give(n int) (wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	wanted = s.wake.ch != nil
	s.wake.all()
	return wanted
}

// wake tells everyone who waits that something has changed. It is guarded by its owner's mutex, and costs nothing while nobody waits.
type wake struct{ ch chan struct{} }

func (w *wake) wait() <-chan struct{} {
	if w.ch == nil {
		w.ch = make(chan struct{})
	}
	return w.ch
}

func (w *wake) all() {
	if w.ch != nil {
		close(w.ch)
		w.ch = nil
	}
}
