package main

// The names under which our collector says what -check asks for.
const (
	metricWorkloadCPU     = "rootcause.workload.cpu.time"
	metricWorkloadDisk    = "rootcause.workload.disk.io"
	metricWorkloadNetwork = "rootcause.workload.network.io"
	metricProcessCPU      = "process.cpu.time"
	metricProcessDisk     = "process.disk.io"
	metricProcessNetwork  = "process.network.io"

	attributeWorkloadPID = "rootcause.workload.pid" // of the leader of a job
	attributePID         = "process.pid"
	attributeDisk        = "disk.io.direction"
	attributeNetwork     = "network.io.direction"
	attributeTransport   = "network.transport"
)
