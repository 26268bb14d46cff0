package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec" //nolint:depguard // a benchmark runs the programs that it measures; it is no component
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleShort is a job that starts many short-lived processes.
const roleShort = "role-shortlived"

// inputs is how many files there are to compress.
const inputs = 64

// makeInputs writes files of 50 to 100 KB that hardly shrink, to storage.
func makeInputs(dir string) error {
	source := rand.NewChaCha8([32]byte{1})
	for i := range inputs {
		text := make([]byte, 50_000+i*50_000/inputs)
		_, _ = source.Read(text) // never fails
		f, err := os.Create(inputName(dir, i))
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		// Pages that are not written yet cannot be dropped from the cache.
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// memoryOnly reports whether a directory is on no storage.
func memoryOnly(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && (fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC)
}

// shortlivedJob compresses files, one process for each, and says what that took.
func shortlivedJob(args []string) error {
	var s script
	if err := json.Unmarshal([]byte(strings.Join(args, " ")), &s); err != nil {
		return err
	}
	if s.Cgroup != "" {
		if err := os.WriteFile(filepath.Join(s.Cgroup, "cgroup.procs"), []byte("0"), 0o600); err != nil {
			return fmt.Errorf("enter the control group: %w", err)
		}
	}
	gzip, err := exec.LookPath("gzip")
	if err != nil {
		return err
	}
	fmt.Println(ready)
	total, err := s.work(gzip)
	if err != nil {
		return err
	}
	var own syscall.Rusage
	if err = syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return err
	}
	total.add(&own)
	total.OwnCPU = cpuOf(&own)
	if err = json.NewEncoder(os.Stdout).Encode(total); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until it may end
	return err
}

// work starts processes at the rate, two at a time at most; it is late rather
// than faster afterwards.
func (s script) work(gzip string) (spent, error) {
	var mu sync.Mutex
	var total spent
	var failed error
	const workers = 2
	turns := make(chan int)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := range turns {
				usage, err := s.compress(gzip, i)
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					total.Processes++
					total.add(usage)
				}
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for i := 0; time.Since(began) < s.Runs; i++ {
		time.Sleep(time.Duration(i)*time.Second/time.Duration(s.Rate) - time.Since(began))
		turns <- i
	}
	close(turns)
	wait.Wait()
	return total, failed
}

// compress runs one process and returns what it used.
func (s script) compress(gzip string, i int) (*syscall.Rusage, error) {
	in, err := os.Open(inputName(s.Dir, i%inputs))
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // only read from
	// Otherwise it would read from the page cache. Another process that reads the
	// same file now may keep some of it.
	if err = unix.Fadvise(int(in.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(s.Dir, fmt.Sprintf("out-%02d.gz", i%inputs)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the process wrote it
	cmd := exec.Command(gzip, "-c")    //nolint:noctx // ends by itself within milliseconds
	cmd.Stdin, cmd.Stdout = in, out
	if err = cmd.Run(); err != nil {
		return nil, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, errors.New("no usage of the process is known")
	}
	return usage, nil
}

// add counts what a process used.
func (s *spent) add(r *syscall.Rusage) {
	const block = 512 // of ru_inblock and ru_oublock; the kernel counts bytes
	s.CPU += cpuOf(r)
	s.Read += r.Inblock * block
	s.Written += r.Oublock * block
}

func cpuOf(r *syscall.Rusage) float64 {
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
}
