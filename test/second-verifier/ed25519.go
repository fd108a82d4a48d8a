package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"math/big"
)

// The field of 2^255 - 19, and d of the curve -x^2 + y^2 = 1 + d x^2 y^2.
var (
	one       = big.NewInt(1)
	prime     = new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	constantD = field(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), prime)))
)

func field(value *big.Int) *big.Int {
	return value.Mod(value, prime)
}

func mul(factors ...*big.Int) *big.Int {
	product := big.NewInt(1)
	for _, factor := range factors {
		field(product.Mul(product, factor))
	}
	return product
}

// decodeBase64 takes padded base64 without white space and with zero spare bits; nil for anything else.
func decodeBase64(text string) []byte {
	decoded, err := base64.StdEncoding.DecodeString(text)
	// Go passes over line feeds and spare bits, so the way back decides.
	if err != nil || base64.StdEncoding.EncodeToString(decoded) != text {
		return nil
	}
	return decoded
}

// isStrongKey tells whether 32 bytes are canonically encoded and not of small order. What is no point at all is not
// refused here: nothing verifies with it.
func isStrongKey(key []byte) bool {
	if len(key) != ed25519.PublicKeySize {
		return false
	}
	y := littleEndian(key)
	y.SetBit(y, 255, 0)
	if y.Cmp(prime) >= 0 {
		return false
	}
	yy := mul(y, y)
	// x^2 = (y^2 - 1) / (d y^2 + 1)
	divisor := field(new(big.Int).Add(mul(constantD, yy), one))
	square := mul(field(new(big.Int).Sub(yy, one)), new(big.Int).ModInverse(divisor, prime))
	x := new(big.Int).ModSqrt(square, prime)
	if x == nil {
		return true
	}
	for i := 0; i < 3; i++ {
		x, y = double(x, y)
	}
	return !(x.Sign() == 0 && y.Cmp(one) == 0)
}

// double adds a point to itself by the addition law of RFC 8032.
func double(x, y *big.Int) (*big.Int, *big.Int) {
	t := mul(constantD, x, x, y, y)
	plus := new(big.Int).ModInverse(field(new(big.Int).Add(one, t)), prime)
	minus := new(big.Int).ModInverse(field(new(big.Int).Sub(one, t)), prime)
	xy := mul(x, y)
	sum := field(new(big.Int).Add(mul(y, y), mul(x, x)))
	return mul(field(new(big.Int).Add(xy, xy)), plus), mul(sum, minus)
}

func littleEndian(bytes []byte) *big.Int {
	reversed := make([]byte, len(bytes))
	for i, b := range bytes {
		reversed[len(bytes)-1-i] = b
	}
	return new(big.Int).SetBytes(reversed)
}

// isValidSignature: crypto/ed25519 uses the equation without cofactor, compares R as bytes and refuses S >= L.
func isValidSignature(key, message, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(ed25519.PublicKey(key), message, signature)
}
