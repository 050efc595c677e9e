package commit

import (
	"context"
	"fmt"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
)

// A waiting is a revision that runs and is to be confirmed. Else what ran before it
// runs again.
type waiting struct {
	revision uint32
	before   *config.Snapshot
	number   uint32 // the revision of before
	at       time.Time
	timer    *time.Timer
}

// mayLoad refuses a document while a revision waits, unless it is what ran before:
// to load that is to go back at once, to merge it is not.
func (c *Configurator) mayLoad(d document, merge bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wait
	if w == nil || d.number != 0 && d.number == w.number && !merge {
		return nil
	}
	return management.Errorf(management.ErrRefused, "revision %d waits to be confirmed until %s: "+
		"confirm it, or go back to revision %d", w.revision, clock(w.at), w.number)
}

func clock(t time.Time) string { return t.Format("15:04:05") }

// await begins to wait for a confirmation of what a plan has brought, if there is to
// be one. A wait that was there has come to its end: mayLoad lets nothing else pass
// than going back.
func (c *Configurator) await(p *plan, before uint32, within uint32) (warnings []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait != nil {
		c.wait.timer.Stop()
		c.wait = nil
		c.keep(func(k *Keeping) { k.runs(p.new, false) })
	}
	if within == 0 {
		return nil
	}
	if len(p.changes) == 0 {
		return []string{"nothing has changed: there is nothing to confirm"}
	}
	limit := time.Duration(within) * time.Second
	w := &waiting{revision: c.history.last().number, before: p.old, number: before,
		at: time.Now().Add(limit)}
	w.timer = time.AfterFunc(limit, func() { c.goBack(w) })
	c.wait = w
	// A process that comes after this one goes back too.
	c.keep(func(k *Keeping) { k.runs(w.before, true) })
	return nil
}

// Confirm makes the revision that waits stay.
func (c *Configurator) Confirm(_ context.Context, author string) (
	*api.ConfirmConfigResponse, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	defer c.Flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wait
	if w == nil {
		return nil, management.Errorf(management.ErrRefused, "no revision waits to be confirmed")
	}
	w.timer.Stop()
	c.wait = nil
	c.keep(func(k *Keeping) { k.runs(c.store.Snapshot(), false) })
	c.log.Info("configuration confirmed", "revision", w.revision, "author", author)
	return &api.ConfirmConfigResponse{Revision: w.revision}, nil
}

// goBack makes what ran before an unconfirmed revision the running configuration,
// unless that was confirmed at the last moment. What commands have changed since
// goes too: it is in the history.
func (c *Configurator) goBack(w *waiting) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if !c.giveUp(w) {
		return
	}
	ctx := context.Background()
	p, _, err := c.replace(ctx, document{running: w.before}, false)
	if err != nil {
		c.log.Error("going back to the configuration before", "err", err)
		return
	}
	_, warnings := c.recordCommands(p.old)
	res := &api.LoadConfigResponse{Changes: messages(p.changes)}
	res.Failures = carry(ctx, c.backend, p)
	number, more := c.record(p, "culvertd", fmt.Sprintf(
		"revision %d was not confirmed: revision %d again", w.revision, w.number))
	res.Revision = number
	res.Warnings = append(append(warnings, p.warnings()...), more...)
	c.log.Warn("configuration not confirmed: going back", "revision", w.revision, "to", w.number)
	c.report("culvertd", res, nil)
}

// giveUp ends the wait and reports whether it was still w.
func (c *Configurator) giveUp(w *waiting) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait != w {
		return false
	}
	c.wait = nil
	c.keep(func(k *Keeping) { k.runs(w.before, false) })
	return true
}
