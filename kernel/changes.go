package kernel

import (
	"context"

	"github.com/mdlayher/netlink"
)

// changes sends changes of interfaces by one socket, those of many callers in one go.
type changes struct {
	conn *netlink.Conn
	combiner[*changeSet]
}

// A changeSet is messages that are sent back to back. Each is acknowledged apart.
type changeSet struct {
	ms   []netlink.Message
	done func(i int, err error) // is told each outcome
	left int                    // how many have none yet
	err  error                  // why they have none
}

func newChanges() (*changes, error) {
	conn, err := dialRoute()
	if err != nil {
		return nil, err
	}
	c := &changes{conn: conn}
	c.limit, c.serve = maxBatch, c.send
	c.weight = func(r *changeSet) int { return len(r.ms) }
	return c, nil
}

// batch sends messages, and calls done with the outcome of each. A context that has
// ended sends nothing.
func (c *changes) batch(ctx context.Context, ms []netlink.Message, done func(i int, err error)) error {
	if err := ctx.Err(); err != nil || len(ms) == 0 {
		return err
	}
	r := &changeSet{ms: ms, done: done, left: len(ms)}
	c.do(r)
	return r.err
}

// execute sends one message, and returns its outcome.
func (c *changes) execute(ctx context.Context, m netlink.Message) error {
	var outcome error
	err := c.batch(ctx, []netlink.Message{m}, func(_ int, err error) { outcome = err })
	if err != nil {
		return err
	}
	return outcome
}

// send carries out a round.
func (c *changes) send(round []*changeSet) {
	var ms []netlink.Message
	var answers []func(err error)
	for _, r := range round {
		for i, m := range r.ms {
			ms = append(ms, m)
			answers = append(answers, func(err error) { r.left--; r.done(i, err) })
		}
	}
	err := exchange(c.conn, ms, func(i int, err error) { answers[i](err) })
	if mayBeAnswers(err) {
		drain(c.conn)
	}
	for _, r := range round {
		if r.left > 0 {
			r.err = err
		}
	}
}

func (c *changes) close() { c.conn.Close() }
