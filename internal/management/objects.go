package management

import (
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/event"
	"culvert/internal/schema"
)

// TellObjects publishes what becomes of the objects of the configuration from now
// on: profiles, pools, users and the system. Of tunnels and sessions the
// Backend tells.
func TellObjects(store *config.Store, events *event.Log) {
	store.Subscribe(func(old, now *config.Snapshot) {
		for _, c := range config.Changes(old, now) {
			events.Publish(objectEvent(c))
		}
	})
}

func objectEvent(c config.Change) *api.Event {
	switch {
	case c.Old == nil:
		return aboutObject(api.EventType_EVENT_TYPE_OBJECT_CREATED, c.New)
	case c.New == nil:
		return aboutObject(api.EventType_EVENT_TYPE_OBJECT_DELETED, c.Old)
	}
	return aboutObject(api.EventType_EVENT_TYPE_OBJECT_MODIFIED, c.New)
}

func aboutObject(what api.EventType, m proto.Message) *api.Event {
	k := schema.KindOf(m)
	return &api.Event{Type: what, Kind: k.Words, Name: k.Name(m)}
}
