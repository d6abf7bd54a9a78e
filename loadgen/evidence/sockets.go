package evidence

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// descriptorsMax bounds how many open files of all processes are looked at.
const descriptorsMax = 500_000

// socket is one TCP socket of this machine. What listens has no peer.
type socket struct {
	local, peer netip.AddrPort
	listens     bool
	inode       string
}

type sockets []socket

// readSockets reads the TCP sockets of this network namespace.
func readSockets() (all sockets, ok bool) {
	for _, file := range []string{"/net/tcp", "/net/tcp6"} {
		text, err := os.ReadFile(procDir + file)
		if err != nil {
			continue // There need not be IPv6.
		}
		ok = true
		for line := range strings.Lines(string(text)) {
			if s, is := socketIn(line); is {
				all = append(all, s)
			}
		}
	}
	return all, ok
}

// socketIn reads a line of /proc/net/tcp or tcp6 (proc_net_tcp in the kernel's
// documentation): number, local and remote address, state, four more, inode.
func socketIn(line string) (s socket, ok bool) {
	const local, remote, state, inode = 1, 2, 3, 9
	const established, listen = "01", "0A"
	fields := strings.Fields(line)
	if len(fields) <= inode || fields[state] != established && fields[state] != listen {
		return socket{}, false
	}
	s = socket{listens: fields[state] == listen, inode: fields[inode]}
	var okLocal, okPeer bool
	s.local, okLocal = endpointIn(fields[local])
	s.peer, okPeer = endpointIn(fields[remote])
	return s, okLocal && okPeer
}

// endpointIn reads an address and a port in hex. The address is written as words
// of 32 bits of the machine's own byte order.
func endpointIn(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	number, err := strconv.ParseUint(port, 16, 16)
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok && err == nil
}

// listening is who listens at each of these targets, which are addresses of which
// one is enough; ok is false if at any target nobody is seen to.
func (all sockets) listening(targets [][]netip.AddrPort, owners map[string][]int) (roots [][]int, ok bool) {
	for _, addresses := range targets {
		var pids []int
		for i := range all {
			if s := &all[i]; s.listens && slices.ContainsFunc(addresses, s.isAt) {
				pids = append(pids, owners[s.inode]...)
			}
		}
		if len(pids) == 0 {
			return nil, false
		}
		roots = append(roots, pids)
	}
	return roots, true
}

// isAt says whether who connects to an address comes to this socket.
func (s *socket) isAt(at netip.AddrPort) bool {
	return s.local.Port() == at.Port() && (s.local.Addr() == at.Addr() || s.local.Addr().IsUnspecified())
}

// initPID is the first process, of which all others are descendants.
const initPID = 1

// reached are these processes, their descendants, and who has a connection with
// any of them within this machine, and so on. Descendants of the generator are
// left out: it starts none that are measured but those that listen.
func (all sockets) reached(roots [][]int, owners map[string][]int, processes map[int]process, self int) map[int]bool {
	children := childrenOf(processes)
	ends := map[[2]netip.AddrPort]string{}
	for i := range all {
		if s := &all[i]; !s.listens {
			ends[[2]netip.AddrPort{s.local, s.peer}] = s.inode
		}
	}
	peers := map[int][]int{}
	for way, inode := range ends {
		other, here := ends[[2]netip.AddrPort{way[1], way[0]}]
		if !here {
			continue
		}
		for _, pid := range owners[inode] {
			peers[pid] = append(peers[pid], owners[other]...)
		}
	}
	reached, ahead := map[int]bool{}, []int{}
	for _, pids := range roots {
		ahead = append(ahead, pids...)
	}
	for len(ahead) > 0 {
		pid := ahead[len(ahead)-1]
		ahead = ahead[:len(ahead)-1]
		if reached[pid] {
			continue
		}
		reached[pid] = true
		ahead = append(ahead, peers[pid]...)
		if pid != self && pid != initPID {
			ahead = append(ahead, children[pid]...)
		}
	}
	return reached
}

// ownersOf are the processes that hold each socket, by its inode. ok is false if
// there is too much to look through.
func ownersOf(processes map[int]process, all sockets) (owners map[string][]int, ok bool) {
	wanted := map[string]bool{}
	for i := range all {
		wanted[all[i].inode] = true
	}
	owners, seen := map[string][]int{}, 0
	for pid, p := range processes {
		if forwards[p.name] {
			continue // The measured is behind it, and cannot be seen.
		}
		path := procDir + "/" + strconv.Itoa(pid) + "/fd"
		dir, err := os.Open(path)
		if err != nil {
			continue // It has ended, or is another user's.
		}
		names, _ := dir.Readdirnames(-1) // what could be read
		dir.Close()
		if seen += len(names); seen > descriptorsMax {
			return nil, false
		}
		for _, name := range names {
			link, err := os.Readlink(path + "/" + name)
			if err != nil {
				continue
			}
			inode, is := strings.CutPrefix(link, "socket:[")
			if inode = strings.TrimSuffix(inode, "]"); is && wanted[inode] {
				owners[inode] = append(owners[inode], pid)
			}
		}
	}
	return owners, true
}

// forwards are programs that listen for a container, by their names as the kernel
// cuts them to 15 bytes. They hold a port, but what is measured has a network
// namespace of its own.
var forwards = map[string]bool{"docker-proxy": true, "rootlessport": true, "rootlesskit": true, "slirp4netns": true, "pasta": true, "kubectl": true}

// localAddresses are the addresses of each target that is on this machine.
func localAddresses(ctx context.Context, targets []string) (local [][]netip.AddrPort) {
	ours := map[netip.Addr]bool{}
	if addresses, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				ours[prefix.Addr().Unmap()] = true
			}
		}
	}
	for _, target := range targets {
		host, port, err := net.SplitHostPort(target)
		if err != nil {
			continue
		}
		number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
		if err != nil {
			continue
		}
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			continue
		}
		var here []netip.AddrPort
		for _, ip := range ips {
			if ip = ip.Unmap().WithZone(""); ip.IsLoopback() || ours[ip] {
				here = append(here, netip.AddrPortFrom(ip, uint16(number)))
			}
		}
		if len(here) > 0 {
			local = append(local, here)
		}
	}
	return local
}
