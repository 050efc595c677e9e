package engine

import (
	"context"
)

// jobs is the kernel work of one tunnel or session: one at a time, in order.
type jobs struct {
	busy  bool
	queue []job
}

// A job runs on a worker; done runs on the shard with what it returned.
type job struct {
	urgency urgency
	run     func(ctx context.Context) error
	done    func(err error)
}

// do queues j behind the subject's other jobs. It is called on the shard, as
// done will be.
func (s *shard) do(q *jobs, j job) {
	if q.busy {
		q.queue = append(q.queue, j)
		return
	}
	q.busy = true
	s.start(q, j)
}

func (s *shard) start(q *jobs, j job) {
	s.engine.workers.run(j.urgency, func() {
		err := j.run(s.engine.jobContext)
		s.mail.post(func() { s.finish(q, j, err) })
	})
}

// finish reports a job's end and starts the next of its subject.
func (s *shard) finish(q *jobs, j job, err error) {
	if j.done != nil {
		j.done(err)
	}
	if len(q.queue) == 0 {
		q.busy, q.queue = false, nil
		return
	}
	next := q.queue[0]
	q.queue = q.queue[1:]
	s.start(q, next)
}
