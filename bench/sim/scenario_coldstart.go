package sim

// joinersShare is how many more join, for those there are.
const joinersShare = 10

// coldStart lets newcomers be cold, slow at first, which to a strategy without
// a history of them look as idle as any.
var coldStart = Scenario{
	Name:    "cold-start",
	About:   "all instances join cold at once; at 12 s 10 % more join, cold as well",
	Watched: "the 10 % that join",
	Length:  length, Harm: harm, Over: harm + coldFor,
	From: harm, To: harm + coldFor,
	Cold: true,
	arrange: func(w *world) {
		before := w.model.Endpoints
		more := max(1, before/joinersShare)
		w.script.add(harm, func() { w.watch(w.start(more, true), before+more) })
		w.everyRouter(harm, func(r *router) { r.add(w.instances, before) })
	},
}
