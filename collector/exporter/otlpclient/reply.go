package otlpclient

import (
	"encoding/binary"
	"errors"
)

// PartialSuccess reads field 1 of an OTLP response: a message with 1 = rejected records, 2 = why. The same for all signals.
func PartialSuccess(reply []byte) (rejected int, why error) {
	message := ""
	_ = Fields(reply, func(number, _ uint64, partial []byte) {
		if number != 1 {
			return
		}
		_ = Fields(partial, func(number, value uint64, text []byte) {
			switch number {
			case 1:
				rejected = int(min(value, 1<<31))
			case 2:
				message = string(text)
			}
		})
	})
	return rejected, asError(message)
}

func asError(message string) error {
	if message == "" {
		return nil
	}
	return errors.New(message)
}

var errWire = errors.New("not a protobuf message")

// Fields calls do for every field of a protobuf message, with its number and its value (varint) or bytes.
func Fields(message []byte, do func(number, value uint64, bytes []byte)) error {
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 {
			return errWire
		}
		message = message[n:]
		switch key & 7 {
		case 0:
			value, n := binary.Uvarint(message)
			if n <= 0 {
				return errWire
			}
			do(key>>3, value, nil)
			message = message[n:]
		case 2:
			size, n := binary.Uvarint(message)
			if n <= 0 || size > uint64(len(message)-n) {
				return errWire
			}
			do(key>>3, 0, message[n:n+int(size)])
			message = message[n+int(size):]
		case 1, 5:
			size := 8 - int(key&4) // fixed64 or fixed32
			if len(message) < size {
				return errWire
			}
			message = message[size:]
		default:
			return errWire
		}
	}
	return nil
}
