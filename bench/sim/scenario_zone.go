package sim

import "time"

// removedAfter is when discovery takes the lost zone out of the routers'
// tables. (Ours: between what a lease of 10 s allows and what a watch of
// terminations does.)
const removedAfter = 5 * time.Second

// zoneLoss takes a third of the instances away without a word: what is under
// way there is never answered, and no connection to them comes about. The rest
// carry half as much again, for good.
var zoneLoss = Scenario{
	Name:    "zone-loss",
	About:   "a third of the instances vanish at 12 s; the routers learn of it 5 s later",
	Watched: "the lost third",
	Length:  length, Harm: harm, From: harm, To: over,
	arrange: func(w *world) {
		offset := w.chance.IntN(len(zones))
		var lost []*instance
		for i, in := range w.instances {
			if i%len(zones) == offset {
				lost = append(lost, in)
			}
		}
		w.watch(lost, len(w.instances))
		w.change(harm, lost, w.vanish)
		w.everyRouter(harm+removedAfter, func(r *router) { r.removeGone(w.instances) })
	},
}
