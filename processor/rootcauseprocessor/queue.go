package rootcauseprocessor

import (
	"sync"

	"github.com/otel-culprit/culprit/internal/fact"
)

// queue holds facts between goroutines, up to a limit. Adding never blocks.
type queue struct {
	limit int
	ready chan struct{} // has an element when there are facts

	mu      sync.Mutex
	batches [][]fact.Fact
	held    int
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, ready: make(chan struct{}, 1)}
}

// add keeps facts, which now belong to the queue, and tells how many of them, the
// last, had no room.
func (q *queue) add(facts []fact.Fact) (dropped int) {
	if len(facts) == 0 {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	room := min(len(facts), q.limit-q.held)
	if room > 0 {
		q.batches = append(q.batches, facts[:room])
		q.held += room
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return len(facts) - room
}

// take empties the queue.
func (q *queue) take() [][]fact.Fact {
	q.mu.Lock()
	defer q.mu.Unlock()
	batches := q.batches
	q.batches, q.held = nil, 0
	return batches
}
