package shell

import (
	"context"
	"io"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// do sends an operation on an object and prints the answer.
func (s *Shell) do(ctx context.Context, c schema.Command) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	object := schema.Wrap(c.Object)
	switch c.Op {
	case schema.Create:
		r, err := client.Create(ctx, connect.NewRequest(&api.CreateRequest{Object: object}))
		if err != nil {
			return explain(s.Server, err)
		}
		return s.changed("created", r.Msg.GetObject())
	case schema.Modify, schema.Unset:
		r, err := client.Modify(ctx, connect.NewRequest(
			&api.ModifyRequest{Object: object, Unset: c.Unset}))
		if err != nil {
			return explain(s.Server, err)
		}
		return s.changed("modified", r.Msg.GetObject())
	case schema.Delete:
		return s.remove(ctx, c)
	case schema.Show:
		return s.showOne(ctx, c)
	}
	return s.list(ctx, c)
}

// changed confirms a change, after which what was looked up may be wrong.
func (s *Shell) changed(done string, o *api.Object) error {
	s.values.forget()
	return s.confirm(done, o)
}

func (s *Shell) remove(ctx context.Context, c schema.Command) error {
	if err := s.askBeforeDelete(ctx, c.Object); err != nil {
		return err
	}
	r, err := s.client.Delete(ctx, connect.NewRequest(
		&api.DeleteRequest{Object: schema.Wrap(c.Object), Reason: c.Reason}))
	if err != nil {
		return explain(s.Server, err)
	}
	return s.changed("deleted", r.Msg.GetObject())
}

func (s *Shell) showOne(ctx context.Context, c schema.Command) error {
	if slices.Contains(c.Flags, "version") {
		return s.showVersion(ctx)
	}
	r, err := s.ask(ctx, c.Object)
	if err != nil {
		return err
	}
	part := ""
	if len(c.Flags) > 0 {
		part = c.Flags[0]
	}
	return s.showPart(r, part)
}

// ask asks for one object.
func (s *Shell) ask(ctx context.Context, m proto.Message) (*api.ShowResponse, error) {
	client, err := s.daemon()
	if err != nil {
		return nil, err
	}
	r, err := client.Show(ctx, connect.NewRequest(&api.ShowRequest{Object: schema.Wrap(m)}))
	if err != nil {
		return nil, explain(s.Server, err)
	}
	return r.Msg, nil
}

// list asks for page after page and prints each as it comes.
func (s *Shell) list(ctx context.Context, c schema.Command) error {
	out := s.listing(c.Kind)
	page := out.page
	if slices.Contains(c.Flags, "names") && s.format == "table" {
		page = s.printNames
	}
	err := s.each(ctx, c.Object, func(objects []proto.Message) error {
		return page(slices.DeleteFunc(objects, func(m proto.Message) bool {
			return !agrees(m, c.Flags)
		}))
	})
	if err != nil {
		return err
	}
	return out.end()
}

// printNames prints tunnels and sessions as they can be typed, one a line.
func (s *Shell) printNames(objects []proto.Message) error {
	for _, m := range objects {
		name := schema.KindOf(m).Name(m)
		switch m := m.(type) {
		case *api.Tunnel:
			name = tunnelName(m)
		case *api.Session:
			name = sessionName(m)
		}
		if _, err := io.WriteString(s.out, printable(name)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// agrees reports whether the flags of a listing leave an object in it.
func agrees(m proto.Message, flags []string) bool {
	var byPeer bool
	switch m := m.(type) {
	case *api.Tunnel:
		byPeer = m.GetStatus().GetCreatedByPeer()
	case *api.Session:
		byPeer = m.GetStatus().GetCreatedByPeer()
	}
	if byPeer {
		return !slices.Contains(flags, "local_only")
	}
	return !slices.Contains(flags, "remote_only")
}

// each gives f all objects that agree with filter, page by page.
func (s *Shell) each(
	ctx context.Context, filter proto.Message, f func([]proto.Message) error,
) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	req := &api.ListRequest{Filter: schema.Wrap(filter), PageSize: pageSize}
	for {
		r, err := client.List(ctx, connect.NewRequest(req))
		if err != nil {
			return explain(s.Server, err)
		}
		objects := make([]proto.Message, 0, len(r.Msg.GetObjects()))
		for _, o := range r.Msg.GetObjects() {
			objects = append(objects, schema.Unwrap(o))
		}
		if err := f(objects); err != nil {
			return err
		}
		if req.PageToken = r.Msg.GetNextPageToken(); req.PageToken == "" {
			return nil
		}
	}
}

// spoken carries out an operation as operators say it: "show tunnel" lists,
// "show tunnel office 5" shows both, "delete session office/5" deletes one.
func (s *Shell) spoken(ctx context.Context, n *node, rest []schema.Word, at schema.Position) error {
	var names []string
	rest = slices.DeleteFunc(slices.Clone(rest), func(w schema.Word) bool {
		if w.HasValue || isFlag(n, w.Name) {
			return false
		}
		names = append(names, w.Name)
		return true
	})
	switch {
	case n.op == schema.Unset || n.kind.Singleton:
		for _, name := range names {
			rest = append(rest, schema.Word{Position: at, ValueAt: at, Name: name})
		}
	case len(names) == 1 && names[0] == "all" && n.op == schema.Show,
		len(names) == 0 && len(rest) == 0 && n.op == schema.Show:
		return s.parseAndDo(ctx, n.kind, schema.List, nil, at)
	}
	if len(names) == 0 || n.op == schema.Unset || n.kind.Singleton {
		return s.parseAndDo(ctx, n.kind, n.op, rest, at)
	}
	for _, name := range names {
		keys, err := s.keys(ctx, n.kind, name, at)
		if err != nil {
			return err
		}
		if err := s.parseAndDo(ctx, n.kind, n.op, append(keys, rest...), at); err != nil {
			return err
		}
	}
	return nil
}

func isFlag(n *node, word string) bool {
	return slices.ContainsFunc(n.kind.FlagsOf(n.op), func(f schema.Flag) bool { return f.Word == word })
}

// keys makes of a name as operators say it the parameters that name an object.
func (s *Shell) keys(
	ctx context.Context, k *schema.Kind, name string, at schema.Position,
) ([]schema.Word, error) {
	groups := k.Keys()
	parts := []string{name}
	if len(groups) == 2 {
		tunnel, session, ok := strings.Cut(name, "/")
		if !ok {
			m, err := s.theSession(ctx, name)
			if err != nil {
				return nil, err
			}
			return []schema.Word{number("tunnel_id", m.GetTunnelId(), at),
				number("session_id", m.GetSessionId(), at)}, nil
		}
		parts = []string{tunnel, session}
	}
	var words []schema.Word
	for i, part := range parts {
		words = append(words, schema.Word{
			Position: at, ValueAt: at, Name: keyFor(k, groups[i], part).Name, Value: part, HasValue: true})
	}
	return words, nil
}

// keyFor chooses the key of a group that can have the value: of a name and an
// ID, the ID if it is a number.
func keyFor(k *schema.Kind, group []*schema.Param, value string) *schema.Param {
	if strings.Trim(value, "0123456789") == "" {
		for _, p := range slices.Backward(group) {
			if p.Set(k.New(), value) == nil {
				return p
			}
		}
	}
	return group[0]
}
