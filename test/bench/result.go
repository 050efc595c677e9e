package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// Results are all that one run has measured.
type Results struct {
	Conditions Conditions `json:"conditions"`
	SetUps     []SetUp    `json:"set_ups"`
	Flows      []Flow     `json:"flows"`
}

// Conditions are under which it was measured.
type Conditions struct {
	Began      time.Time         `json:"began"`
	Kernel     string            `json:"kernel"`
	Machine    string            `json:"machine"` // processors, memory and emulation, as seen from inside
	Versions   map[string]string `json:"versions"`
	Commit     string            `json:"commit,omitempty"`
	Host       string            `json:"host,omitempty"`
	Go         string            `json:"go,omitempty"`
	TookSecond float64           `json:"took_seconds"`
}

// The subjects, as they are called in results.
const (
	KernelPlane = "culvertd (kernel)"
	Forgetful   = "culvertd (kernel), no keeper" // its sessions end with it, as everybody else's
	TUNPlane    = "culvertd (tun)"
	XL2TPD      = "xl2tpd + pppd"
	L2TPNS      = "l2tpns"
	Bare        = "bare kernel calls"
	BareAlone   = "bare kernel calls, one thread"
)

// subjects are all of them, in the order of tables.
var subjects = []string{KernelPlane, Forgetful, TUNPlane, L2TPNS, XL2TPD, Bare, BareAlone}

// A SetUp is a number of sessions that one subject was to bring up, and what became of it.
type SetUp struct {
	Subject  string  `json:"subject"`
	Sessions int     `json:"sessions"` // asked for
	Wide     int     `json:"wide"`     // calls in set-up at once
	CameUp   int     `json:"came_up"`
	Failed   int     `json:"failed"`
	Seconds  float64 `json:"seconds"` // from the first call until the last is up
	Rate     float64 `json:"per_second"`
	P50      float64 `json:"p50_ms"` // of a set-up
	P99      float64 `json:"p99_ms"`
	TearDown float64 `json:"tear_down_seconds"` // until nothing of any session is left
	// Daemon is what its processes have more, for each session that is up (proportional
	// set size); Aside is what there is besides: the keeper, and state on a tmpfs.
	// Kernel is slab and percpu memory. Base is what the processes have without any.
	Daemon  float64 `json:"daemon_bytes_per_session"`
	Aside   float64 `json:"aside_bytes_per_session,omitempty"`
	Kernel  float64 `json:"kernel_bytes_per_session"`
	Base    float64 `json:"daemon_bytes_base"`
	Busy    float64 `json:"busy_ms_per_session"` // processor time of the whole machine, for a set-up
	Stopped bool    `json:"stopped,omitempty"`   // not all came up in the time that there was
}

// A Flow is packets through sessions of one subject: there, and back.
type Flow struct {
	Subject   string  `json:"subject"`
	Sessions  int     `json:"sessions"`
	Size      int     `json:"size"`       // bytes of an IP packet
	Rate      float64 `json:"per_second"` // each way
	Megabits  float64 `json:"megabits_per_second"`
	Sent      uint64  `json:"sent"`
	Lost      uint64  `json:"lost"`
	RoundTrip float64 `json:"p50_ms"`
	Busy      float64 `json:"busy_us_per_packet"` // of the whole machine, the generator's part included
}

// setUp is the measurement with the median rate, or nil if there is none.
func (r *Results) setUp(subject string, sessions int) *SetUp {
	var all []*SetUp
	for i := range r.SetUps {
		if s := &r.SetUps[i]; s.Subject == subject && s.Sessions == sessions {
			all = append(all, s)
		}
	}
	return median(all, func(s *SetUp) float64 { return s.Rate })
}

// flow is the measurement with the median rate, or nil if there is none.
func (r *Results) flow(subject string, sessions, size int) *Flow {
	var all []*Flow
	for i := range r.Flows {
		if f := &r.Flows[i]; f.Subject == subject && f.Sessions == sessions && f.Size == size {
			all = append(all, f)
		}
	}
	return median(all, func(f *Flow) float64 { return f.Rate })
}

// spread is between which rates the rounds were, or nothing where there was one.
func (r *Results) spread(subject string, sessions int) string {
	least, most, rounds := math.Inf(1), 0.0, 0
	for _, s := range r.SetUps {
		if s.Subject == subject && s.Sessions == sessions {
			least, most, rounds = min(least, s.Rate), max(most, s.Rate), rounds+1
		}
	}
	if rounds < 2 {
		return ""
	}
	return fmt.Sprintf(" (%s to %s)", figure(least), figure(most))
}

// median is the one in the middle, the lower one of two.
func median[T any](all []*T, of func(*T) float64) *T {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *T) int { return cmp.Compare(of(a), of(b)) })
	return all[(len(all)-1)/2]
}

// read reads results.
func read(file string) (*Results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Results)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return r, nil
}

// write writes results.
func (r *Results) write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
