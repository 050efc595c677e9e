package commit

import (
	"context"
	"fmt"

	"culvert/api"
)

// Reload loads the daemon's file again, as SIGHUP asks for. What came of it is in
// the log.
func (c *Configurator) Reload(ctx context.Context) {
	source := &api.Source{From: &api.Source_File{File: true}}
	// The error is logged with all the rest.
	_, _ = c.Load(ctx, "SIGHUP", &api.LoadConfigRequest{Source: source})
}

// maxLines is how many changes of one kind of line are logged one by one.
const maxLines = 200

// report logs what came of loading a configuration.
func (c *Configurator) report(author string, res *api.LoadConfigResponse, err error) {
	if err != nil {
		c.log.Error("configuration not loaded", "author", author, "err", err)
		return
	}
	if len(res.Faults) > 0 {
		for _, f := range res.Faults[:min(len(res.Faults), maxLines)] {
			c.log.Error("configuration has a fault", "author", author, "fault", FaultText(f))
		}
		c.log.Error("configuration not loaded: nothing has changed", "author", author,
			"faults", len(res.Faults))
		return
	}
	for _, m := range res.Changes[:min(len(res.Changes), maxLines)] {
		c.log.Info("configuration change", "action", actions[m.Action], "kind", m.Kind,
			"name", m.Name, "params", paramText(m), "sessions_dropped", m.SessionsDropped)
	}
	for _, text := range res.Failures {
		c.log.Error("configuration change failed", "err", text)
	}
	c.warn(res.Warnings)
	c.log.Info("configuration loaded", "author", author, "revision", res.Revision,
		"changes", len(res.Changes), "failures", len(res.Failures))
}

func (c *Configurator) warn(warnings []string) {
	for _, text := range warnings {
		c.log.Warn("configuration", "warning", text)
	}
}

var actions = map[api.ChangeAction]string{
	api.ChangeAction_CHANGE_ACTION_CREATE:   "create",
	api.ChangeAction_CHANGE_ACTION_MODIFY:   "modify",
	api.ChangeAction_CHANGE_ACTION_DELETE:   "delete",
	api.ChangeAction_CHANGE_ACTION_RECREATE: "recreate",
}

// paramText says what of an object that stays is different. Secrets are masked.
func paramText(m *api.Change) string {
	if m.Action != api.ChangeAction_CHANGE_ACTION_MODIFY &&
		m.Action != api.ChangeAction_CHANGE_ACTION_RECREATE {
		return ""
	}
	text := ""
	for _, p := range m.Params {
		if text != "" {
			text += " "
		}
		text += fmt.Sprintf("%s=%s->%s", p.Name, p.Old, p.New)
	}
	return text
}
