package keeper

import (
	"context"
	"time"
)

// A batch is the keys of callers of Drop that go out together.
type batch struct {
	keys  []string
	sent  chan struct{} // closed when they are on their way
	acked chan struct{} // closed when the keeper has closed everything, or is gone
	left  int           // how many messages are not acknowledged; guarded by Client.mu
}

// Drop has the keeper close what it has under keys, and returns when that is done, or
// the keeper is gone. When ctx is done it does not wait for that, but what others Keep
// under the same keys afterwards is still kept.
func (c *Client) Drop(ctx context.Context, keys ...string) {
	b, leads := c.join(keys)
	if leads {
		c.sendBatch(b)
	}
	<-b.sent
	timer := time.NewTimer(dropPatience)
	defer timer.Stop()
	select {
	case <-b.acked:
	case <-ctx.Done():
	case <-timer.C: // it hangs: what it holds is of no use
		if conn := c.current(); conn != nil {
			conn.Close()
		}
	}
}

// dropPatience is how long the keeper may take. Closing what others hold too takes no
// time; the rest takes tens of milliseconds, many at a time.
const dropPatience = 30 * time.Second

// join adds keys to the batch that is to go out next. Who makes it leads it.
func (c *Client) join(keys []string) (b *batch, leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &batch{sent: make(chan struct{}), acked: make(chan struct{})}
		leads = true
	}
	c.next.keys = append(c.next.keys, keys...)
	return c.next, leads
}

// sendBatch sends a batch when it is its turn: until then others join it.
func (c *Client) sendBatch(b *batch) {
	c.sending.Lock()
	defer c.sending.Unlock()
	defer close(b.sent)
	conn, messages := c.take(b)
	for _, m := range messages {
		if err := conn.send(m); err != nil {
			conn.Close() // whereupon its reader ends, and lets go who waits
			return
		}
	}
}

// take closes the batch for others, and registers its messages. Without a keeper, or without
// keys, there is nothing to wait for.
func (c *Client) take(b *batch) (conn *connection, messages []message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = nil
	if c.conn != nil {
		messages = dropMessages(b.keys)
	}
	if len(messages) == 0 {
		b.acknowledge()
		return nil, nil
	}
	b.left = len(messages)
	for i := range messages {
		c.sequence++
		messages[i].sequence = c.sequence
		c.dropping[c.sequence] = b
	}
	return c.conn, messages
}

// dropMessages are the messages that drop keys.
func dropMessages(keys []string) (ms []message) {
	size := 0
	for _, key := range keys {
		if len(ms) == 0 || size+2+len(key) > maxMessage {
			ms, size = append(ms, message{op: opDrop}), 8
		}
		last := &ms[len(ms)-1]
		last.keys = append(last.keys, key)
		size += 2 + len(key)
	}
	return ms
}

// dropped notes that the keeper has carried out a message.
func (c *Client) dropped(sequence uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.dropping[sequence]
	if b == nil {
		return
	}
	delete(c.dropping, sequence)
	b.acknowledge()
}

// acknowledge notes that one of the batch's messages is carried out, or that none will
// be. Client.mu is held.
func (b *batch) acknowledge() {
	if b.left--; b.left <= 0 {
		select {
		case <-b.acked:
		default:
			close(b.acked)
		}
	}
}
