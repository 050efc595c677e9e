package management

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
	"culvert/internal/config"
	"culvert/test/lab"
)

// somebody is a caller with a fixed role.
type somebody Role

func (c somebody) identity(config.System) Identity { return Identity{Name: "somebody", Role: Role(c)} }
func (somebody) refusal(config.System) string      { return "you are nobody" }
func (somebody) admins(config.System) string       { return "an admin" }

// as has a server's handler asked by a caller.
func as(s *Server, c caller) http.Handler {
	h := s.handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// post makes a request with a JSON body and returns the status, and the code and message of an
// error.
func post(t *testing.T, h http.Handler, method, contentType, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("POST", "/culvert.v1.Management/"+method, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// readersRPCs are what the comment of the service promises to those who may only look.
var readersRPCs = map[string]string{
	"Version": `{}`, "Show": `{}`, "List": `{}`, "Save": `{"mask_secrets":true}`,
	"GetRevision": `{"mask_secrets":true}`, "CheckConfig": `{}`, "ListRevisions": `{}`,
	"Watch": `{}`, "Trace": `{}`,
}

// TestRolesOfEveryMethod: who may only look is refused every method that the service
// has, but for those that its comment lists; who has no role is refused all.
func TestRolesOfEveryMethod(t *testing.T) {
	s := &Server{Store: config.NewStore("machine")}
	methods := api.File_culvert_v1_management_proto.Services().ByName("Management").Methods()
	if methods.Len() < 18 {
		t.Fatalf("the service has %d methods: the test is wrong", methods.Len())
	}
	for i := range methods.Len() {
		m := methods.Get(i)
		body, looks := readersRPCs[string(m.Name())]
		if !looks {
			body = `{}`
		}
		if m.Name() == "Watch" {
			body = `{"no_follow":true}`
		}
		for role, want := range map[Role]bool{NoRole: false, Reader: looks, Admin: true} {
			if admitted(t, as(s, somebody(role)), m, body) != want {
				t.Errorf("%s by %v: admitted is %v, want %v", m.Name(), role, !want, want)
			}
		}
	}
	for _, method := range []string{"Save", "GetRevision"} {
		_, answer := post(t, as(s, somebody(Reader)), method, "application/json", `{}`)
		if !strings.Contains(answer, "permission_denied") || !strings.Contains(answer, "mask_secrets") {
			t.Errorf("%s with secrets by a reader: %s", method, answer)
		}
	}
}

// admitted tells whether a request was not refused for the role of who made it; it may well
// fail otherwise.
func admitted(t *testing.T, h http.Handler, m protoreflect.MethodDescriptor, body string) bool {
	t.Helper()
	contentType := "application/json"
	if m.IsStreamingServer() {
		contentType = "application/connect+json"
		body = string([]byte{0, 0, 0, 0, byte(len(body))}) + body
	}
	_, answer := post(t, h, string(m.Name()), contentType, body)
	return !strings.Contains(answer, "permission_denied")
}

// unread is the body of a request that must not be looked at.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a request was read")
	return 0, io.EOF
}

// TestRefusedBeforeItIsRead: what strangers send takes no memory, in whichever protocol.
func TestRefusedBeforeItIsRead(t *testing.T) {
	s := &Server{Store: config.NewStore("machine")}
	for method, role := range map[string]Role{"Show": NoRole, "LoadConfig": Reader, "Watch": NoRole} {
		for _, contentType := range []string{"application/json", "application/connect+json",
			"application/grpc", "application/grpc-web+proto", "text/plain"} {
			r := httptest.NewRequest("POST", "/culvert.v1.Management/"+method, unread{t})
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			as(s, somebody(role)).ServeHTTP(w, r)
			answer := fmt.Sprint(w.Result().Trailer, w.Header(), w.Body)
			if !strings.Contains(answer, "you are nobody") && !strings.Contains(answer, "may only look") {
				t.Errorf("%s as %s by %v: %s", method, contentType, role, answer)
			}
		}
	}
}

func TestErrorsInJSON(t *testing.T) {
	s := &Server{Store: config.NewStore("machine"), Backend: stub{}}
	h := as(s, somebody(Admin))
	for _, c := range []struct{ method, body, code, part string }{
		{"Show", `{"object":{"tunel":{}}}`, "invalid_argument", `unknown field "tunel"`},
		{"Modify", `{"object":{"system":{"max_tunels":3}}}`, "invalid_argument", "max_tunels"},
		{"Modify", `{"object":{"system":{"max_tunnels":70000}}}`, "invalid_argument", "65535"},
		{"Modify", `{"object"`, "invalid_argument", "unexpected EOF"},
		{"Modify", ``, "invalid_argument", "empty"},
		{"Show", `{}`, "invalid_argument", "expected an object"},
		{"Show", `{"object":{"user":{"user_name":"eve"}}}`, "not_found", "eve"},
	} {
		status, answer := post(t, h, c.method, "application/json", c.body)
		var e struct{ Code, Message string }
		if err := json.Unmarshal([]byte(answer), &e); err != nil {
			t.Fatalf("%s %s: %q: %v", c.method, c.body, answer, err)
		}
		if status < 400 || e.Code != c.code || !strings.Contains(e.Message, c.part) {
			t.Errorf("%s %s: %d %+v, want %s with %q", c.method, c.body, status, e, c.code, c.part)
		}
	}
	if _, answer := post(t, h, "Nothing", "application/json", `{}`); !strings.Contains(answer, "no such") {
		t.Errorf("a method that does not exist: %s", answer)
	}
}

// TestNames: the name in a certificate decides, and nothing but it.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		names []string
		list  []string
		want  bool
	}{
		{[]string{"ops"}, []string{"ops"}, true},
		{[]string{"x", "ops"}, []string{"dev", "ops"}, true},
		{[]string{"ops.example"}, []string{"ops"}, false},
		{[]string{"any"}, []string{"*"}, true},
		{[]string{""}, []string{"*"}, true},
		{[]string{""}, []string{"ops"}, false},
		{[]string{""}, []string{""}, false},
		{[]string{"*"}, []string{"ops"}, false},
		{[]string{"ops"}, nil, false},
	} {
		if got := lists(c.list, c.names); got != c.want {
			t.Errorf("lists(%q, %q) = %v, want %v", c.list, c.names, got, c.want)
		}
	}
	if names := namesOf(&x509.Certificate{}); len(names) != 1 || names[0] != "" {
		t.Errorf("a certificate without names has %q", names)
	}
}

