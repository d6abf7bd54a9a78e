package deploy

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// containerScheme is the runtime in the container IDs of instances. An
// instance is given its port when it starts, and a pod's status has no field
// for a port; but an instance is identified by its address, since no port is
// used twice. Writing the address as the ID makes a pod ready and reachable in
// one write.
const containerScheme = "instance://"

// ContainerID is the ID of the container, in a pod's status, whose instance
// listens at an address (host:port).
func ContainerID(address string) string { return containerScheme + address }

// addressOf returns where a pod's instance listens, if it says so.
// The host is an IP address, or a name where instances are on machines that
// have names.
func addressOf(pod *corev1.Pod) (host string, port int32, ok bool) {
	for _, container := range pod.Status.ContainerStatuses {
		address, ours := strings.CutPrefix(container.ContainerID, containerScheme)
		if !ours {
			continue
		}
		host, text, err := net.SplitHostPort(address)
		if err != nil {
			return "", 0, false
		}
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return "", 0, false
		}
		return host, int32(number), true
	}
	return "", 0, false
}
