package commit

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/management"
)

const confirmed = base + "user create user_name=carol user_password=x\n"

// inBubble runs f with a stage that has loaded a configuration that is to be confirmed.
func inBubble(t *testing.T, f func(t *testing.T, s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, base)
		s.load(&api.LoadConfigRequest{Source: fromText(confirmed), ConfirmWithin: 300})
		if at := s.revisions()[0].RevertsAt.AsTime(); !at.Equal(time.Now().Add(5 * time.Minute)) {
			t.Errorf("goes back at %v", at)
		}
		f(t, s)
	})
}

func (s *stage) wantCarol(want bool) {
	s.t.Helper()
	if _, there := s.store.Snapshot().User("carol"); there != want {
		s.t.Errorf("carol is there: %v, want %v", there, want)
	}
}

func TestGoesBackUnlessConfirmed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		s.wantCarol(true)
		s.command("user create user_name=dave user_password=x") // goes too, but is kept
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s.wantCarol(false)
		all := s.revisions()
		if len(all) != 4 || all[0].RevertsAt != nil || !all[0].Running || all[1].Author != "commands" ||
			all[0].Comment != "revision 2 was not confirmed: revision 1 again" {
			t.Errorf("revisions: %v", all)
		}
		if _, err := s.Confirm(t.Context(), "alice"); !errors.Is(err, management.ErrRefused) {
			t.Errorf("confirmed too late: %v", err)
		}
	})
}

func TestConfirmedStays(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		time.Sleep(4 * time.Minute)
		wait := s.wait
		if r, err := s.Confirm(t.Context(), "alice"); err != nil || r.Revision != 2 {
			t.Fatalf("Confirm: %v, %v", r, err)
		}
		s.goBack(wait) // the timer had fired already
		time.Sleep(time.Hour)
		synctest.Wait()
		s.wantCarol(true)
		if r := s.revisions()[0]; r.Number != 2 || r.RevertsAt != nil {
			t.Errorf("newest revision: %v", r)
		}
	})
}

// While a revision waits nothing else is loaded nor written, except what was before.
func TestOneWaitAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		for _, src := range []*api.Source{fromText(base), fromFile(), fromRevision(2)} {
			_, err := s.Load(t.Context(), "bob", &api.LoadConfigRequest{Source: src, ConfirmWithin: 60})
			if !errors.Is(err, management.ErrRefused) || !strings.Contains(err.Error(), "go back to revision 1") {
				t.Errorf("a second load: %v", err)
			}
		}
		merge := &api.LoadConfigRequest{Source: fromRevision(1), Merge: true}
		if _, err := s.Load(t.Context(), "bob", merge); !errors.Is(err, management.ErrRefused) {
			t.Errorf("what was before is merged with what waits: %v", err)
		}
		if _, err := s.Write(t.Context(), "bob", &api.WriteConfigRequest{}); !errors.Is(err, management.ErrRefused) {
			t.Errorf("written while it waits: %v", err)
		}
		s.wantCarol(true)
		s.load(&api.LoadConfigRequest{Source: fromRevision(1)})
		s.wantCarol(false)
		s.loadText(confirmed)
		time.Sleep(time.Hour)
		synctest.Wait()
		s.wantCarol(true)
	})
}

// Who goes back at once may have that confirmed too.
func TestGoingBackIsConfirmed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.load(&api.LoadConfigRequest{Source: fromRevision(1), ConfirmWithin: 60})
		s.wantCarol(false)
		if r := s.revisions()[0]; r.Number != 3 || r.RevertsAt == nil {
			t.Errorf("newest revision: %v", r)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.wantCarol(true)
		if r := s.revisions()[0]; r.Comment != "revision 3 was not confirmed: revision 2 again" {
			t.Errorf("newest revision: %v", r)
		}
	})
}

// The tunnels and sessions that an unconfirmed revision ended are made again.
func TestGoingBackMakesTunnelsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, base)
		s.load(&api.LoadConfigRequest{ConfirmWithin: 1,
			Source: fromText("tunnel create tunnel_name=one dest_ipaddr=192.0.2.1 persist=yes")})
		if got, want := s.live(), "one=1"; got != want {
			t.Fatalf("there is %s, want %s", got, want)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, want := s.live(), "one=1 two=6 one/a=7 one/b=8 two/a=9"; got != want {
			t.Errorf("there is %s, want %s", got, want)
		}
	})
}
