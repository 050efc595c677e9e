package l2tp

import (
	"bufio"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A tableRow is a row of a table of the RFC, its columns each joined to a line.
type tableRow struct{ states, event, action, next string }

// readTables reads the tables as the RFC prints them, by section number.
// Columns are where the dashes are; rows are set apart by blank lines.
func readTables(t *testing.T) map[string][]tableRow {
	t.Helper()
	f, err := os.Open("testdata/rfc2661-tables.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tables := map[string][]tableRow{}
	heading := regexp.MustCompile(`^(\d+\.\d+\.\d+) `)
	section, columns, fresh := "", []int(nil), true
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		switch m := heading.FindStringSubmatch(line); {
		case m != nil:
			section, columns = m[1], nil
		case strings.Contains(line, "-----"):
			columns = nil
			for _, x := range regexp.MustCompile(`-+`).FindAllStringIndex(line, -1) {
				columns = append(columns, x[0])
			}
			fresh = true
		case strings.TrimSpace(line) == "":
			fresh = true
		case columns != nil:
			if fresh {
				tables[section] = append(tables[section], tableRow{})
				fresh = false
			}
			rows := tables[section]
			rows[len(rows)-1].add(line, columns)
		}
	}
	return tables
}

func (r *tableRow) add(line string, columns []int) {
	for i, p := range []*string{&r.states, &r.event, &r.action, &r.next} {
		from, to := min(columns[i], len(line)), len(line)
		if i < 3 {
			to = min(columns[i+1], len(line))
		}
		*p = strings.TrimSpace(*p + " " + strings.TrimSpace(line[from:to]))
	}
}

var words = regexp.MustCompile(`[,\s]+`)

// receiveEvents reads "Receive SCCRQ, SCCRP" or "Receive SCCRP, not acceptable":
// the names of messages, and what is said of them.
func receiveEvents(event string) (messages []string, qualifier string, ok bool) {
	rest, ok := strings.CutPrefix(event, "Receive ")
	if !ok {
		return nil, "", false
	}
	rest = strings.ToLower(rest)
	for _, q := range []string{"not acceptable", "acceptable", "lose tie-breaker"} {
		if s, ok := strings.CutSuffix(rest, q); ok {
			rest, qualifier = s, q
			break
		}
	}
	return strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ' ' }), qualifier, true
}

// parseActions turns "Send CDN, Clean up" into the set that it names.
func parseActions[A ~uint8 | ~uint16](t *testing.T, text string, phrases map[string]A) (set A) {
	t.Helper()
	keys := make([]string, 0, len(phrases))
	for k := range phrases {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return len(b) - len(a) })
	for _, k := range keys {
		if strings.Contains(text, k) {
			set |= phrases[k]
			text = strings.ReplaceAll(text, k, "")
		}
	}
	if left := words.ReplaceAllString(text, ""); left != "" {
		t.Errorf("action %q is not understood", left)
	}
	return set
}

var connEventsOf = map[string][]connEvent{
	"sccrq": {connSCCRQ, connSCCRQBad}, "sccrp": {connSCCRP, connSCCRPBad},
	"scccn": {connSCCCN, connSCCCNBad}, "stopccn": {connStopCCN, connStopCCN},
}

func connEvents(t *testing.T, event string) (evs []connEvent) {
	t.Helper()
	messages, qualifier, ok := receiveEvents(event)
	if !ok {
		switch event {
		case "Local Open request", "Local Open request (new call)":
			return []connEvent{connLocalOpen}
		case "Admin Tunnel Close":
			return []connEvent{connAdminClose}
		}
		t.Fatalf("event %q is not understood", event)
	}
	for _, m := range messages {
		both := connEventsOf[m]
		switch qualifier {
		case "":
			evs = append(evs, both...)
		case "acceptable":
			evs = append(evs, both[0])
		case "not acceptable":
			evs = append(evs, both[1])
		case "lose tie-breaker":
			evs = append(evs, connLoseTie)
		}
	}
	return evs
}

var connPhrases = map[string]connActions{
	"Send SCCRQ": sendSCCRQ, "Send SCCRP": sendSCCRP, "Send SCCCN": sendSCCCN,
	"Send StopCCN": sendStopCCN, "Clean up": cleanUpTunnel,
	"Send tunnel-open event to waiting sessions": tunnelOpen,
	"Re-queue SCCRQ for idle state":              requeue,
}