// The groups of these tests are of every Debian. 60 is games, 100 users, 65534 nobody's.
const groupsConfig = "system modify api_group=games api_readers_group=users\n"

// TestUsersOfTheSocket: who asks is seen by the kernel's word on the process, and told
// why if refused.
func TestUsersOfTheSocket(t *testing.T) {
	if path := os.Getenv("CULVERT_TEST_ASK"); path != "" {
		askBySocket(path)
		return
	}
	lab.RequireRoot(t)
	s, path := serveSocket(t, groupsConfig)
	for _, c := range []struct {
		name          string
		uid           uint32
		groups        []uint32
		looks, alters bool
		message       string
	}{
		{"root", 0, nil, true, true, ""},
		{"nobody", 65534, nil, false, false, "user nobody may not use the daemon's socket: expected root " +
			"or a member of group games, or of group users to look"},
		{"a reader", 65534, []uint32{7, 100}, true, false, "expected root or a member of group games"},
		{"an admin", 65534, []uint32{60}, true, true, ""},
		{"an unknown user", 54321, nil, false, false, "user uid 54321 may not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			looks, alters := askAs(t, path, c.uid, c.groups)
			if strings.Contains(looks, "permission_denied") == c.looks {
				t.Errorf("looking: %s", looks)
			}
			if strings.Contains(alters, "permission_denied") == c.alters || !strings.Contains(alters, c.message) {
				t.Errorf("altering: %s, want %q in it", alters, c.message)
			}
		})
	}
	// Groups that are changed at run time count from then on.
	if err := s.Store.Load("x", []byte("system modify api_group=users api_readers_group=games")); err != nil {
		t.Fatal(err)
	}
	if _, alters := askAs(t, path, 65534, []uint32{100}); strings.Contains(alters, "permission_denied") {
		t.Errorf("after the change of groups: %s", alters)
	}
}

// askBySocket is another process: it looks, and alters.
func askBySocket(path string) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", path)
		}}}
	for _, ask := range [][2]string{
		{"List", `{"filter":{"system":{}}}`},
		{"Modify", `{"object":{"system":{"max_sessions":7}}}`},
	} {
		res, err := client.Post("http://x/culvert.v1.Management/"+ask[0], "application/json",
			strings.NewReader(ask[1]))
		if err != nil {
			fmt.Println("!", err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		fmt.Println("!", string(body))
	}
}

// askAs runs askBySocket as another user and returns its two answers.
func askAs(t *testing.T, path string, uid uint32, groups []uint32) (looks, alters string) {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3", "-test.run", "^TestUsersOfTheSocket$")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Env, cmd.Dir = append(os.Environ(), "CULVERT_TEST_ASK="+path), "/"
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: uid, Gid: 65534, Groups: groups}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var answers []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if answer, ok := strings.CutPrefix(line, "! "); ok {
			answers = append(answers, answer)
		}
	}
	if len(answers) != 2 {
		t.Fatalf("answers are %q", answers)
	}
	return answers[0], answers[1]
}

// serveSocket serves on a socket that everybody can reach until the test ends.
func serveSocket(t *testing.T, text string) (*Server, string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "culvert")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, text)
	serve(t, s, l)
	return s, path
}

// serve serves until the test ends.
func serve(t *testing.T, s *Server, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, s) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
