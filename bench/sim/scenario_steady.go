package sim

// steady is the control: what a strategy does when nothing happens.
var steady = Scenario{
	Name:    "steady",
	About:   "nothing happens: the control",
	Watched: "an instance like all others",
	Length:  length, From: harm, To: length,
	arrange: func(w *world) {
		w.watch(w.anyOne(), len(w.instances))
	},
}
