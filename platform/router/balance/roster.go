package balance

// roster is what a strategy remembers of each endpoint of its service, by ID,
// in the order of the list that it was last shown. It notices joins by itself
// and leaves when told (Gone); an endpoint that is missing from one list is
// still a member.
type roster[T any] struct {
	byID map[string]*member[T]
	seen []*member[T] // in the order of the last list
	// version changes when somebody joins or leaves, order when the list is
	// another than the last: whoever builds a table of the members, or of the
	// list, builds it anew then, and only then.
	version, order int
}

// member is one endpoint.
type member[T any] struct {
	id    string
	index int // in the last list; -1 while missing from it
	know  T
}

// align returns what is known of each endpoint, in their order. It costs a
// comparison an endpoint as long as the list is the same, and allocates only
// for newcomers.
func (r *roster[T]) align(endpoints []Endpoint) []*member[T] {
	if r.isLast(endpoints) {
		return r.seen
	}
	if r.byID == nil {
		r.byID = make(map[string]*member[T], len(endpoints))
	}
	r.order++
	r.unsee()
	for i := range endpoints {
		m := r.byID[endpoints[i].ID]
		if m == nil {
			m = &member[T]{id: endpoints[i].ID}
			r.byID[m.id] = m
			r.version++
		}
		m.index = i
		r.seen = append(r.seen, m)
	}
	return r.seen
}

func (r *roster[T]) isLast(endpoints []Endpoint) bool {
	if len(r.seen) != len(endpoints) || r.byID == nil {
		return false
	}
	for i, m := range r.seen {
		if m.id != endpoints[i].ID {
			return false
		}
	}
	return true
}

// get returns the member of that ID, nil if there is none.
func (r *roster[T]) get(id string) *member[T] { return r.byID[id] }

// forget removes a member that has left the service.
func (r *roster[T]) forget(id string) {
	m := r.byID[id]
	if m == nil {
		return
	}
	delete(r.byID, id)
	r.version++
	r.unsee()
}

// unsee forgets the last list, so that the next one is looked at afresh.
func (r *roster[T]) unsee() {
	for _, m := range r.seen {
		m.index = -1
	}
	clear(r.seen) // whoever has left is not kept alive
	r.seen = r.seen[:0]
}
