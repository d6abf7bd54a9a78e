package sim

// mix is the capacities, by turns, and their mean is that of ordinary
// instances: the service as a whole can do as much as in other scenarios.
var mix = [...]float64{1.0 / mixMean, 2.0 / mixMean, 4.0 / mixMean}

const mixMean = (1 + 2 + 4) / 3.0

// capacityMix is a fleet of old and new machines. No router is told: weights
// would make it easy for all.
var capacityMix = Scenario{
	Name:    "capacity-mix",
	About:   "instances have capacities 1 : 2 : 4, and no router is told",
	Watched: "the smallest third, for whom 0.43 of an equal share is right",
	Length:  length, From: harm, To: length,
	arrange: func(w *world) {
		var small []*instance
		for i, in := range w.instances {
			// Not by zone: i % 3 is that already.
			size := i / len(zones) % len(mix)
			in.capacity = mix[size]
			if size == 0 {
				small = append(small, in)
			}
		}
		w.watch(small, len(w.instances))
		w.routers[0].tell(w.instances)
	},
}
