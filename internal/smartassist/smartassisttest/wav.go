package smartassisttest

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

const (
	sampleRate = 8000 // Hz, as telephones have it
	wavHeader  = 44   // bytes
)

// wav is a file of a few seconds with a gentle melody that depends on a name alone: PCM, 16 bits, mono.
func wav(name string) []byte {
	const (
		noteLen = sampleRate / 4 // samples: a quarter of a second
		loudest = 6000           // of 32,767: gentle
	)
	sum := sha256.Sum256([]byte(name))
	scale := [...]float64{0, 2, 4, 7, 9, 12} // semitones: pentatonic, so that any order sounds well
	notes := 8 + int(sum[0]%9)               // 2 to 4 seconds
	size := notes * noteLen * 2
	b := make([]byte, 0, wavHeader+size)
	le := binary.LittleEndian
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(wavHeader-8+size)) // #nosec G115 -- some seconds
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)           // size of what follows up to data
	b = le.AppendUint16(b, 1)            // PCM
	b = le.AppendUint16(b, 1)            // mono
	b = le.AppendUint32(b, sampleRate)   // samples a second
	b = le.AppendUint32(b, sampleRate*2) // bytes a second
	b = le.AppendUint16(b, 2)            // bytes a sample
	b = le.AppendUint16(b, 16)           // bits a sample
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(size)) // #nosec G115 -- as above
	for i := range notes {
		step := 2 * math.Pi * 220 * math.Pow(2, scale[int(sum[i+1])%len(scale)]/12) / sampleRate
		for n := range noteLen {
			fade := math.Sin(math.Pi * float64(n) / noteLen)                              // in and out: no clicks
			b = le.AppendUint16(b, uint16(int16(loudest*fade*math.Sin(step*float64(n))))) // #nosec G115 -- a sample's bits
		}
	}
	return b
}
