//go:build linux && !(386 || amd64 || arm || arm64 || loong64 || mips64le || mipsle || ppc64le || riscv64)

package bpfscan

import "github.com/cilium/ebpf"

// The names of programs and maps, as the generated file has them.
const (
	kernelMapListStates          = "list_states"
	kernelMapRing                = "ring"
	kernelProgListPaths          = "list_paths"
	kernelProgListTasks          = "list_tasks"
	kernelProgListTasksTraffic   = "list_tasks_traffic"
	kernelProgProcessExit        = "process_exit"
	kernelProgProcessExitTraffic = "process_exit_traffic"
	kernelProgProcessFree        = "process_free"
	kernelProgSocketReceived     = "socket_received"
	kernelProgSocketSent         = "socket_sent"
)

// loadKernel has nothing to load: the programs are built for little-endian
// machines only.
func loadKernel() (*ebpf.CollectionSpec, error) {
	return nil, &Refusal{Reason: "there are no eBPF programs for this kind of processor", Cure: "use the source procfs"}
}
