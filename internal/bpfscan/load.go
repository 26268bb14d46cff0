package bpfscan

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// programs are the loaded programs and what they are attached to. A part that
// cannot be had is nil and stands in missing.
type programs struct {
	maps     map[string]*ebpf.Map
	programs []*ebpf.Program
	links    []link.Link

	tasks   *list
	paths   *list // nil if it is missing
	ring    *ring // nil if events are missing
	traffic bool
	missing []Missing
}

// loader loads programs one by one, so that one that the kernel does not take
// leaves the others. Maps are shared.
type loader struct {
	spec  *ebpf.CollectionSpec
	cache *btf.Cache
	into  *programs
}

// load loads what was asked for, as far as the kernel takes it.
func load(o Options, spec *ebpf.CollectionSpec) (*programs, error) {
	// Since Linux 5.11 maps are no locked memory. Before, this may be refused; the
	// maps will tell.
	_ = rlimit.RemoveMemlock()
	if o.RingBytes > 0 {
		spec.Maps[kernelMapRing].MaxEntries = o.RingBytes
	}
	p := &programs{maps: map[string]*ebpf.Map{}}
	l := &loader{spec: spec, cache: btf.NewCache(), into: p}
	if o.Network {
		l.network()
	}
	var err error
	if p.tasks, err = l.list(choose(p.traffic, kernelProgListTasksTraffic, kernelProgListTasks)); err != nil {
		return nil, errors.Join(explain(err), p.close())
	}
	if o.Events {
		l.events()
	}
	if o.Network {
		l.sockets()
	}
	return p, nil
}

func choose(traffic bool, with, without string) string {
	if traffic {
		return with
	}
	return without
}

// network counts bytes at the sockets.
func (l *loader) network() {
	mark := len(l.into.links)
	err := l.trace(kernelProgSocketSent)
	if err == nil {
		err = l.trace(kernelProgSocketReceived)
	}
	if err == nil {
		l.into.traffic = true
		return
	}
	l.into.detach(mark)
	l.into.missing = append(l.into.missing, lack("network bytes of processes", "use Linux 6.3 or newer", err))
}

// events asks for news of processes that end.
func (l *loader) events() {
	mark := len(l.into.links)
	err := l.trace(choose(l.into.traffic, kernelProgProcessExitTraffic, kernelProgProcessExit))
	if err == nil {
		err = l.trace(kernelProgProcessFree)
	}
	if err == nil {
		l.into.ring, err = newRing(l.into.maps[kernelMapRing])
	}
	if err != nil {
		l.into.detach(mark)
		l.into.missing = append(l.into.missing, lack("processes that live for less than a scan", "use Linux 5.15 or newer", err))
	}
}

// sockets looks at the sockets themselves.
func (l *loader) sockets() {
	var err error
	if l.into.paths, err = l.list(kernelProgListPaths); err != nil {
		l.into.missing = append(l.into.missing, lack("retransmits, round trip times and listening sockets", "use Linux 5.17 or newer", err))
	}
}

// list loads and attaches an iterator.
func (l *loader) list(name string) (*list, error) {
	p, err := l.program(name)
	if err != nil {
		return nil, err
	}
	return newList(p)
}

// trace loads a program and attaches it to its tracepoint.
func (l *loader) trace(name string) error {
	p, err := l.program(name)
	if err != nil {
		return err
	}
	attached, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		return fmt.Errorf("attach %s: %w", name, err)
	}
	l.into.links = append(l.into.links, attached)
	return nil
}

// program loads one program with the maps that it uses.
func (l *loader) program(name string) (*ebpf.Program, error) {
	spec := l.spec.Copy()
	used := map[string]bool{}
	for i := range spec.Programs[name].Instructions {
		used[spec.Programs[name].Instructions[i].Reference()] = true
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{name: spec.Programs[name]}
	shared := map[string]*ebpf.Map{}
	for m := range spec.Maps {
		if !used[m] {
			delete(spec.Maps, m)
		} else if loaded := l.into.maps[m]; loaded != nil {
			shared[m] = loaded
		}
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: shared, Cache: l.cache})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for m := range spec.Maps {
		if shared[m] == nil {
			l.into.maps[m] = c.DetachMap(m)
		}
	}
	p := c.DetachProgram(name)
	l.into.programs = append(l.into.programs, p)
	return p, nil
}

// detach closes the links from number mark on.
func (p *programs) detach(mark int) {
	for _, l := range p.links[mark:] {
		_ = l.Close() // the part is given up
	}
	p.links = p.links[:mark]
}

func (p *programs) close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	for _, l := range []*list{p.tasks, p.paths} {
		if l != nil {
			errs = append(errs, l.close())
		}
	}
	if p.ring != nil {
		errs = append(errs, p.ring.close())
	}
	for _, program := range p.programs {
		errs = append(errs, program.Close())
	}
	for _, m := range p.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
