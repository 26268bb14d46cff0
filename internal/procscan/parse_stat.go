package procscan

import "bytes"

// stat is what is used of /proc/PID/stat; proc_pid_stat(5) numbers its fields.
type stat struct {
	comm                     []byte // within the parsed bytes
	state                    byte   // such as 'S'
	parent, group, session   int64
	terminal                 int64 // device number; zero without one
	flags                    int64
	minorFaults, majorFaults int64
	userTicks, systemTicks   int64
	childUser, childSystem   int64 // ticks of children that were waited for
	nice, threads            int64
	startTicks               int64 // since boot
	virtual                  int64 // bytes
	residentPages            int64
	blockTicks               int64 // -1 if the kernel does not have it
}

// kernelThread is the bit PF_KTHREAD of the field flags. It has kept its value
// since 2008, and tools outside of the kernel rely on it.
const kernelThread = 0x00200000

// notExecuted is the bit PF_FORKNOEXEC: the process is a fork that executed
// nothing yet, so that an exec of a program with the same name shows.
const notExecuted = 0x00000040

// parseStat reads one line like
//
//	42 (a) b) S 1 42 42 0 -1 4194560 ...
//
// The name is whatever stands between the first "(" and the last ")": it may
// hold parentheses, spaces and newlines, all that follows are numbers.
func parseStat(b []byte) (stat, error) {
	s := stat{blockTicks: -1}
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return s, errTruncated
	}
	b = b[:len(b)-1]
	left, right := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if left < 0 || right < left || len(b) < right+2 || b[right+1] != ' ' {
		return s, errMalformed
	}
	s.comm = b[left+1 : right]
	rest := b[right+2:]
	field := 3
	for ; len(rest) > 0; field++ {
		var word []byte
		word, rest = cutByte(rest, ' ')
		if field == 3 && len(word) == 1 {
			s.state = word[0]
		}
		into := s.field(field)
		if into == nil {
			continue
		}
		n, ok := parseInt(word)
		if !ok {
			return s, errMalformed
		}
		*into = n
	}
	if field <= 24 {
		return s, errTruncated
	}
	return s, nil
}

// field is where the field with this number goes; nil if it is not used.
func (s *stat) field(number int) *int64 {
	switch number {
	case 4:
		return &s.parent
	case 5:
		return &s.group
	case 6:
		return &s.session
	case 7:
		return &s.terminal
	case 9:
		return &s.flags
	case 10:
		return &s.minorFaults
	case 12:
		return &s.majorFaults
	case 14:
		return &s.userTicks
	case 15:
		return &s.systemTicks
	case 16:
		return &s.childUser
	case 17:
		return &s.childSystem
	case 19:
		return &s.nice
	case 20:
		return &s.threads
	case 22:
		return &s.startTicks
	case 23:
		return &s.virtual
	case 24:
		return &s.residentPages
	case 42:
		return &s.blockTicks
	default:
		return nil
	}
}

func (s *stat) kernel() bool { return s.flags&kernelThread != 0 }

func (s *stat) fork() bool { return s.flags&notExecuted != 0 }

// zombie tells that the process ended and was not waited for. Its counters
// stand, but it has no memory any more, thus no executable and no arguments.
func (s *stat) zombie() bool { return s.state == 'Z' && s.threads <= 1 }
