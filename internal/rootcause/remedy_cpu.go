package rootcause

import "fmt"

// cpuRemedies takes CPU time from a workload. Niceness counts only among the
// processes of one session while sched_autogroup is on, for then the sessions
// share the CPU evenly; the session's own niceness is what counts.
func cpuRemedies(sc *scene, w *workload) []Remedy {
	if w.key.unit != "" {
		return []Remedy{unitRemedy(w, canCPUv2, unitLimit{
			setting: "CPUWeight=1", unset: "CPUWeight=", effect: "gives it the smallest weight among the units",
		})}
	}
	session := Remedy{
		Title:   "lower the priority of its whole session",
		Command: fmt.Sprintf("echo 19 > /proc/%d/autogroup", w.livePID()),
	}
	nice := Remedy{Title: "lower its priority", Command: fmt.Sprintf("renice -n 19 -g %d", w.liveGroup())}
	sc.whetherNice(w, &session, &nice)
	session.Why += w.standsFor(w.livePID())
	nice.Why += w.standsFor(w.liveGroup())
	return append([]Remedy{session, nice}, w.smallestShare()...)
}

// whetherNice tells which of the two priorities counts.
func (sc *scene) whetherNice(w *workload, session, nice *Remedy) {
	h := w.host
	autogroup, told := h.can[canAutogroup]
	ownSession, ownGroup := w.session > 0, true
	for _, o := range sc.owners {
		ownSession = ownSession && o.session != w.session
		ownGroup = ownGroup && o.cgroup != w.cgroup
	}
	grouped := w.cgroup != "" && w.cgroup != "/" && (h.can[canCPUv1] || h.can[canCPUv2])
	switch {
	case grouped && ownGroup:
		session.Works, session.Why = DoesNotWork, "its CPU cgroup decides, not its session"
		nice.Works, nice.Why = DoesNotWork, "niceness counts only within its cgroup"
		if !autogroup && !h.can[canCPUv1] {
			nice.Works, nice.Why = MayWork, "niceness counts only within its cgroup, unless that has no cpu.weight"
		}
	case !told:
		session.Why, nice.Why = "whether sched_autogroup is on is not known", "works unless sched_autogroup is on"
	case !autogroup:
		session.Works, session.Why = DoesNotWork, "sched_autogroup is off here, or overruled by the share of a container"
		nice.Works, nice.Why = DoesWork, "sched_autogroup is off or overruled here, so niceness counts among all processes"
	case grouped && h.can[canCPUv1]:
		session.Works, session.Why = DoesNotWork, "its CPU cgroup decides, not its session"
		nice.Works, nice.Why = DoesWork, "it shares its CPU cgroup with "+sc.v.id.Service+", where niceness counts"
	case grouped:
		session.Why = "works unless the cgroup that it shares with " + sc.v.id.Service + " has a cpu.weight"
		nice.Why = "works if the cgroup that it shares with " + sc.v.id.Service + " has a cpu.weight"
	case ownSession:
		session.Works, session.Why = DoesWork, "sched_autogroup is on and it runs in a session of its own; no root needed for one's own processes"
		nice.Works, nice.Why = DoesNotWork, "niceness counts only within a session while sched_autogroup is on"
	default:
		session.Works, session.Why = DoesNotWork, "it shares its session with "+sc.v.id.Service
		nice.Works, nice.Why = DoesWork, "it shares its session with "+sc.v.id.Service+", where niceness counts"
	}
}

// smallestShare gives a job a control group in which it gets what others leave.
func (w *workload) smallestShare() []Remedy {
	r := Remedy{Title: "give it the smallest share of the CPU (root)", Works: DoesWork}
	var undo string
	switch h := w.host; {
	case h.can[canCPUv1]:
		r.Command, undo = w.moveV1(setting{"cpu", "cpu.shares", "2", "1024"})
		r.Why = "this host has the cgroup v1 cpu controller; " + undo
	case h.can[canCPUv2]:
		r.Command, undo = w.moveV2(setting{"cpu", "cpu.weight", "1", "100"})
		r.Why = "this host has the cgroup v2 cpu controller; " + undo
	default:
		return nil
	}
	return []Remedy{r}
}

// standsFor says whose number is in a command, if it is not the one that the
// workload is known by: a job of several processes is called after its leader.
func (w *workload) standsFor(pid int64) string {
	d := w.actsOn()
	if pid == w.id.PID || d.Process.PID != pid || d.Command == "" {
		return ""
	}
	return fmt.Sprintf("; PID %d is %s, part of the job %s", pid, d.Command, NameOf(w.id))
}
