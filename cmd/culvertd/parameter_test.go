package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/schema"
	"culvert/internal/schema/schematest"
	"culvert/test/lab"
)

// startDaemon runs a daemon without a data plane, and returns a client of it.
func startDaemon(t *testing.T) apiconnect.ManagementClient {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	ctx, stop := context.WithCancel(context.Background())
	var log lab.Output
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--dataplane", "null", "--config", writeConfig(t, ""),
			"--state", filepath.Join(dir, "state"), "--socket", socket,
			"--listen", "127.0.0.1:0"}, &log, &log)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the daemon ended: %v", err)
		}
	})
	log.Wait(t, patience, "serving")
	var d net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return apiconnect.NewManagementClient(&http.Client{Transport: transport}, "http://culvert")
}

// A liveCase is one parameter of an object of a running daemon.
type liveCase struct {
	*testing.T
	client apiconnect.ManagementClient
	kind   *schema.Kind
	param  *schema.Param
}

// TestEveryParameterLives: every parameter of every object is created, modified,
// unset and shown in a running daemon, tunnels and sessions too. The values come from
// the schema; internal/config tests the wrong ones, and what is saved.
func TestEveryParameterLives(t *testing.T) {
	client := startDaemon(t)
	if _, err := client.Create(t.Context(), connect.NewRequest(&api.CreateRequest{Object: schema.Wrap(
		&api.Pool{PoolName: new("default"), Addresses: []string{"10.200.0.0/24"}})})); err != nil {
		t.Fatal(err)
	}
	for _, k := range schema.Kinds() {
		for _, p := range k.Params {
			if k.ReadOnly || p.Key || p.Action {
				continue
			}
			t.Run(strings.ReplaceAll(k.Words, " ", "_")+"/"+p.Name, func(t *testing.T) {
				c := &liveCase{T: t, client: client, kind: k, param: p}
				values := slices.DeleteFunc(schematest.Values(p), func(v string) bool {
					return slices.Contains(schematest.NotCreated[k.Words+" "+p.Name], v)
				})
				for i, v := range values {
					c.life(v, values[(i+1)%len(values)])
				}
			})
		}
	}
}

// around makes what the object lies in, and returns a key that names the object.
func (c *liveCase) around() proto.Message {
	c.Helper()
	switch m := c.kind.New().(type) {
	case *api.Session:
		c.create(&api.Tunnel{TunnelName: new("around"), DestIpaddr: new("127.0.0.1"),
			Parameters: &api.TunnelParameters{Persist: new(true)}})
		m.TunnelName, m.SessionName = new("around"), new("object")
		return m
	default:
		if !c.kind.Singleton {
			c.must(c.kind.Keys()[0][0].Set(m, "object"))
		}
		return m
	}
}

// lasting has a tunnel be there however its attempts end.
func lasting(m proto.Message) proto.Message {
	if t, ok := m.(*api.Tunnel); ok {
		t.DestIpaddr = new("localhost")
		t.Parameters = &api.TunnelParameters{Persist: new(true)}
	}
	return m
}

func (c *liveCase) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *liveCase) create(m proto.Message) {
	c.Helper()
	_, err := c.client.Create(c.Context(), connect.NewRequest(&api.CreateRequest{Object: schema.Wrap(m)}))
	c.must(err)
}

func (c *liveCase) modify(m proto.Message, unset ...string) error {
	_, err := c.client.Modify(c.Context(), connect.NewRequest(
		&api.ModifyRequest{Object: schema.Wrap(m), Unset: unset}))
	return err
}

func (c *liveCase) delete(key proto.Message) {
	c.Helper()
	_, err := c.client.Delete(c.Context(), connect.NewRequest(&api.DeleteRequest{Object: schema.Wrap(key)}))
	c.must(err)
}

// life leads an object with the parameter through all that can become of it.
func (c *liveCase) life(v, other string) {
	c.Helper()
	key := c.around()
	m := c.with(lasting(schematest.Needed(proto.Clone(key))), v)
	for setting := range strings.FieldsSeq(schematest.Companions[c.param.Name]) {
		name, value, _ := strings.Cut(setting, "=")
		c.must(c.kind.Param(name).Set(m, value))
	}
	if c.kind.Singleton {
		c.must(c.modify(m))
	} else {
		c.create(m)
	}
	c.shows(key, v)
	if changes := !c.kind.Live || !c.param.CreateOnly; changes {
		c.must(c.modify(c.with(proto.Clone(key), other)))
		c.shows(key, other)
	} else if c.modify(c.with(proto.Clone(key), other)) == nil {
		c.Error("it was modified, want that it cannot be")
	}
	c.unset(key)
	c.gone(key)
}

// with sets the parameter in m.
func (c *liveCase) with(m proto.Message, v string) proto.Message {
	c.Helper()
	c.must(c.param.Set(m, v))
	return m
}

func (c *liveCase) unset(key proto.Message) {
	c.Helper()
	if c.kind.Live && c.param.CreateOnly || c.param.Required {
		if c.modify(key, c.param.Name) == nil {
			c.Error("it was unset, want that it cannot be")
		}
		return
	}
	c.must(c.modify(key, c.param.Name))
	effective, origin := c.show(key)
	if origin == "given" {
		c.Error("it is given after it was unset")
	}
	if c.param.Default != "" {
		c.same(effective, c.param.Default)
	}
}

// gone takes away what the case has made.
func (c *liveCase) gone(key proto.Message) {
	c.Helper()
	switch key := key.(type) {
	case *api.System:
	case *api.Session:
		c.delete(&api.Tunnel{TunnelName: key.TunnelName})
	default:
		c.delete(key)
	}
}

// show returns what holds, and where the parameter comes from.
func (c *liveCase) show(key proto.Message) (effective proto.Message, origin string) {
	c.Helper()
	r, err := c.client.Show(c.Context(), connect.NewRequest(&api.ShowRequest{Object: schema.Wrap(key)}))
	c.must(err)
	return schema.Unwrap(r.Msg.GetEffective()), r.Msg.GetOrigins()[c.param.Name]
}

// shows looks whether the parameter is v, and given.
func (c *liveCase) shows(key proto.Message, v string) {
	c.Helper()
	effective, origin := c.show(key)
	c.same(effective, v)
	if origin != "given" {
		c.Errorf("after %s it comes from %q, want given", v, origin)
	}
}

func (c *liveCase) same(effective proto.Message, v string) {
	c.Helper()
	want := c.with(c.kind.New(), v)
	if c.param.Secret {
		schema.Mask(want)
	}
	got := c.param.Text(effective)
	if c.param.Format == api.Format_FORMAT_SPEED && got == v+":"+v {
		got = v // one number stands for both
	}
	if got != c.param.Text(want) {
		c.Errorf("%q is shown, want %q", got, c.param.Text(want))
	}
}
