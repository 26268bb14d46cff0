package load

import (
	"errors"
	"net/url"
	"syscall"
	"time"
)

// failureOf says why a request failed, the same for all that failed so.
func failureOf(err error) string {
	var (
		number  syscall.Errno
		unasked *url.Error
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &unasked) && unasked.Timeout():
		return "no answer in time"
	case unasked != nil:
		return unasked.Err.Error()
	default:
		return err.Error()
	}
}

// CommonestFailure tells why most of the requests that failed did, of those that
// were planned from one time until another, and how many. Of causes alike the
// one that came first is told.
func (l *Load) CommonestFailure(from, until time.Time) (why string, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	failed := planned(l.visits, from, until)
	for _, v := range failed {
		if v.failed {
			counts[v.why]++
		}
	}
	for _, v := range failed {
		if n := counts[v.why]; n > times {
			why, times = v.why, n
		}
	}
	return why, times
}
