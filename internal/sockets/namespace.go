package sockets

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// maxNamespaces bounds the network namespaces that are looked into, the own one
// among them: each costs a descriptor and two lists.
const maxNamespaces = 64

// namespace is a network namespace and its sockets.
type namespace struct {
	inode     uint64
	conn      *conn // nil if it may not be entered
	processes int   // that are in it, of this update
	entered   uint64
	retry     uint64 // the update that may try to enter it again
	// complete tells that the sockets of the last update are all known: one that
	// is not is younger.
	complete bool
	sockets  map[uint64]*socket // by cookie
	seen     int                // sockets of this update
}

// enter opens a netlink socket in the network namespace of a process. The socket
// keeps the namespace alive until it is closed.
func enter(proc dir, path []byte, inode uint64) (*conn, error) {
	fd, errno := proc.open(path, unix.O_RDONLY)
	if errno != 0 {
		return nil, errno
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Ino != inode {
		return nil, errors.New("the process moved on to another namespace")
	}
	var c *conn
	var err error
	aside(func() {
		if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
			c, err = dial()
		}
	})
	return c, err
}

// aside calls f in a thread that ends with it, because a namespace sticks to the
// thread. That must not be the main thread, which cannot end and stands for the
// whole process in /proc: it is kept busy meanwhile.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		aside(f)
		runtime.UnlockOSThread()
	}()
	<-done
}

// enter tries to look into a namespace by a process that is in it.
func (t *Table) enter(n *namespace, pid int64) {
	n.retry = t.update + refusalStep
	entered := 0
	for _, other := range t.spaces {
		if other.conn != nil {
			entered++
		}
	}
	if entered >= maxNamespaces {
		return
	}
	t.reader.path = appendPath(t.reader.path, pid, "ns/net")
	c, err := enter(t.proc, t.reader.path, n.inode)
	if err != nil {
		if !refused(err) {
			n.retry = t.update + 1
		}
		return
	}
	n.conn = c
	n.complete = n.complete && n.entered == t.update
}

// leave closes the namespaces with no process in them, which would otherwise
// live on for the sake of this one.
func (t *Table) leave() {
	for inode, n := range t.spaces {
		if n.processes > 0 || n == t.own {
			continue
		}
		for _, s := range n.sockets {
			t.drop(s)
		}
		if n.conn != nil {
			_ = n.conn.close() // nothing was written
		}
		delete(t.spaces, inode)
	}
}
