package node

import (
	"strings"
	"testing"
)

// What instances log in processes of their own is found through their node.
func TestLogsOfProcessesAreSearched(t *testing.T) {
	t.Parallel()
	m := newMachineRoomWith(t, 1, withProcesses(t), "a2", "b2")
	m.deploy("ledger", "v1", "a2", "b2")
	i := m.instanceOf("a2", "")
	agent := m.agents["a2"]
	found := agent.SearchLogs("led", "greets whoever connects")
	if found.GetFound() != 1 || found.GetLogs() != 1 || found.GetFirstLog() != "ledger" || !strings.Contains(found.GetFirst(), i.Name) {
		t.Errorf("found %v", found)
	}
	if found := agent.SearchLogs("feed", "greets"); found.GetFound() != 0 || found.GetLogs() != 0 {
		t.Errorf("in the logs of another service: %v", found)
	}
	agent.Close()
	if found := agent.SearchLogs("", "greets"); found.GetLogs() != 0 {
		t.Errorf("closed, it finds %v", found)
	}
}