// TestControlConnectionTable compares the table with section 7.2.1 cell by
// cell; cells without a row in the RFC must be empty.
func TestControlConnectionTable(t *testing.T) {
	var want [numConnStates][numConnEvents]connCell
	rows := readTables(t)["7.2.1"]
	if len(rows) != 16 {
		t.Errorf("%d rows were read, want 16", len(rows))
	}
	for _, r := range rows {
		do := parseActions(t, r.action, connPhrases)
		next := TunnelState(slices.Index(tunnelStateNames[:], r.next))
		for _, name := range words.Split(r.states, -1) {
			for _, ev := range connEvents(t, r.event) {
				want[slices.Index(tunnelStateNames[:], name)][ev] = connCell{do, next}
			}
		}
	}
	for s := range want {
		for ev := range want[s] {
			if got := connTable[s][ev]; got != want[s][ev] {
				t.Errorf("state %v, event %d: %+v, want %+v", TunnelState(s), ev, got, want[s][ev])
			}
		}
	}
}

var callEventsOf = map[string][]callEvent{
	"icrq": {callICRQ, callICRQBad}, "icrp": {callICRP, callICRPBad},
	"iccn": {callICCN, callICCNBad}, "ocrq": {callOCRQ, callOCRQBad},
	"ocrp": {callOCRP, callOCRPBad}, "occn": {callOCCN}, "cdn": {callCDN},
}

var localCallEvents = map[string]callEvent{
	"Bearer Ring or Ready to indicate incoming conn.": callLocalOpen,
	"Local open request":                              callLocalOpen,
	"tunnel-open":                                     callTunnelOpen,
	"Bearer line drop or local close request":         callLocalClose,
	"Local close request or Bearer line drop":         callLocalClose,
	"Bearer line drop, Local close request":           callLocalClose,
	"Local Close request":                             callLocalClose,
	"Bearer answer, framing detected":                 callBearerAnswer,
	"Bearer failure":                                  callBearerFailure,
}

func callEvents(t *testing.T, event string) (evs []callEvent) {
	t.Helper()
	messages, qualifier, ok := receiveEvents(event)
	if !ok {
		ev, ok := localCallEvents[event]
		if !ok {
			t.Fatalf("event %q is not understood", event)
		}
		return []callEvent{ev}
	}
	for _, m := range messages {
		switch both := callEventsOf[m]; qualifier {
		case "":
			evs = append(evs, both...)
		case "acceptable":
			evs = append(evs, both[0])
		case "not acceptable":
			evs = append(evs, both[1])
		}
	}
	return evs
}

var callPhrases = map[string]callActions{
	"Initiate local tunnel open": openTunnel, "Initiate local tunnel-open": openTunnel,
	"Send ICRQ": sendICRQ, "Send ICRP": sendICRP, "Send ICCN": sendICCN,
	"Send OCRQ": sendOCRQ, "Send OCRP": sendOCRP, "Send OCCN": sendOCCN,
	"Open bearer": openBearer, "Prepare for data": prepareForData, "none": nothing,
	"Send CDN": sendCDN, "Clean up": cleanUpCall,
}

// TestCallTables compares the four tables with sections 7.4.1 to 7.5.2.
func TestCallTables(t *testing.T) {
	sections := map[CallKind]struct {
		section string
		rows    int
	}{
		LACIncoming: {"7.4.1", 12}, LNSIncoming: {"7.4.2", 10},
		LACOutgoing: {"7.5.1", 10}, LNSOutgoing: {"7.5.2", 12},
	}
	tables := readTables(t)
	for kind, s := range sections {
		t.Run(s.section, func(t *testing.T) {
			rows := tables[s.section]
			if len(rows) != s.rows {
				t.Errorf("%d rows were read, want %d", len(rows), s.rows)
			}
			compareCallTable(t, &callTables[kind], rows)
		})
	}
}

func compareCallTable(t *testing.T, got *callTable, rows []tableRow) {
	t.Helper()
	var want callTable
	for _, r := range rows {
		do := parseActions(t, r.action, callPhrases)
		next := CallState(slices.Index(callStateNames[:], r.next))
		for _, name := range words.Split(r.states, -1) {
			for _, ev := range callEvents(t, r.event) {
				want[slices.Index(callStateNames[:], name)][ev] = callCell{do, next}
			}
		}
	}
	for s := range want {
		for ev := range want[s] {
			if got[s][ev] != want[s][ev] {
				t.Errorf("state %v, event %d: %+v, want %+v", CallState(s), ev, got[s][ev], want[s][ev])
			}
		}
	}
}
