package bank

import "fmt"

// Pounds writes an amount of pence as people read it: "£1,234.05", "-£0.07".
func Pounds(minor int64) string {
	sign, pence := "", uint64(minor)
	if minor < 0 {
		sign, pence = "-", -pence
	}
	whole := fmt.Sprint(pence / 100)
	for comma := len(whole) - 3; comma > 0; comma -= 3 {
		whole = whole[:comma] + "," + whole[comma:]
	}
	return fmt.Sprintf("%s£%s.%02d", sign, whole, pence%100)
}
