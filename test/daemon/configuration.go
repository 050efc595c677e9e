package daemon

import (
	"context"
	"os"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/test/lab"
)

// WriteFile makes text the daemon's configuration file, as an editor does.
func (d *Daemon) WriteFile(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.File, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// reloadLimit is how long a SIGHUP may take.
const reloadLimit = 30 * time.Second

// Reload sends SIGHUP and returns what the daemon logs of it.
func (d *Daemon) Reload() string {
	d.t.Helper()
	before := len(d.Output())
	if err := d.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	var text string
	lab.Wait(d.t, reloadLimit, "the daemon to reload", func() error {
		text = d.Output()[before:]
		for _, end := range []string{"configuration loaded", "configuration not loaded"} {
			if strings.Contains(text, end) {
				return nil
			}
		}
		return context.DeadlineExceeded
	})
	return text
}

// CheckConfig asks what loading would do.
func (d *Daemon) CheckConfig(src *api.Source) *api.CheckConfigResponse {
	d.t.Helper()
	r, err := d.client.CheckConfig(d.t.Context(),
		connect.NewRequest(&api.CheckConfigRequest{Source: src}))
	if err != nil {
		d.t.Fatalf("checking a configuration: %v", err)
	}
	return r.Msg
}

// LoadConfig loads a configuration.
func (d *Daemon) LoadConfig(r *api.LoadConfigRequest) *api.LoadConfigResponse {
	d.t.Helper()
	res, err := d.client.LoadConfig(d.t.Context(), connect.NewRequest(r))
	if err != nil {
		d.t.Fatalf("loading a configuration: %v", err)
	}
	return res.Msg
}

// WriteConfig has the daemon write its file.
func (d *Daemon) WriteConfig() (*api.WriteConfigResponse, error) {
	d.t.Helper()
	r, err := d.client.WriteConfig(d.t.Context(), connect.NewRequest(&api.WriteConfigRequest{}))
	if err != nil {
		return nil, err
	}
	return r.Msg, nil
}

// Revisions lists what ran, the newest first.
func (d *Daemon) Revisions() []*api.Revision {
	d.t.Helper()
	r, err := d.client.ListRevisions(d.t.Context(),
		connect.NewRequest(&api.ListRevisionsRequest{}))
	if err != nil {
		d.t.Fatalf("listing revisions: %v", err)
	}
	return r.Msg.Revisions
}

// Running is the text of the running configuration, with its secrets.
func (d *Daemon) Running() string {
	d.t.Helper()
	r, err := d.client.GetRevision(d.t.Context(), connect.NewRequest(&api.GetRevisionRequest{}))
	if err != nil {
		d.t.Fatalf("asking for the running configuration: %v", err)
	}
	return r.Msg.Text
}
