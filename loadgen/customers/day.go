package customers

import (
	"fmt"
	"math"
	"time"
)

// Day is a pacer with the shape of a day: a Poisson process whose rate follows
// the hours, on a clock that may go faster than the real one.
//
//	          .-'-..__
//	         /        '.
//	   __.-''            '-.
//	..'                      '-._
//	0     6     12     18     24
type Day struct {
	// MeanPerS is the mean rate over a whole day, per real second.
	MeanPerS float64
	// From is the time of the day at which the load starts, since midnight.
	From time.Duration
	// Pace is how many seconds of the day pass in a real one.
	Pace float64
}

// hourPercent is how much of a day's payments fall into each hour.
//
// In the United Kingdom lunchtimes and afternoons, taken here as 11 to 18
// o'clock, hold about two thirds of what is spent face to face (Office for
// National Statistics, "International: consumer card spending, UK and abroad:
// 2019 to 2024"). That is all that is published; how these two thirds and the
// rest spread over their hours is our assumption, and so is that the journeys
// other than taps follow them.
var hourPercent = [24]float64{
	0.2, 0.1, 0.1, 0.1, 0.2, 0.5, 1.2, 2.6, 4.2, 4.8, 6.0, 8.2,
	10.8, 10.4, 9.4, 9.4, 9.4, 9.1, 5.2, 3.4, 2.1, 1.3, 0.8, 0.5,
}

const (
	hourS      = 3600.0
	dayHours   = len(hourPercent)
	dayS       = hourS * 24
	dayPaceMax = 1_000_000
)

// DayFrom is the day whose rate is perS at the time at which the load starts.
func DayFrom(perS float64, from time.Duration, pace float64) Day {
	d := Day{MeanPerS: 1, From: from, Pace: pace}
	d.MeanPerS = perS / d.Rate(0)
	return d
}

// shape is the rate in the middle of an hour, as a multiple of the mean. Between
// the middles it goes in straight lines, so that the mean over a day is 1.
func shape(hour int) float64 { return hourPercent[hour%dayHours] * (float64(dayHours) / 100) }

// stretch is the straight line that a time of the day lies on, that time being
// given in seconds since midnight: the shape at its ends, and how far it is from
// the first to the time.
func stretch(clockS float64) (hour int, sinceS float64) {
	// The middle of the last hour of the day before is half an hour before
	// midnight.
	s := math.Mod(clockS-hourS/2+dayS, dayS)
	hour = int(s / hourS)
	return hour, s - float64(float64(hour)*hourS)
}

// clockS is the time of the day at a time since the start; it may be beyond
// midnight.
func (d Day) clockS(at time.Duration) float64 {
	return d.From.Seconds() + float64(at.Seconds()*d.Pace)
}

// Rate implements loadgen.Pacer.
func (d Day) Rate(at time.Duration) float64 {
	hour, since := stretch(d.clockS(at))
	from, to := shape(hour), shape(hour+1)
	return d.MeanPerS * (from + float64((to-from)*(since/hourS)))
}

// Next uses an exponential draw up stretch by stretch, as pacer.Ramp does on its
// one.
func (d Day) Next(prev time.Duration, unit func() float64) time.Duration {
	e := unit()
	hour, since := stretch(d.clockS(prev))
	rate, passed := d.Rate(prev), 0.0
	for {
		left := (hourS - since) / d.Pace
		end := d.MeanPerS * shape(hour+1)
		if toEnd := float64((rate + end) / 2 * left); e >= toEnd {
			e, passed = e-toEnd, passed+left
			hour, since, rate = hour+1, 0, end
			continue
		}
		slope := (end - rate) / left
		passed += 2 * e / (rate + math.Sqrt(float64(rate*rate)+float64(2*slope*e)))
		return prev + time.Duration(math.Round(passed*float64(time.Second)))
	}
}

// Expected is how many arrivals come before a time, on average.
func (d Day) Expected(at time.Duration) float64 {
	return d.MeanPerS / d.Pace * (areaS(d.clockS(at)) - areaS(d.From.Seconds()))
}

// areaS is the area under the shape from midnight to a time of the day, in
// seconds.
func areaS(clockS float64) float64 {
	hour, since := stretch(clockS)
	sum := math.Floor((clockS-hourS/2)/dayS) * dayS
	for h := range hour {
		sum += (shape(h) + shape(h+1)) / 2 * hourS
	}
	from, to := shape(hour), shape(hour+1)
	return sum + since*from + (to-from)*since*since/(2*hourS)
}

// Validate implements loadgen.Validator.
func (d Day) Validate() error {
	switch {
	case !(d.MeanPerS > 0) || math.IsInf(d.MeanPerS, 0):
		return fmt.Errorf("day: the rate must be above 0 per second, not %v", d.MeanPerS)
	case !(d.Pace > 0) || d.Pace > dayPaceMax:
		return fmt.Errorf("day: a pace of %v: say more than 0, at most %d", d.Pace, dayPaceMax)
	case d.From < 0 || d.From >= 24*time.Hour:
		return fmt.Errorf("day: %v is no time of a day", d.From)
	}
	return nil
}
