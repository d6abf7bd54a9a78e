package sim

// failingInstance is one with a bad configuration, or without its database: it
// answers with an error, faster than others answer, so that it looks idle and
// quick to whoever looks at load and latency alone.
var failingInstance = Scenario{
	Name:    "fast-failing",
	About:   "one instance answers with errors, in a tenth of the time, from 12 s to 22 s",
	Watched: "the failing instance",
	Length:  length, Harm: harm, Over: over, From: harm, To: over,
	arrange: func(w *world) {
		one := w.anyOne()
		w.watch(one, len(w.instances))
		w.change(harm, one, func(in *instance) { in.failing = true })
		w.change(over, one, func(in *instance) { in.failing = false })
	},
}
