package bank

import (
	"fmt"
	"strconv"
	"strings"

	bankv1 "breakbank/proto/bank/v1"
)

// Issuer identification numbers (BINs): the first six digits of a card number
// say which processor decides.
const (
	CurrentBIN = "535522"
	PrepaidBIN = "535521"
)

const (
	cardDigits      = 16 // ISO/IEC 7812: BIN, account identifier, check digit
	cardIndexDigits = 9
)

// CardNumber is the number of customer i's current-account card.
func CardNumber(i int) string { return cardNumber(CurrentBIN, i) }

// PrepaidNumber is the number of customer i's prepaid card.
func PrepaidNumber(i int) string { return cardNumber(PrepaidBIN, i) }

func cardNumber(bin string, i int) string {
	payload := fmt.Sprintf("%s%0*d", bin, cardIndexDigits, i)
	return payload + strconv.Itoa(luhnDigit(payload))
}

// ParseCard says whose card a number is and whether it is a prepaid one. The
// error is of kind NotFound: wrong length, a digit mistyped, or not our BIN.
// The index may be beyond the seeded customers: whether the card exists is for
// the processor to say.
func ParseCard(number string) (i int, prepaid bool, err error) {
	if len(number) != cardDigits || strings.Trim(number, "0123456789") != "" {
		return 0, false, Errorf(NotFound, "card number is not %d digits", cardDigits)
	}
	payload, check := number[:cardDigits-1], int(number[cardDigits-1]-'0')
	if luhnDigit(payload) != check {
		return 0, false, Errorf(NotFound, "card number %s fails its check digit", MaskCard(number))
	}
	bin, rest := payload[:len(CurrentBIN)], payload[len(CurrentBIN):]
	if bin != CurrentBIN && bin != PrepaidBIN {
		return 0, false, Errorf(NotFound, "card number %s is of another bank", MaskCard(number))
	}
	i, err = strconv.Atoi(rest)
	if err != nil {
		return 0, false, Errorf(NotFound, "card number %s: %w", MaskCard(number), err)
	}
	return i, bin == PrepaidBIN, nil
}

// MaskCard keeps the BIN and the last four digits, which is all that may be
// shown or logged (PCI DSS, requirement 3.4).
func MaskCard(number string) string {
	const first, last = 6, 4
	if len(number) <= first+last {
		return strings.Repeat("*", len(number))
	}
	return number[:first] + strings.Repeat("*", len(number)-first-last) + number[len(number)-last:]
}

// luhnDigit is the check digit for a payload of decimal digits (ISO/IEC 7812-1,
// annex B): from the right, every second digit starting with the last is
// doubled and its digits are added.
func luhnDigit(payload string) int {
	sum := 0
	for pos := range len(payload) {
		d := int(payload[len(payload)-1-pos] - '0')
		if pos%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return (10 - sum%10) % 10
}

// CardStateProto is a state of the book as the services say it. Accounts
// without a state are active.
func CardStateProto(state string) bankv1.CardState {
	switch state {
	case StateFrozen:
		return bankv1.CardState_CARD_STATE_FROZEN
	case StateExpired:
		return bankv1.CardState_CARD_STATE_EXPIRED
	default:
		return bankv1.CardState_CARD_STATE_ACTIVE
	}
}
