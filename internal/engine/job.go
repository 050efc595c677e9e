package engine

import (
	"context"
	"errors"
	"time"
)

// jobs is the kernel work of one tunnel or session: one at a time, in order.
type jobs struct {
	busy  bool
	queue []job
}

// A job runs on a worker; done runs on the shard with what it returned.
type job struct {
	urgency urgency
	foreign bool // not the data plane's to do
	run     func(ctx context.Context) error
	done    func(err error)
}

// do queues j behind the subject's other jobs. It is called on the shard, as
// done will be.
func (s *shard) do(q *jobs, j job) {
	if q.pending() {
		q.queue = append(q.queue, j)
		return
	}
	s.start(q, j)
}

// pending reports whether a job runs or waits.
func (q *jobs) pending() bool { return q.busy || len(q.queue) > 0 }

func (s *shard) start(q *jobs, j job) {
	q.busy = true
	if j.urgency == forTeardown {
		// What is taken away must not be found in a record by the next process.
		s.keeping.teardowns = append(s.keeping.teardowns, func() { s.launch(q, j) })
		return
	}
	s.launch(q, j)
}

// launch has a worker do j.
func (s *shard) launch(q *jobs, j job) {
	asked := time.Now()
	s.engine.workers.run(j.urgency, func() {
		err := errTooLate
		if j.urgency != forNewCall || time.Since(asked) <= patience {
			err = s.engine.protect(j.run)
		}
		s.mail.post(func() { s.finish(q, j, err) })
	})
}

// finish reports a job's end and starts the next of its subject, whatever done does.
func (s *shard) finish(q *jobs, j job, err error) {
	q.busy = false
	if err != nil && !errors.Is(err, errTooLate) && !j.foreign {
		s.engine.total.kernelErrors.Add(1)
	}
	defer s.startNext(q)
	if j.done != nil {
		j.done(err)
	}
}

func (s *shard) startNext(q *jobs) {
	if q.busy || len(q.queue) == 0 {
		return
	}
	next := q.queue[0]
	if q.queue = q.queue[1:]; len(q.queue) == 0 {
		q.queue = nil
	}
	s.start(q, next)
}
