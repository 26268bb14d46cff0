package bpfscan

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Refusal is why the kernel's own lists of processes cannot be had on this host.
type Refusal struct {
	Reason string // in one sentence without a full stop
	Cure   string // what to do about it, an imperative
	Err    error  // what the kernel said; nil if nothing
}

// Error is the reason, the cure and what the kernel said.
func (r *Refusal) Error() string {
	s := r.Reason + "; " + r.Cure
	if r.Err != nil {
		// The verifier's reasons fill pages.
		what, _, _ := strings.Cut(r.Err.Error(), "\n")
		s += " (" + what + ")"
	}
	return s
}

func (r *Refusal) Unwrap() error { return r.Err }

// Missing is a part that cannot be had on this host while the rest works.
type Missing struct {
	What string // the part
	Cure string // what to do about it, an imperative, and what the kernel said
}

// Where the kernel tells how it is locked and what its types are.
const (
	lockdownFile = "/sys/kernel/security/lockdown"
	typesFile    = "/sys/kernel/btf/vmlinux"
)

// explain finds out why the kernel refused a program or a map.
func explain(err error) *Refusal {
	r := &Refusal{Err: err, Reason: "the kernel refuses the eBPF programs", Cure: "use Linux 5.15 or newer, or the source procfs"}
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return refused
	}
	switch {
	case missing(typesFile):
		r.Reason, r.Cure = "the kernel does not describe its types (BTF)", "run a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys"
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		r.Reason, r.Cure = explainPermission()
	case errors.Is(err, unix.ENOSYS):
		r.Reason, r.Cure = "the kernel has no bpf system call, or a sandbox hides it", "run a kernel built with CONFIG_BPF_SYSCALL=y, outside of the sandbox"
	case errors.Is(err, unix.ENOMEM):
		r.Reason, r.Cure = "there is not enough memory for the eBPF maps", "raise MemoryMax of the service, or LimitMEMLOCK=infinity before Linux 5.11"
	case errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL):
		r.Reason = "Linux " + kernelRelease() + " lacks something that the eBPF programs need"
	}
	return r
}

func explainPermission() (reason, cure string) {
	if lacking := lackingCapabilities(); len(lacking) > 0 {
		list := strings.Join(lacking, " and ")
		verb := " is missing"
		if len(lacking) > 1 {
			verb = " are missing"
		}
		return list + verb, "grant " + list + " (AmbientCapabilities= of the service), or run as root"
	}
	if b, err := os.ReadFile(lockdownFile); err == nil && bytes.Contains(b, []byte("[confidentiality]")) {
		return "the kernel is locked down (confidentiality) and lets no program read its memory", "boot with lockdown=integrity, or use the source procfs"
	}
	return "the kernel or a sandbox forbids the bpf system call", "allow bpf() in the seccomp profile and the security module"
}

// lackingCapabilities are the names of those that the programs need and this
// process has not.
func lackingCapabilities() []string {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil
	}
	has := func(c uint) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	if has(unix.CAP_SYS_ADMIN) {
		return nil
	}
	var lacking []string
	if !has(unix.CAP_BPF) {
		lacking = append(lacking, "CAP_BPF")
	}
	if !has(unix.CAP_PERFMON) {
		lacking = append(lacking, "CAP_PERFMON")
	}
	return lacking
}

func missing(file string) bool {
	_, err := os.Stat(file)
	return errors.Is(err, os.ErrNotExist)
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "(of unknown release)"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// lack tells what is off and why.
func lack(what, cure string, err error) Missing {
	said, _, _ := strings.Cut(err.Error(), "\n")
	return Missing{What: what, Cure: fmt.Sprintf("%s (%s)", cure, said)}
}
