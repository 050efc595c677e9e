package main

// jobFile is where the initramfs holds the job, as JSON.
const jobFile = "/job.json"

// A job is what the guest is told to do.
type job struct {
	Args    []string
	Dir     string
	Env     []string
	Shell   bool
	Systemd bool // systemd is process 1, and the command one of its services
	Modules []string
	Shares  []share
}

// A share is a directory of the host that the guest sees at the same path.
type share struct {
	Tag  string
	Path string
}

// A report is a line from guest to host on the control port.
type report struct {
	Started bool   `json:",omitempty"` // process 1 runs: the accelerator works
	Done    bool   `json:",omitempty"` // the command has ended with Exit
	Exit    int    `json:",omitempty"`
	Err     string `json:",omitempty"` // why the command could not be run
}

// Names of the virtio serial ports.
const (
	portControl = "culvert.control"
	portOut     = "culvert.out"
	portErr     = "culvert.err"
)
