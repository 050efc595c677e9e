package management_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/event"
	"culvert/test/lab"
)

// TestExamplesOfTheManual runs the examples of docs/api.md that use the socket, as
// they stand there, with the real curl.
func TestExamplesOfTheManual(t *testing.T) {
	lab.RequireProgram(t, "curl")
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, srv, _, socket := startAt(t)
	srv.Events = event.NewLog(16)
	srv.Events.Publish(&api.Event{Type: api.EventType_EVENT_TYPE_TUNNEL_UP, TunnelName: "office"})
	wants := map[string]string{ // in what the example with the first says
		"/Create":  `"user_name":"alice"`,
		"/Show":    `"system":`,
		"/List":    `{}`,
		"/Version": `"version":"v"`,
		"/Modify":  `"code":"invalid_argument"`,
		"/events":  `"tunnel_name":"office"`,
	}
	for _, block := range strings.Split(string(text), "```sh\n")[1:] {
		command, _, _ := strings.Cut(block, "```")
		if !strings.Contains(command, api.DefaultSocket) {
			continue // over TLS, which needs certificates
		}
		command = strings.ReplaceAll(command, api.DefaultSocket, socket)
		out, err := exec.Command("sh", "-ec", strings.Replace(command, "curl ", "curl -s ", 1)).Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
		if !json.Valid(out) {
			t.Errorf("%s: not JSON: %s", command, out)
		}
		for method, want := range wants {
			if !strings.Contains(command, "culvert"+method) && !strings.Contains(command, "Management"+method) {
				continue
			}
			delete(wants, method)
			if got := strings.ReplaceAll(string(out), " ", ""); !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s in it", command, got, want)
			}
		}
	}
	for method := range wants {
		t.Errorf("docs/api.md has no example of %s", method)
	}
}
