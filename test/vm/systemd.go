package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// With -systemd process 1 mounts everything as ever and then becomes systemd.
// The command runs in a service that starts when the system is up; the same
// binary is that service, reports as process 1 would have, and powers off.

// serviceName is argument 0 of the service's process.
const serviceName = "culvert-vm-service"

// Files of the service in the guest. The binary is a copy: systemd hides the
// initramfs, where the first one was.
const (
	serviceBinary = "/usr/local/sbin/culvert-vm"
	serviceJob    = "/run/culvert-vm.json"
	unitDir       = "/etc/systemd/system"
)

// unitFiles make the machine start what Debian's minimum has, and the command
// once that is up.
var unitFiles = map[string]string{
	"default.target": "[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\n" +
		"Wants=culvert-vm.service\nAllowIsolate=yes\n",
	"culvert-vm.service": "[Unit]\nAfter=multi-user.target\nIgnoreOnIsolate=yes\n" +
		"[Service]\nExecStart=@" + serviceBinary + " " + serviceName + "\n" +
		"StandardOutput=journal+console\nStandardError=journal+console\nLimitNOFILE=1048576\n",
}

// becomeSystemd only returns with an error.
func becomeSystemd(j job) error {
	conf, err := json.Marshal(j)
	if err != nil {
		return err
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("reading own binary: %w", err)
	}
	err = errors.Join(os.WriteFile(serviceBinary, self, 0o755), os.WriteFile(serviceJob, conf, 0o600),
		disableServices())
	for name, text := range unitFiles {
		path := filepath.Join(unitDir, name)
		if removeErr := os.Remove(path); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr) // a link would be written through
		}
		err = errors.Join(err, os.WriteFile(path, []byte(text), 0o644))
	}
	if err != nil {
		return err
	}
	const systemd = "/lib/systemd/systemd"
	env := []string{"PATH=" + guestPath, "LANG=C.UTF-8"}
	if err := syscall.Exec(systemd, []string{systemd, "--log-target=journal"}, env); err != nil {
		return fmt.Errorf("becoming %s: %w", systemd, err)
	}
	return nil
}

// disableServices keeps the peers' and everything else's services from
// starting: tests start what they need.
func disableServices() error {
	err := os.Symlink("/dev/null", filepath.Join(unitDir, "getty.target")) // there is no terminal
	for _, pattern := range []string{unitDir + "/*.wants", "/etc/rc?.d/S*"} {
		paths, globErr := filepath.Glob(pattern)
		err = errors.Join(err, globErr)
		for _, path := range paths {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// serviceMain is the service of systemd that runs the command. It never
// returns.
func serviceMain() {
	var j job
	conf, err := os.ReadFile(serviceJob)
	if err == nil {
		err = json.Unmarshal(conf, &j)
	}
	control, controlErr := openPort(portControl)
	err = errors.Join(err, controlErr)
	r := report{Done: true}
	if err == nil {
		r.Exit, err = runJob(j)
	}
	if err != nil {
		r.Err = "in the machine: " + err.Error()
	}
	finish(control, j, r)
}
