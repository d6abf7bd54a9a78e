package sim

// slowBy is how much slower the slow instance is. (Issue: 10×.)
const slowBy = 10

// slowInstance is a neighbour that eats the machine, a disk that dies, a
// garbage collector at its limit: it works, at a tenth of its speed.
var slowInstance = Scenario{
	Name:    "slow-instance",
	About:   "one instance is 10 times slower from 12 s to 22 s",
	Watched: "the slow instance",
	Length:  length, Harm: harm, Over: over, From: harm, To: over,
	arrange: func(w *world) {
		one := w.anyOne()
		w.watch(one, len(w.instances))
		w.change(harm, one, func(in *instance) { in.slow = slowBy })
		w.change(over, one, func(in *instance) { in.slow = 1 })
	},
}
