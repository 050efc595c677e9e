package management

import (
	"context"
	"testing"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/event"
)

// stub is a Backend that has a status and nothing else.
type stub struct{ Backend }

func (stub) SystemStatus(context.Context) (*api.SystemStatus, error) {
	return &api.SystemStatus{Version: "test"}, nil
}

// newServer makes a server of a configuration.
func newServer(t *testing.T, text string) *Server {
	t.Helper()
	store := config.NewStore("machine")
	if err := store.Load("test.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return &Server{Store: store, Backend: stub{}, Version: "test", Events: event.NewLog(64)}
}

func (stub) ResetStatistics(context.Context) error { return nil }

func (stub) ListUsers(context.Context, Page) ([]*api.User, error) { return nil, nil }
